"""Snapshots: the state of a database after one commit, for readers that a writer must not disturb.

Taking a snapshot copies nothing. Commits form a chain of deltas, each pointing to the next. A snapshot keeps its place
in the chain, and undoes the later deltas when a reader asks for a relation. A rebuild ends the chain with the tables
that it replaced. What no snapshot refers to is freed.
"""

from collections.abc import Mapping

from liqo_connectivity.engine.incremental.transactions import Delta
from liqo_connectivity.engine.storage.tables import Table
from liqo_connectivity.engine.syntax.nodes import Row


class Commit:
    """A place in a chain: the state after some commit. ``version`` counts commits.

    ``delta`` holds the commit's changes of all relations, ``given`` those of the facts given for derived relations.
    ``next`` is the next commit, if there is one yet; ``left`` holds the tables, if this is the last state they had.
    """

    __slots__ = ("delta", "given", "left", "next", "version")

    def __init__(self, version: int, delta: Delta, given: Delta) -> None:
        self.version = version
        self.delta = delta
        self.given = given
        self.next: Commit | None = None
        self.left: Mapping[str, Table] | None = None


def table_at(place: Commit, current: Mapping[str, Table], name: str) -> Table:
    """Return a relation as of a place, without counts or ranks; ``current`` holds the current tables."""
    rows = _rows_at(place, current, name, False)
    stored = current[name]
    return Table(name, rows, rows if stored.given is stored.rows else _rows_at(place, current, name, True))


def _rows_at(place: Commit, current: Mapping[str, Table], name: str, given: bool) -> dict[Row, int]:
    later: list[Commit] = []
    while place.next is not None:
        place = place.next
        later.append(place)
    table = (current if place.left is None else place.left)[name]
    found = dict.fromkeys(table.given if given else table.rows, 1)
    apart = given and table.given is not table.rows
    for commit in reversed(later):
        removed, added = (commit.given if apart else commit.delta)[name]
        for row in added:
            found.pop(row, None)
        found.update(dict.fromkeys(removed, 1))
    return found
