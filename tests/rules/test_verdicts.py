"""The rules decide every flow as the semantics say: they agree with an interpreter that shares nothing with them."""

from collections.abc import Mapping
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liqo_connectivity.engine import Model
from tests.support.clusters import VERDICTS, base_of, example, questions, shown, solve, verdicts
from tests.support.descriptions import Cluster, Traffic
from tests.support.interpreter import Meaning
from tests.support.manifests import objects
from tests.support.policy_checks import is_unclear
from tests.support.random_clusters import cluster
from tests.support.random_flows import flows
from tests.support.seeds import examples

CLUSTERS, FLOWS, PARTS = 320, 40, 4
"""Random clusters in all, flows asked about in each, and the parts that they are tested in: 12,800 triples."""


def disagreement(described: Cluster, asked: list[Traffic], *, nft: bool) -> str:
    """Where the rules and the interpreter differ, for a person to judge; empty when they do not."""
    model = solve(base_of(objects(described)), (*VERDICTS, "too_large"), questions(asked, nft=nft))
    unfit = {str(row[0]) for row in model.rows("too_large")}
    meaning = Meaning(described, nft=nft, unfit=unfit)
    told = verdicts(model)
    derived = decisions(model)
    for number, flow in enumerate(asked):
        answer = meaning.decide(flow)
        ruled = told[number], known(meaning, derived.get(str(number), {}))
        if ruled != (answer.verdict, known(meaning, answer.decisions)):
            because = [row for row in model.rows("unknown_because") if row[0] == str(number)]
            return (
                f"{flow}, nft {nft}: the rules say {ruled}, unknown because of {because};\n"
                f"the interpreter says {answer};\npending {meaning.pending}, doubts {meaning.doubts}\n{shown(described)}"
            )
    return ""


def known(meaning: Meaning, found: Mapping[str, object]) -> dict[str, object]:
    """Decisions, but for those on established connections of policies of which nobody knows what their scope is."""
    unclear = {peering for peering, policy in meaning.governing.items() if is_unclear(policy)}
    return {p: made for p, made in found.items() if p not in unclear or made not in (None, ("established", 0, "allow"))}


def decisions(model: Model) -> dict[str, dict[str, object]]:
    """What decides each flow at each governing peering; None where nothing does."""
    found: dict[str, dict[str, object]] = {}
    for peering, _, flow in model.rows("governs"):
        found.setdefault(str(flow), {})[str(peering)] = None
    for peering, flow, *decision in model.rows("decided_by"):
        held = found[str(flow)]
        assert held[str(peering)] is None, f"two decisions on flow {flow} at {peering}"
        held[str(peering)] = tuple(decision)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_rules_decide_as_the_interpreter_does(part: int) -> None:
    for seed in range(part, CLUSTERS, PARTS):
        described, asked = example(seed, FLOWS)
        found = disagreement(described, asked, nft=seed % 8 < 4)
        assert not found, f"seed {seed}: {found}"


@settings(max_examples=examples(60), deadline=None)
@given(st.randoms(use_true_random=False))
def test_rules_decide_as_the_interpreter_does_on_clusters_that_shrink(rng: Random) -> None:
    described = cluster(rng)
    found = disagreement(described, flows(rng, described, 10), nft=rng.random() < 0.5)
    assert not found, found
