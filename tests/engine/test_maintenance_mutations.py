"""Would the tests notice? Each line of the maintenance that matters is broken in turn; churn or brute force must find out."""

import inspect
import signal
from collections.abc import Callable, Iterator
from textwrap import dedent
from types import FunctionType

import pytest

from liqo_connectivity.engine.codegen import specialization
from liqo_connectivity.engine.incremental import (
    aggregate_maintenance,
    counting,
    maintenance,
    propagation,
    rank_maintenance,
    transactions,
)
from liqo_connectivity.engine.plan import occurrences
from liqo_connectivity.engine.storage import tables
from tests.engine.test_aggregates import same_as_brute_force
from tests.engine.test_database_churn import churn, follow_an_aggregate_in_a_recursion

SEEDS = range(250)

Mutant = tuple[object, str, str, str]
"""Where a function is found, its name, what it says, what it is made to say."""

MUTANTS: dict[str, Mutant] = {
    # The six steps of a change.
    "deletions join after the removal": (
        propagation.Propagator,
        "change",
        "            if positive is not None:\n                positive(deleted, -1)\n            table.remove(deleted)\n",
        "            table.remove(deleted)\n            if positive is not None:\n                positive(deleted, -1)\n",
    ),
    "negated deletions join before the removal": (
        propagation.Propagator,
        "change",
        "            table.remove(deleted)\n            if negative is not None:\n                negative(deleted, 1)\n",
        "            if negative is not None:\n                negative(deleted, 1)\n            table.remove(deleted)\n",
    ),
    "negated insertions join after the insertion": (
        propagation.Propagator,
        "change",
        "            if negative is not None:\n                negative(inserted, -1)\n            table.insert(inserted)\n",
        "            table.insert(inserted)\n            if negative is not None:\n                negative(inserted, -1)\n",
    ),
    "insertions join before the insertion": (
        propagation.Propagator,
        "change",
        "            table.insert(inserted)\n            if positive is not None:\n                positive(inserted, 1)\n",
        "            if positive is not None:\n                positive(inserted, 1)\n            table.insert(inserted)\n",
    ),
    "a deletion counts up": (propagation.Propagator, "change", "positive(deleted, -1)", "positive(deleted, 1)"),
    "an insertion counts down": (propagation.Propagator, "change", "positive(inserted, 1)", "positive(inserted, -1)"),
    "a negated deletion counts down": (
        propagation.Propagator,
        "change",
        "negative(deleted, 1)",
        "negative(deleted, -1)",
    ),
    "a negated insertion counts up": (
        propagation.Propagator,
        "change",
        "negative(inserted, -1)",
        "negative(inserted, 1)",
    ),
    "the last component is forgotten": (maintenance.Maintenance, "update", "self._pending)", "self._pending[:-1])"),
    "components update in no order": (
        maintenance.Maintenance,
        "update",
        "compress(self._maintainers, self._pending)",
        "compress(self._maintainers[::-1], self._pending[::-1])",
    ),
    # CountMaintenance.
    "a count is replaced": (counting.CountMaintenance, "update", "[row] = number + count", "[row] = count"),
    "a row with derivations left is deleted": (
        counting.CountMaintenance,
        "update",
        "elif number + count:",
        "elif count > 0:",
    ),
    "changes are not forgotten": (counting.CountMaintenance, "update", "table.changes.clear()", "table.changes.copy()"),
    # What is generated.
    "no guard in self-joins": (specialization, "_earlier", "if type(other) is type(item)", "if other is item"),
    "a rank without a step": (specialization, "_rank", '"1 + max(', '"0 + max('),
    "the lowest premise counts": (specialization, "_rank", "1 + max(", "1 + min("),
    "a bucket of one stays a dictionary": (tables, "remover", "if len(bucket) == 1:", "if len(bucket) == 0:"),
    "a second row replaces the first": (tables, "inserter", "{{bucket: None, row: None}}", "row"),
    # AggregateMaintenance.
    "what is counted replaces the count": (
        aggregate_maintenance.AggregateMaintenance,
        "_row",
        "added + (",
        "added + 0 * (",
    ),
    "a group of nothing stays": (
        aggregate_maintenance.AggregateMaintenance,
        "_row",
        "if total else None",
        "if True else None",
    ),
    "the greatest is taken for the least": (
        aggregate_maintenance.AggregateMaintenance,
        "_row",
        "min(values) if",
        "max(values) if",
    ),
    "an old value stays": (aggregate_maintenance.AggregateMaintenance, "update", "deleted[old] = 1", "pass"),
    "an aggregate inside is followed once": (
        occurrences,
        "_reads",
        "for reads in (positive, negative):",
        "for reads in (positive,):",
    ),
    # RankMaintenance.
    "higher ranks are not looked for": (rank_maintenance._Repair, "_drop", "if offered ==", "if offered <"),
    "lower ranks are not passed on": (rank_maintenance._Repair, "_lower", "if offered <", "if offered >"),
    "a dropped row is not wanted again": (rank_maintenance._Repair, "_drop", "self._want(name, row, wanted)", "pass"),
    "a given row needs a rule": (rank_maintenance._Repair, "_look_again", "[0] if row in", "[0] if row not in"),
    "rows are passed on at once": (rank_maintenance._Repair, "_pass_on", "propagator.table.remove(inserted)", "pass"),
    "ranks are taken as wanted": (rank_maintenance._Repair, "_want", "if rank == has:", "if rank >= has:"),
    "rounds are not counted": (rank_maintenance, "evaluate_component", "rank += 1", "rank = 1"),
    # What is asked for.
    "a fact that is there comes again": (transactions, "_request", "if row not in given:", "if True:"),
    "a fact that is not there leaves": (transactions, "_request", "elif row in given:", "else:"),
    "what is asked for replaces what was counted": (
        transactions,
        "_request",
        "changes.get(row, 0) + sign",
        "sign",
    ),
    "derived relations have no facts": (transactions, "_request", "given.update(coming)", "given.update({})"),
    "a projection keeps the wrong columns": (occurrences, "_projection", "if column in kept", "if column not in kept"),
    "projections lose a column": (occurrences, "projected", "if not isinstance(term, Wildcard)", "if column == 0"),
    "joins do not read constants": (
        occurrences,
        "_is_read",
        "not isinstance(term, Variable) or",
        "isinstance(term, Variable) and",
    ),
    "equal columns may differ": (occurrences, "_projection", "place_of.get(column, column)", "column"),
}


def mutate(monkeypatch: pytest.MonkeyPatch, mutant: Mutant) -> None:
    place, name, old, new = mutant
    function = inspect.unwrap(vars(place)[name])
    assert isinstance(function, FunctionType)
    source = dedent(inspect.getsource(function))
    lines = [line for line in source.split("\n") if not line.startswith("@") and not line.lstrip().startswith("#")]
    source, old, new = "\n".join(lines), dedent_like(old, place), dedent_like(new, place)
    assert source.count(old) == 1, f"{name} does not say {old!r} once"
    namespace: dict[str, Callable[..., object]] = {}
    exec(source.replace(old, new), function.__globals__, namespace)
    monkeypatch.setattr(place, name, namespace[name])


def dedent_like(text: str, place: object) -> str:
    """Shift whole lines of a method as ``dedent`` shifted its source."""
    if not inspect.isclass(place) or not text.endswith("\n"):
        return text
    return "".join(line.removeprefix("    ") + "\n" for line in text.splitlines())


class EndlessError(Exception):
    """A mutant took longer over one program than any sound engine does."""


@pytest.fixture
def deadline() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise EndlessError

    before = signal.signal(signal.SIGALRM, stop)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def is_found_out(seed: int) -> bool:
    signal.setitimer(signal.ITIMER_REAL, 5)
    try:
        follow_an_aggregate_in_a_recursion()
        churn(seed)
        same_as_brute_force(seed)
    except Exception:  # noqa: BLE001  # a broken engine may fail in any way
        return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
@pytest.mark.usefixtures("deadline")
def test_it_is_found_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mutate(monkeypatch, MUTANTS[name])
    assert any(map(is_found_out, SEEDS))
