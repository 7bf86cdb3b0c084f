"""Every answer of ``why`` has a proof: an independent checker accepts it, and its leaves are fields of the objects."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from liqo_connectivity.engine import Model, Proof
from liqo_connectivity.facts import FactBase, ObjectKey
from tests.support import proof_checker
from tests.support.clusters import base_of, example, facts_with, questions, rows, shown, solve
from tests.support.explaining import prove
from tests.support.manifests import Object, objects

SEEDS = range(50_000, 50_016)
ASKED = ("flow", "flow_port", "enforcer")
"""The relations of the question itself."""
PROVED = ("peering_verdict", "flow_verdict", "unknown_because", "governs", "decided_by", "chain_element")


@pytest.mark.parametrize("seed", SEEDS)
def test_every_answer_has_a_proof_down_to_fields(seed: int) -> None:
    described, asked = example(seed, 10)
    found = objects(described)
    base = base_of(found)
    put = questions(asked, nft=seed % 2 == 0, agent=seed % 3 == 2)
    model, facts = solve(base, PROVED, put), facts_with(base, put)
    by_key = {_key(one): one for one in found}
    steps = 0
    for proof in proofs(model):
        proof_checker.check(proof, model, facts)
        for leaf in proof.walk():
            if isinstance(leaf, Proof) and leaf.rule is None and leaf.relation not in ASKED:
                assert_written(leaf, base, by_key)
                steps += 1
    assert steps or not rows(model, PROVED)["governs"], shown(described)


def proofs(model: Model) -> Iterator[Proof]:
    """The proofs of some tuples of each relation that answers are made of."""
    for relation, held in rows(model, PROVED).items():
        for row in held[:6]:
            proof = prove(model, relation, row)
            assert proof is not None, f"{relation}{row} is derived, but has no proof"
            yield proof


def assert_written(leaf: Proof, base: FactBase, by_key: dict[ObjectKey, Object]) -> None:
    """Follow the pointer of each fact that asserts a row, and find there what the fact says."""
    sources = base.facts_for(leaf.relation, leaf.row)
    assert sources, f"no object asserts {leaf}"
    for fact in sources:
        held = resolve(by_key[fact.source.key], fact.field)
        if fact.relation == "unreadable":
            continue
        if fact.value is True:
            assert held is True or isinstance(held, dict | list), f"{fact}: {held!r}"
        else:
            assert held == fact.value, f"{fact}: {held!r}"


def resolve(document: Object, pointer: str) -> Any:
    """The value at a JSON pointer, as RFC 6901 says. Raises KeyError or IndexError."""
    value: Any = document
    for token in pointer.split("/")[1:]:
        step = token.replace("~1", "/").replace("~0", "~")
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value


def _key(found: Object) -> ObjectKey:
    metadata = found["metadata"]
    return ObjectKey(found["kind"], metadata.get("namespace", ""), metadata["name"])


def test_a_pointer_is_resolved_as_rfc_6901_says() -> None:
    document = json.loads('{"a/b": {"m~n": [0, {"": "x"}]}}')
    assert resolve(document, "/a~1b/m~0n/1/") == "x"
