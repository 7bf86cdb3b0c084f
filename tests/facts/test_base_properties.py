"""Facts do not depend on the way they came: not on the order of objects, not on what was there before, not on a dump."""

import json
from collections.abc import Iterable
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liqo_connectivity.engine import Model
from liqo_connectivity.facts import FactBase, FactChange, Row, read
from liqo_connectivity.facts.dumps.dump import jsonl_lines, write_folder, write_jsonl
from liqo_connectivity.facts.dumps.redaction import redact
from tests.support.clusters import VERDICTS, base_of, example, facts_of, questions, rendered, rows, solve
from tests.support.manifests import Object, objects
from tests.support.random_clusters import NAMESPACES, PEERINGS, cluster
from tests.support.seeds import examples

SEEDS = range(40_000, 40_012)
TELLING = (*PEERINGS, *NAMESPACES, "worker", "pool", "liqo-tenant", "-tenant/", "from-", "uid-")
"""Parts of the names of these clusters that are no words of the format or of pseudonyms."""
DECISIONS = (*VERDICTS, "pending", "chain_element", "chain_rule")


def dump(base: FactBase) -> list[str]:
    return list(jsonl_lines(base))


def changes(base: FactBase) -> set[tuple[str, Row]]:
    return {(relation, row) for relation, found in base.relations() for row in found}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_objects_does_not_matter(seed: int, tmp_path: Path) -> None:
    found = objects(example(seed)[0])
    shuffled = Random(seed).sample(found, len(found))
    for name, given_objects in (("first", found), ("second", shuffled)):
        items = {"apiVersion": "v1", "kind": "List", "items": given_objects}
        (tmp_path / f"{name}.json").write_text(json.dumps(items), "utf-8")
    first, second = (read([tmp_path / f"{name}.json"]) for name in ("first", "second"))
    assert _without_place(dump(first.base)) == _without_place(dump(second.base))
    assert rendered(first.base) == rendered(second.base) == rendered(base_of(found))


def _without_place(lines: list[str]) -> list[str]:
    """The dump without the value of unreadable facts, which is file and line."""
    found = [json.loads(line) for line in lines]
    for fact in found:
        if fact.get("relation") == "unreadable":
            del fact["source"]["value"]
    return [json.dumps(fact) for fact in found]


@settings(max_examples=examples(40), deadline=None)
@given(st.randoms(use_true_random=False))
def test_adding_and_removing_an_object_changes_nothing(rng: Random) -> None:
    found = objects(cluster(rng))
    extra = rng.choice(objects(cluster(rng)))
    base = base_of(found)
    key, facts = facts_of(extra)
    if key in base.keys():  # noqa: SIM118 - a base is no mapping
        base.remove(key)
    before, lines, chains = changes(base), dump(base), rendered(base)
    added = base.replace(key, facts)
    assert changes(base) - before == set(added.added)
    assert not added.removed
    assert base.remove(key) == FactChange(removed=added.added)
    assert (changes(base), dump(base), rendered(base)) == (before, lines, chains)


def unlabelled_base(found: Iterable[Object]) -> FactBase:
    """Objects with the facts that are their own: of which labels there are facts, policies decide."""
    base = FactBase()
    for one in found:
        base.replace(*facts_of(one))
    return base


@settings(max_examples=examples(40), deadline=None)
@given(st.randoms(use_true_random=False))
def test_replacing_an_object_yields_exactly_the_difference(rng: Random) -> None:
    # Two clusters of one generator have many objects in common by name, and few by content.
    first, second = objects(cluster(rng)), objects(cluster(rng))
    base = unlabelled_base(first)
    current = {facts_of(found)[0]: found for found in first}
    for found in rng.sample(second, len(second)):
        before = changes(base)
        key, facts = facts_of(found)
        delta = base.replace(key, facts)
        after = changes(base)
        assert set(delta.added) == after - before
        assert set(delta.removed) == before - after
        assert len(delta.added) + len(delta.removed) == len(after ^ before), "a row is repeated in the delta"
        current[key] = found
    scratch = unlabelled_base(current.values())
    assert changes(base) == changes(scratch)
    assert dump(base) == dump(scratch)
    assert rendered(base) == rendered(scratch)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_dump_read_back_gives_the_same_answers(seed: int, tmp_path: Path) -> None:
    described, asked = example(seed)
    base = base_of(objects(described))
    write_jsonl(base, tmp_path / "facts.jsonl")
    write_folder(base, tmp_path / "folder")
    wanted = rows(solve(base, DECISIONS, questions(asked)), DECISIONS)
    for path in (tmp_path / "facts.jsonl", tmp_path / "folder"):
        loaded = read([path])
        assert not loaded.problems
        assert changes(loaded.base) == changes(base)
        assert rows(solve(loaded.base, DECISIONS, questions(asked)), DECISIONS) == wanted
        assert rendered(loaded.base) == rendered(base)


@pytest.mark.parametrize("seed", SEEDS)
def test_redaction_keeps_every_answer_up_to_names(seed: int, tmp_path: Path) -> None:
    described, asked = example(seed)
    base = base_of(objects(described))
    hidden = redact(base)
    first, second = (solve(given_base, DECISIONS, questions(asked)) for given_base in (base, hidden))
    assert second.rows("flow_verdict") == first.rows("flow_verdict")
    # Pseudonyms keep the order of names, so the sorted names of one side are those of the other.
    names = dict(zip(_peerings(first), _peerings(second), strict=True))
    for relation in ("decided_by", "peering_verdict"):
        assert [(names[str(row[0])], *row[1:]) for row in first.rows(relation)] == second.rows(relation)
    elements = [sorted((str(row[0]), str(row[-1])) for row in m.rows("chain_element")) for m in (first, second)]
    assert [(names[peering], address) for peering, address in elements[0]] == elements[1]
    assert not [name for name in TELLING if any(name in line for line in dump(hidden))]
    write_jsonl(hidden, tmp_path / "facts.jsonl")
    assert dump(read([tmp_path / "facts.jsonl"]).base) == dump(hidden)


def _peerings(model: Model) -> list[str]:
    return sorted({str(row[0]) for row in model.rows("governs")} | {str(row[0]) for row in model.rows("chain_rule")})
