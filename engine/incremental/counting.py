"""Counting: a non-recursive derived row exists while its number of derivations, kept in its table, is above zero.

The counting algorithm of Gupta, Mumick and Subrahmanian (1993). A deletion is an insertion with the opposite sign, so
nothing is rederived, and a row with thousands of derivations costs as little to change as a row with one. A row that is
also given as a fact counts one more.
"""

from collections.abc import Callable, Iterable

from liqo_connectivity.engine.incremental.propagation import ChangeLog, Numbers, Propagator


class CountMaintenance:
    """Maintains one relation that is not recursive or has no rules."""

    __slots__ = ("_loads", "propagator")

    def __init__(self, propagator: Propagator, loads: Iterable[Callable[[], None]]) -> None:
        self.propagator = propagator
        self._loads = loads

    def load(self) -> None:
        """Count the derivations of every row."""
        for load in self._loads:
            load()

    def update(self, log: ChangeLog) -> None:
        """Add the collected counts; propagate the rows inserted and deleted."""
        table = self.propagator.table
        rows, number_of = table.rows, table.rows.get
        deleted: Numbers = {}
        inserted: Numbers = {}
        recounted: Numbers = {}
        for row, count in table.changes.items():
            if count:
                number = number_of(row)
                if number is None:
                    inserted[row] = count
                elif number + count:
                    recounted[row] = number + count
                else:
                    deleted[row] = number
        table.changes.clear()
        if recounted:
            log.partial.append((table, {row: rows[row] for row in recounted}, {}))
            rows.update(recounted)
        if deleted or inserted:
            self.propagator.change(log, deleted, inserted)
