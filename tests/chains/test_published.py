"""What is published of the chains of an agent is read back as the same tables, and nothing else is read as tables at all."""

import json
from collections.abc import Iterator, Sequence
from copy import deepcopy
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from liqo_connectivity.chains import (
    AgentTable,
    ChainError,
    Incomplete,
    Layout,
    Publication,
    SliceReference,
    assemble_agent,
    publication,
    published_json,
    published_objects,
    published_yaml,
    read_published,
)
from liqo_connectivity.chains.published.metadata import content_hash
from tests.support.chain_layouts import PolicyRule, Relations, policy_relations, random_relations
from tests.support.clusters import RENDERED, base_of, layout, questions, solve
from tests.support.manifests import objects
from tests.support.random_clusters import cluster
from tests.support.seeds import examples

Pair = tuple[AgentTable, AgentTable]
Path = tuple[str | int, ...]
KEY = "liqo-tenant-milan", "milan"
POLICY: Sequence[PolicyRule] = [
    ("accept", "vc-remote", "private-subnets", (("tcp", 80, 80), ("tcp", 8000, 8080))),
    ("drop", "remote-cluster", "vc-local", (("udp", 53, 53),)),
    ("drop", "any", "offloaded"),
]
MEMBERS = {"vc-remote": ["10.71.0.9", "fd00:71::9"], "vc-local": ["10.1.0.7"], "offloaded": ["10.71.0.9"]}


def pairs(made: Layout) -> list[Pair]:
    """The tables of each peering."""
    found: list[Pair] = []
    for part in made.by_peering().values():
        four, six = assemble_agent(part)
        found.append((four, six))
    return found


def example() -> Publication:
    ((four, six),) = pairs(Layout.from_relations(policy_relations(POLICY, MEMBERS)))
    return publication((four, six), 7)


TEXT = json.dumps(list(yaml.safe_load_all(published_yaml([example()]))))


def documents() -> list[Any]:
    """The objects of the example, the chain last."""
    found: list[Any] = json.loads(TEXT)
    return found


@settings(max_examples=examples(150), deadline=None)
@given(made=random_relations(nft=True), rng=st.randoms(use_true_random=False))
def test_the_tables_are_read_back_from_yaml_and_json_in_any_order(made: Relations, rng: Random) -> None:
    wanted = pairs(Layout.from_relations(made))
    publications = [publication(each, rng.randint(1, 2**53 - 1)) for each in wanted]
    texts = list(yaml.safe_load_all(published_yaml(publications)))
    rng.shuffle(texts)
    for found in (read_published(texts), read_published([json.loads(published_json(publications))])):
        assert [found.tables(key) for key in sorted(found.chains)] == wanted
        assert [found.chains[key] for key in sorted(found.chains)] == [each.chain for each in publications]


@settings(max_examples=examples(40), deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_tables_of_whole_policies_are_read_back(rng: Random) -> None:
    model = solve(base_of(objects(cluster(rng))), RENDERED, questions([], agent=True))
    for wanted in pairs(layout(model)):
        found = read_published(published_objects(publication(wanted, 1)))
        assert [found.tables(key) for key in found.chains] == [wanted]


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of all fields and items."""
    steps = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    for step in steps:
        yield (*path, step)
        yield from paths(value[step], (*path, step))


def holder(value: Any, path: Path) -> Any:
    """What has the last step of a path."""
    for step in path[:-1]:
        value = value[step]
    return value


SPEC_PATHS = [
    (number, path)
    for number, each in enumerate(documents())
    for path in paths(each)
    if path[0] in ("apiVersion", "kind", "spec") or path in (("metadata", "name"), ("metadata", "namespace"))
]
OTHERS: tuple[Any, ...] = (None, "", "x y", -1, True, 10**30, [], {}, [[]], "10.0.0.1/33", "rule-1", "ct state new")


def tables_of(given: list[Any]) -> Pair:
    """The tables of the example's chain. Raises ChainError if there are none, whatever the reason."""
    found = read_published(given)
    if KEY not in found.chains:
        raise ChainError("the chain has another name")
    tables = found.tables(KEY)
    if isinstance(tables, Incomplete):
        raise ChainError("incomplete")
    return tables


def is_accepted(given: list[Any]) -> bool:
    """Whether the example's chain has tables still."""
    try:
        return bool(tables_of(given))
    except ChainError:
        return False


def refused(given: list[Any]) -> str:
    """The message by which objects are refused."""
    with pytest.raises(ChainError) as error:
        tables_of(given)
    return str(error.value)


def test_nothing_can_be_left_out_or_have_another_value() -> None:
    accepted: list[object] = []
    for number, path in SPEC_PATHS:
        given = documents()
        inner, step = holder(given[number], path), path[-1]
        right = repr(inner[step])
        for value in (other for other in OTHERS if repr(other) != right):
            inner[step] = value
            accepted += [(path, value)] if is_accepted(given) else []
        del inner[step]
        accepted += [(path, "left out")] if is_accepted(given) else []
    assert not accepted


@pytest.mark.parametrize("number", [0, 1])
def test_an_unknown_field_is_refused_wherever_it_is(number: int) -> None:
    whole = documents()[number]
    for path in [(), *paths(whole)]:
        given = documents()
        inner = holder(given[number], (*path, ""))
        if isinstance(inner, dict) and path[:1] != ("metadata",):
            inner["surplus"] = 1
            assert "'surplus'" in refused(given)


def test_an_error_names_the_object_and_the_field() -> None:
    given = documents()
    given[1]["spec"]["tables"][0]["rules"][2]["source"] = {"sett": "group.offloaded.0"}
    assert refused(given) == (
        "ConnectivityChain liqo-tenant-milan/milan: spec.tables[0].rules[2].source: unknown field 'sett'; known are any, "
        "cidrs, set"
    )
    given = documents()
    given[0]["spec"]["members"][0]["addresses"][0] = "10.71.0.09"
    assert refused(given).startswith(
        "ConnectivitySetSlice liqo-tenant-milan/milan-7-0: spec.members[0].addresses[0]: '10.71.0.09' is not an IP address"
    )


def test_a_rule_that_is_lost_or_moved_is_noticed_even_if_the_hash_is_made_to_fit() -> None:
    given = documents()
    spec = given[1]["spec"]
    del spec["tables"][0]["rules"][1]
    spec["hash"] = content_hash(spec)
    assert "this rule or one before it was altered or lost" in refused(given)


def test_a_chain_without_its_slices_is_incomplete_and_says_what_is_missing() -> None:
    *slices, chain = documents()
    name = SliceReference("milan-7-0", 7)
    assert read_published([chain]).tables(KEY) == Incomplete((name,))
    older = deepcopy(slices[0])
    older["spec"]["revision"] = 6
    older["spec"]["hash"] = content_hash(older["spec"])
    assert read_published([chain, older]).tables(KEY) == Incomplete((name,))
    later = deepcopy(slices[0])
    later["spec"]["revision"] = 8
    later["spec"]["hash"] = content_hash(later["spec"])
    assert not isinstance(read_published([chain, later]).tables(KEY), Incomplete)


def test_a_slice_of_another_chain_and_one_of_unknown_sets_are_refused() -> None:
    given = documents()
    given[0]["spec"]["chain"] = "rome"
    given[0]["spec"]["hash"] = content_hash(given[0]["spec"])
    assert "spec.chain: rome is not milan" in refused(given)
    given = documents()
    given[0]["spec"]["members"][0]["sets"] = ["group.unknown.0"]
    given[0]["spec"]["hash"] = content_hash(given[0]["spec"])
    assert "has no set group.unknown.0" in refused(given)


def test_two_objects_of_one_name_and_two_chains_of_a_peering_are_refused() -> None:
    given = documents()
    assert "is there twice" in refused([*given, given[0]])
    other = deepcopy(given[1])
    other["metadata"]["namespace"] = "elsewhere"
    assert "a second chain for this peering" in refused([*given, other])
    assert "'Pod' is neither" in refused([{"kind": "Pod"}])
    assert "has no kind" in refused(["text"])
