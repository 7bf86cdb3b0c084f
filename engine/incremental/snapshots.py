"""Snapshots: what a database held at one moment, for readers that a writer must not disturb.

Nothing is copied when a snapshot is taken. Commits form a chain of deltas, each pointing to the next; a snapshot holds
on to its place in the chain, and takes back what came after when it is asked for a relation. Where everything was
derived anew, a chain ends with the tables that were left behind. What no snapshot holds any more is freed. This module
must not know how deltas come about.
"""

from collections.abc import Callable, Collection, Iterable, Mapping

from liqo_connectivity.engine.incremental.transactions import Delta
from liqo_connectivity.engine.model import Model
from liqo_connectivity.engine.program.program import Program
from liqo_connectivity.engine.storage.relation import Relation
from liqo_connectivity.engine.storage.tables import Table
from liqo_connectivity.engine.syntax.nodes import Row


class Commit:
    """A place in a chain: the state after some commit. ``version`` counts commits.

    ``delta`` is what the commit changed in all relations, ``given`` in the facts given for derived relations. ``next``
    is the commit after it, if there is one by now; ``left`` are the tables, if this is the last state that they had.
    """

    __slots__ = ("delta", "given", "left", "next", "version")

    def __init__(self, version: int, delta: Delta, given: Delta) -> None:
        self.version = version
        self.delta = delta
        self.given = given
        self.next: Commit | None = None
        self.left: Mapping[str, Table] | None = None


class Snapshot(Model):
    """The relations as they were after one commit. Any thread may read; ``version`` counts commits."""

    def __init__(self, program: Program, place: Commit, read: "Read") -> None:
        super().__init__(program, {}, {})
        self.version = place.version
        self._place = place
        self._read = read
        self._relations: dict[str, Relation] = {}
        self._given: dict[str, Relation] = {}

    def relation(self, name: str) -> Relation:
        """Give a relation for joins. Raises UnknownRelationError."""
        if name not in self._relations:
            super().relation(name)
            self._relations[name] = Relation(self._read(name, self._place, False))
        return self._relations[name]

    def given(self, name: str) -> Collection[Row]:
        """Give the rows of a relation that were given, rather than derived."""
        if name not in self.program.schema.relations:
            return self._none
        if name not in self._given:
            self._given[name] = Relation(self._read(name, self._place, True))
        return self._given[name]


Read = Callable[[str, Commit, bool], Iterable[Row]]
"""Gives the rows of a relation at a place of the chain; only those that were given, if asked so."""


def rows_at(place: Commit, current: Mapping[str, Table], name: str, given: bool) -> dict[Row, None]:
    """Give the rows of a relation at a place, or those that were given; ``current`` are the tables of now."""
    later: list[Commit] = []
    while place.next is not None:
        place = place.next
        later.append(place)
    table = (current if place.left is None else place.left)[name]
    found = dict.fromkeys(table.given if given else table.rows)
    apart = given and table.given is not table.rows
    for commit in reversed(later):
        removed, added = (commit.given if apart else commit.delta)[name]
        for row in added:
            found.pop(row, None)
        found.update(dict.fromkeys(removed))
    return found
