"""Transactions: changes of facts that are applied together or not at all.

A request is checked when it is made. The last request for a fact wins; inserting a present fact or deleting an absent
one changes nothing. If applying the changes raises, every table is restored from a log of the touched rows.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, NamedTuple, Self

from liqo_connectivity.engine.incremental.maintenance import Maintenance
from liqo_connectivity.engine.incremental.propagation import ChangeLog, Numbers
from liqo_connectivity.engine.storage.fact_check import FactCheck
from liqo_connectivity.engine.syntax.nodes import Row

Requests = dict[str, dict[Row, bool]]
"""By relation, whether each fact shall be present after the commit."""


class Change(NamedTuple):
    """The rows removed from a relation and those added, each sorted."""

    removed: tuple[Row, ...]
    added: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Delta:
    """What a transaction changed: the relations that lost or gained rows, given or derived, sorted by name."""

    changes: Mapping[str, Change]

    def __bool__(self) -> bool:
        return bool(self.changes)

    def __getitem__(self, relation: str) -> Change:
        return self.changes.get(relation, _NOTHING)

    def inverse(self) -> "Delta":
        """Return the delta that undoes this one."""
        return Delta({name: Change(change.added, change.removed) for name, change in self.changes.items()})

    @classmethod
    def of(cls, changes: Iterable[tuple[str, Collection[Row], Collection[Row]]]) -> "Delta":
        """Sort the removed and added rows of each relation; unchanged relations are left out."""
        found: dict[str, Change] = {}
        for name, removed, added in changes:
            if len(removed) > 1 or len(added) > 1:
                found[name] = Change(tuple(sorted(removed)), tuple(sorted(added)))
            elif removed or added:
                found[name] = Change(tuple(removed), tuple(added))
        return cls(dict(sorted(found.items())))


_NOTHING: Final = Change((), ())


class Transaction:
    """Requests that are committed together when the ``with`` block ends, and dropped if it raises.

    ``requests`` holds the requests so far; ``delta`` is what the commit changed, empty until then.
    """

    def __init__(self, fact_check: FactCheck, commit: Callable[[Requests], Delta]) -> None:
        self._fact_check = fact_check
        self._commit = commit
        self.requests: Requests = {}
        self.delta = Delta({})

    def insert(self, relation: str, row: Row) -> None:
        """Request the insertion of a fact. Raises FactError."""
        self.requests.setdefault(relation, {})[self._fact_check.row(relation, row)] = True

    def delete(self, relation: str, row: Row) -> None:
        """Request the deletion of a fact; a derived tuple stays while rules derive it. Raises FactError."""
        self.requests.setdefault(relation, {})[self._fact_check.row(relation, row)] = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.delta = self._commit(self.requests)


def apply(maintenance: Maintenance, requests: Requests, log: ChangeLog) -> None:
    """Insert and delete facts, and propagate the changes. If this raises, the caller must call ``take_back``."""
    maintenance.begin()
    for relation, rows in requests.items():
        _request(maintenance, relation, rows, log)
    maintenance.update(log)


def _request(maintenance: Maintenance, relation: str, wanted: Mapping[Row, bool], log: ChangeLog) -> None:
    propagator = maintenance.propagators[relation]
    table = propagator.table
    given = table.given
    coming: Numbers = {}
    leaving: Numbers = {}
    for row, present in wanted.items():
        if present:
            if row not in given:
                coming[row] = 1
        elif row in given:
            leaving[row] = 1
    if not coming and not leaving:
        return
    if given is table.rows:
        # Relations without rules come first in the order of evaluation: they can change at once.
        propagator.change(log, leaving, coming)
        return
    log.given.append((table, leaving, coming))
    changes = table.changes
    for rows, sign in ((leaving, -1), (coming, 1)):
        for row in rows:
            changes[row] = changes.get(row, 0) + sign
    given.update(coming)
    for row in leaving:
        del given[row]


def requested(maintenance: Maintenance, requests: Requests) -> dict[str, dict[Row, int]]:
    """Return the facts as they would be after some requests."""
    facts = {name: dict(table.given) for name, table in maintenance.tables.items() if table.given}
    for relation, rows in requests.items():
        given = facts.setdefault(relation, {})
        for row, present in rows.items():
            if present:
                given[row] = 1
            else:
                given.pop(row, None)
    return facts


def take_back(maintenance: Maintenance, log: ChangeLog) -> None:
    """Restore every table to its state before some changes, finished or not."""
    for table in maintenance.tables.values():
        table.changes.clear()
    for table, left, came in (*log.partial, *log.applied):
        for row in came:
            table.restore(row, None)
        for row, number in left.items():
            table.restore(row, number)
    for table, left, came in log.given:
        for row in came:
            table.given.pop(row, None)
        table.given.update(left)
