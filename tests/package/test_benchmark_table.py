"""Checks that the engine's benchmark compares like with like: equal rows or no figure, and ratios that can fail."""

from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest
from benchmarks import workload
from benchmarks.baselines import in_clingo, in_pydatalog, in_sql
from benchmarks.database import Figures, commit, digest
from benchmarks.engine import DifferenceError, compare, least
from benchmarks.rebuild import crossing
from benchmarks.table import LINES, as_json, as_text, ratios
from benchmarks.workload import Workload

from liqo_connectivity.engine.incremental.database import Database

BASELINES: dict[str, Callable[[Workload], Figures]] = {
    "SQLite": lambda work: in_sql("sqlite", work),
    "clingo": in_clingo,
    "pyDatalog": in_pydatalog,
}
OURS: dict[str, Any] = {
    "pods": 100_000,
    "facts": 7,
    "derived": 9,
    **{line.key: [1.0] * max(1, len(line.must)) for line in LINES},
    "wide_events": {"a peer added": [1.0, 2.0, 30]},
}


def digests(database: Database) -> dict[str, list[int]]:
    return digest({name: database.tables[name].rows for name in database.program.schema.relations})


@pytest.mark.parametrize("engine", BASELINES)
def test_another_engine_derives_the_same_before_and_after_an_event(engine: str) -> None:
    work = workload.synthetic(60)
    database = Database(work.program)
    database.load(work.facts)
    ours = [digests(database)]
    commit(database, next(event for _, event in workload.synthetic(60).events(7) if event))
    ours.append(digests(database))
    compare(engine, BASELINES[engine](work)["digests"], ours)


def test_one_row_of_another_value_is_a_difference() -> None:
    ours, theirs = (digest({"p": [("a", 1)], "q": [("b", value)]}) for value in (1, 2))
    with pytest.raises(DifferenceError, match="SQLite holds other rows of q after an event"):
        compare("SQLite", [ours, theirs], [ours, ours])


def test_a_ratio_is_judged_by_its_limit() -> None:
    for seconds, holds in ((2.0, True), (1.5, False)):
        measured = {"synthetic": OURS, "policy": OURS, "SQLite": {"bulk": [seconds], "event": [1e6]}}
        (judged,) = (ratio for ratio in ratios(measured) if ratio.against == "SQLite")
        assert judged.holds is holds
        assert ("MISSED" in as_text(measured, judged=True)) is not holds
        assert "MISSED" not in as_text(measured, judged=False)


def test_json_has_a_key_for_each_row() -> None:
    told = as_json({"synthetic": OURS, "policy": OURS})
    assert list(told) == ["cluster", *(line.key for line in LINES)]
    assert told["bulk"]["must"] == {"at_most": [2.5], "kept": {"synthetic": True, "policy": True}}


def test_the_least_of_each_figure_counts() -> None:
    assert least([{"a": [1, 5], "b": {"c": 2}}, {"a": [3, 4], "b": {"c": 1}}]) == {"a": [1, 4], "b": {"c": 1}}


@pytest.mark.parametrize(
    ("costs", "share"),
    [([(1, 2), (2, 1)], 0.3), ([(1, 2), (1, 2)], 1.0), ([(2, 1), (2, 1)], 0.2), ([(2, 1), (1, 2)], 1.0)],
)
def test_the_share_where_both_ways_cost_the_same(costs: list[tuple[float, float]], share: float) -> None:
    assert crossing((0.2, 0.4), costs) == pytest.approx(share)


@pytest.mark.parametrize(("name", "relation"), [("synthetic", "running"), ("policy", "pod_origin")])
def test_events_leave_the_share_of_pods_in_each_state(name: str, relation: str) -> None:
    """Otherwise a small cluster, where each pod changes often, would become another one than a large."""
    work = workload.WORKLOADS[name](300)

    def share() -> float:
        return sum(any(r == relation for r, _, _ in held) for held in work.pods.values()) / len(work.pods)

    before = share()
    for _ in islice(work.events(3), 6000):
        pass
    assert share() == pytest.approx(before, abs=0.1)
