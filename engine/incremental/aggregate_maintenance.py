"""Aggregate maintenance: one row for each non-empty group, with the value of its aggregate.

Counts are sums of ones. Sums are maintained by the counting algorithm for aggregation of Gupta, Mumick and Subrahmanian (1993): a change
adds to its group's value and reads nothing else. ``min`` and ``max`` compare all values of a changed group again.
"""

from collections.abc import Callable, Iterable

from liqo_connectivity.engine.incremental.propagation import ChangeLog, Numbers, Propagator
from liqo_connectivity.engine.plan.aggregate_rewriting import Group
from liqo_connectivity.engine.storage.tables import Table, rows_of
from liqo_connectivity.engine.syntax.arithmetic import in_range
from liqo_connectivity.engine.syntax.nodes import Row, Value


class AggregateMaintenance:
    """Maintains the groups of one aggregate. Its table collects the changed keys, for sums with the difference."""

    __slots__ = ("_group", "_loads", "_values", "propagator")

    def __init__(
        self, propagator: Propagator, group: Group, values: Table | None, loads: Iterable[Callable[[], None]]
    ) -> None:
        """``values`` is the table of the values to compare, ``None`` for sums."""
        self.propagator = propagator
        self._group = group
        self._values = values
        self._loads = loads

    def load(self) -> None:
        """Compute the value of every group."""
        for load in self._loads:
            load()
        table = self.propagator.table
        found = [self._row(key, added, None) for key, added in table.changes.items()]
        table.changes.clear()
        table.insert({row: 1 for row in found if row is not None})

    def update(self, log: ChangeLog) -> None:
        """Compute the new values of the changed groups; propagate the rows inserted and deleted."""
        table = self.propagator.table
        deleted: Numbers = {}
        inserted: Numbers = {}
        for key, added in table.changes.items():
            old = self._current(key)
            new = self._row(key, added, old)
            if old != new:
                if old is not None:
                    deleted[old] = 1
                if new is not None:
                    inserted[new] = 1
        table.changes.clear()
        if deleted or inserted:
            self.propagator.change(log, deleted, inserted)

    def _row(self, key: Row, added: int, old: Row | None) -> Row | None:
        if self._values is None:
            total = in_range(added + (int(old[-1]) if old else 0))
            return (*key, total) if total else None
        values = [int(row[-1]) for row in _of_key(self._values, key)]
        if not values:
            return None
        return (*key, min(values) if self._group.kind == "min" else max(values))

    def _current(self, key: Row) -> Row | None:
        return next(iter(_of_key(self.propagator.table, key)), None)


def _of_key(table: Table, key: Row) -> Iterable[Row]:
    """Return the rows that begin with a key."""
    if not key:
        return table.rows
    bare: Value | Row = key[0] if len(key) == 1 else key
    return rows_of(table.index(tuple(range(len(key)))).get(bare))
