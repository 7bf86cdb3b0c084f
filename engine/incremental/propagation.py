"""One relation changes: its rows, its indexes, and the counts of all rules that read it.

The six steps of ``Propagator.change`` make counting exact without any old version of a relation. Each rule sees the
relations change one after the other, in order of evaluation, and within one relation deletions come before insertions.
Each step joins the changed rows with the rest as it is at that moment, so that every instance of a rule is counted as
often as it comes or goes.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from liqo_connectivity.engine.storage.tables import Table
from liqo_connectivity.engine.syntax.nodes import Row

Numbers = dict[Row, int]
"""Rows with their counts or ranks."""
Follow = Callable[[Mapping[Row, int], int], None]
"""Follows rows of a relation, with a sign, to the heads of the rules that read it."""


class Maintainer(Protocol):
    """Brings a component up to date. There is one for each way of deriving: counting and recursion."""

    def load(self) -> None:
        """Derive everything, once, from the relations before, which are complete."""

    def update(self, log: "ChangeLog") -> None:
        """Apply the changes that were collected in the tables of the component."""


class ChangeLog:
    """What a transaction has done so far, and how to undo it.

    By table, ``applied`` lists the rows that left and came, each with its number; ``partial`` what else has to be undone:
    rows to put back with their numbers, and rows to take out again. An entry is made before its table is touched.
    ``given`` lists, for derived relations, the rows that cease or begin to be given.
    """

    __slots__ = ("applied", "given", "partial")

    def __init__(self) -> None:
        self.partial: list[tuple[Table, Numbers, Numbers]] = []
        self.given: list[tuple[Table, Numbers, Numbers]] = []
        self.applied: list[tuple[Table, Numbers, Numbers]] = []


class Propagator:
    """A relation, and the functions that follow its changes."""

    __slots__ = ("_make", "_negative", "_positive", "_ready", "table")

    def __init__(self, table: Table, make: Callable[[str], tuple[Follow | None, Follow | None]]) -> None:
        self.table = table
        self._make = make
        self._ready = False
        self._positive: Follow | None = None
        self._negative: Follow | None = None

    def prepare(self) -> None:
        """Make the functions, and the indexes that they use; otherwise the first change does."""
        if not self._ready:
            self._positive, self._negative = self._make(self.table.name)
            self._ready = True

    def change(self, log: ChangeLog, deleted: Numbers, inserted: Numbers) -> None:
        """Take rows out and put rows in, and collect in the heads' tables what that changes there."""
        if not self._ready:
            self.prepare()
        positive, negative, table = self._positive, self._negative, self.table
        log.applied.append((table, deleted, inserted))
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
