"""pyDatalog, which shares nothing with our engine, derives the same from the whole policy program."""

import pytest

from liqo_connectivity.engine.pydatalog.child_process import ChildLimits
from liqo_connectivity.engine.pydatalog.second_opinion import evaluate_relations, first_difference
from tests.support.clusters import base_of, example, facts_with, program, questions, shown, solve
from tests.support.manifests import objects
from tests.support.seeds import groups

ANSWERS = (
    "flow_verdict",
    "decided_by",
    "governs",
    "unknown_because",
    "pending",
    "finding",
    "shadowed",
    "chain_element",
    "blind_spot",
    "object_blind_spot",
    "service_target",
)
LIMITS = ChildLimits(seconds=120, megabytes=2048)


def assert_agreement(seed: int, count: int, relations: tuple[str, ...]) -> None:
    described, asked = example(seed, count)
    base = base_of(objects(described))
    put = questions(asked, nft=seed % 2 == 0, agent=seed % 3 == 2)
    facts = facts_with(base, put)
    wanted = tuple(relations) or tuple(program().rules_by_head)
    second = evaluate_relations(program(), facts, wanted, limits=LIMITS)
    difference = first_difference(solve(base, wanted, put), second)
    assert difference is None, f"seed {seed}: {difference}\n{shown(described)}"


@pytest.mark.parametrize("seed", range(60_000, 60_003))
def test_pydatalog_gives_the_same_answers(seed: int) -> None:
    assert_agreement(seed, 3, ANSWERS)


@pytest.mark.slow
@pytest.mark.parametrize("seed", groups(60_003, 60_015, 1))
def test_pydatalog_derives_the_same_from_the_whole_program(seed: int) -> None:
    assert_agreement(seed, 4, ())
