"""The tuples of one relation, with an index for each combination of columns that a join asks for.

Indexes are built when first asked for and kept up with every later tuple. This module must not know rules.
"""

from collections.abc import Callable, Iterable, Iterator, KeysView, Sequence
from operator import itemgetter

from liqo_connectivity.engine.syntax.nodes import Row

Index = dict[object, list[Row]]
"""Rows by key: the bare value for an index on one column, a tuple of values for several."""


class Relation:
    """A growing set of rows. Rows come out in insertion order; callers that publish them sort."""

    __slots__ = ("_indexes", "_rows")

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._rows: dict[Row, None] = dict.fromkeys(rows)
        self._indexes: dict[tuple[int, ...], tuple[Callable[[Row], object], Index]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __contains__(self, row: object) -> bool:
        return row in self._rows

    def view(self) -> KeysView[Row]:
        """Give the rows as a set that stays current, for tests of membership without a call into Python."""
        return self._rows.keys()

    def add(self, row: Row) -> bool:
        """Add a row; tell whether it is new."""
        return bool(self.add_all((row,)))

    def add_all(self, rows: Iterable[Row]) -> list[Row]:
        """Add rows; give those that are new, once each."""
        new = [row for row in dict.fromkeys(rows) if row not in self._rows]
        self._rows.update(dict.fromkeys(new))
        for key_of, index in self._indexes.values():
            for row in new:
                index.setdefault(key_of(row), []).append(row)
        return new

    def index(self, columns: Sequence[int]) -> Index:
        """Give the index on one or more columns; it stays current while the relation grows."""
        found = self._indexes.get(tuple(columns))
        if found is None:
            key_of: Callable[[Row], object] = itemgetter(*columns)
            index: Index = {}
            for row in self._rows:
                index.setdefault(key_of(row), []).append(row)
            found = self._indexes[tuple(columns)] = (key_of, index)
        return found[1]
