"""The rules decide every flow as the semantics say: they agree with an interpreter that shares nothing with them."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.clusters import example
from tests.support.random_clusters import cluster
from tests.support.random_flows import flows
from tests.support.seeds import examples
from tests.support.verdict_check import disagreement

CLUSTERS, FLOWS, PARTS = 320, 40, 4
"""Random clusters in all, flows asked about in each, and the parts that they are tested in: 12,800 triples."""


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_rules_decide_as_the_interpreter_does(part: int) -> None:
    for seed in range(part, CLUSTERS, PARTS):
        described, asked = example(seed, FLOWS)
        found = disagreement(described, asked, nft=seed % 8 < 4, agent=seed % 8 < 2)
        assert not found, f"seed {seed}: {found}"


@settings(max_examples=examples(60), deadline=None)
@given(st.randoms(use_true_random=False))
def test_rules_decide_as_the_interpreter_does_on_clusters_that_shrink(rng: Random) -> None:
    described = cluster(rng)
    found = disagreement(described, flows(rng, described, 10), nft=rng.random() < 0.5, agent=rng.random() < 0.3)
    assert not found, found
