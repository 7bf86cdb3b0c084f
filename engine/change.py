"""One relation changes: its rows, its indexes, and what the rules that read it have to count anew.

The six steps of ``Node.change`` make counting exact without any old version of a relation. Seen from each rule, the
relations change one after the other, in order of evaluation, and within one relation deletions come before insertions;
each step joins changed rows with the rest as it is at that moment, so that every instance of a rule is counted as often
as it comes or goes. This module must not know how a row's number is computed.
"""

from collections.abc import Callable, Mapping
from heapq import heappush
from typing import Protocol

from liqo_connectivity.engine.store import Table
from liqo_connectivity.engine.syntax import Row

Numbers = dict[Row, int]
"""Rows with their counts or ranks."""
Follow = Callable[[Mapping[Row, int], int], None]
"""Follows rows of a relation, with a sign, to the heads of the rules that read it."""


class Settler(Protocol):
    """Brings a component up to date. There is one for each way of deriving: counting and recursion."""

    def load(self) -> None:
        """Derive everything, once, from the relations before, which are complete."""

    def settle(self, work: "Work") -> None:
        """Apply the changes that were collected in the tables of the component."""


class Work:
    """A transaction's way through the relations.

    ``agenda`` is a heap of the numbers of components that have something to settle, ``planned`` all that were ever on
    it. ``log`` lists, by table, rows to put back with their numbers and rows to take out again, if all this must not
    have happened; an entry is made before its table is touched. ``given`` lists, for derived relations, the rows that
    cease or begin to be given. ``done`` lists the rows that left and came, by relation.
    """

    __slots__ = ("agenda", "done", "given", "log", "planned")

    def __init__(self) -> None:
        self.agenda: list[int] = []
        self.planned: set[int] = set()
        self.log: list[tuple[Table, Numbers, Numbers]] = []
        self.given: list[tuple[Table, Numbers, Numbers]] = []
        self.done: list[tuple[str, Numbers, Numbers]] = []

    def plan(self, number: int) -> None:
        """Put a component on the agenda."""
        if number not in self.planned:
            self.planned.add(number)
            heappush(self.agenda, number)


class Node:
    """A relation, its place in the order of evaluation, and the functions that follow its changes.

    ``heads`` are the relations whose rules read this one: what is collected for each, and its number.
    """

    __slots__ = ("_make", "_negative", "_positive", "_ready", "heads", "number", "table")

    def __init__(self, table: Table, number: int, make: Callable[[str], tuple[Follow | None, Follow | None]]) -> None:
        self.table = table
        self.number = number
        self.heads: tuple[tuple[Numbers, int], ...] = ()
        self._make = make
        self._ready = False
        self._positive: Follow | None = None
        self._negative: Follow | None = None

    def prepare(self) -> None:
        """Make the functions, and the indexes that they use; otherwise the first change does."""
        if not self._ready:
            self._positive, self._negative = self._make(self.table.name)
            self._ready = True

    def change(self, work: Work, deleted: Numbers, inserted: Numbers) -> None:
        """Take rows out and put rows in, and collect in the heads' tables what that changes there."""
        if not self._ready:
            self.prepare()
        positive, negative, table = self._positive, self._negative, self.table
        work.done.append((table.name, deleted, inserted))
        if deleted:
            # Instances that read the row are still complete: the other rows of the relation are all there.
            if positive is not None:
                positive(deleted, -1)
            table.remove(deleted)
            if negative is not None:
                negative(deleted, 1)
        if inserted:
            # Instances that rest on the row's absence are still there.
            if negative is not None:
                negative(inserted, -1)
            table.insert(inserted)
            if positive is not None:
                positive(inserted, 1)
        planned = work.planned
        for changes, number in self.heads:
            if changes and number not in planned:
                work.plan(number)
