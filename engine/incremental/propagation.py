"""Propagates the change of one relation to its rows, its indexes, and the counts of all rules that read it.

The six steps of ``Propagator.change`` count exactly without an old version of any relation. Each rule sees the
relations change one by one, in order of evaluation, and within a relation deletions come before insertions. Each step
joins the changed rows with the current state of the rest, so that each appearance or disappearance of a rule's instance
is counted once.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from liqo_connectivity.engine.storage.tables import Table
from liqo_connectivity.engine.syntax.nodes import Row

Numbers = dict[Row, int]
"""Rows with their counts or ranks."""
Follow = Callable[[Mapping[Row, int], int], None]
"""Joins changed rows of a relation, with a sign, to the heads of the rules that read it."""


class Maintainer(Protocol):
    """Keeps a component up to date: by counts, by ranks, or by the values of groups."""

    def load(self) -> None:
        """Derive everything, once, from the earlier relations, which are complete."""

    def update(self, log: "ChangeLog") -> None:
        """Apply the changes collected in the tables of the component."""


class ChangeLog:
    """What a transaction has done so far, and how to undo it.

    By table, ``applied`` lists the rows deleted and inserted, each with its number; ``partial`` what else to undo: rows
    to restore with their numbers, and rows to remove. An entry is written before its table changes. ``given`` lists,
    for derived relations, the facts deleted and inserted.
    """

    __slots__ = ("applied", "given", "partial")

    def __init__(self) -> None:
        self.partial: list[tuple[Table, Numbers, Numbers]] = []
        self.given: list[tuple[Table, Numbers, Numbers]] = []
        self.applied: list[tuple[Table, Numbers, Numbers]] = []


class Propagator:
    """A relation, and the functions that propagate its changes."""

    __slots__ = ("_make", "_negative", "_positive", "_ready", "table")

    def __init__(self, table: Table, make: Callable[[str], tuple[Follow | None, Follow | None]]) -> None:
        self.table = table
        self._make = make
        self._ready = False
        self._positive: Follow | None = None
        self._negative: Follow | None = None

    def prepare(self) -> None:
        """Make the functions and the indexes that they use, which otherwise the first change does."""
        if not self._ready:
            self._positive, self._negative = self._make(self.table.name)
            self._ready = True

    def change(self, log: ChangeLog, deleted: Numbers, inserted: Numbers) -> None:
        """Delete and insert rows, and collect the resulting changes in the tables of the rule heads."""
        if not self._ready:
            self.prepare()
        positive, negative, table = self._positive, self._negative, self.table
        log.applied.append((table, deleted, inserted))
        if deleted:
            # Instances that read the row are still complete: no row of the relation is gone yet.
            if positive is not None:
                positive(deleted, -1)
            table.remove(deleted)
            if negative is not None:
                negative(deleted, 1)
        if inserted:
            # Instances that need the row's absence still hold.
            if negative is not None:
                negative(inserted, -1)
            table.insert(inserted)
            if positive is not None:
                positive(inserted, 1)
