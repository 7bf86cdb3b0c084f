"""Relations of a database as joins and proofs read them.

A proof asks for indexes on columns that no rule's changes ask for. Where a shorter index leaves few rows, they are
filtered, since an index more on every relation would double the memory; and whether a row with some columns exists is
often answered by a projection that maintenance keeps anyway. This module must not change a row.
"""

from collections.abc import Callable, Iterable, Iterator, KeysView, Mapping, Sequence
from typing import Final, cast

from liqo_connectivity.engine.storage.relation import Index, Relation
from liqo_connectivity.engine.storage.tables import Bucket, Table, key_reader, rows_of
from liqo_connectivity.engine.storage.tables import Index as StoredIndex
from liqo_connectivity.engine.syntax.nodes import Row

_SHORT: Final = 8
"""How many rows a bucket may have on average for filtering it rather than building an index."""


class StoredRelation(Relation):
    """A table, read as a relation; it stays current until the table's next change."""

    __slots__ = ("_projections", "_table")

    def __init__(self, table: Table, projections: Mapping[tuple[int, ...], Table]) -> None:
        super().__init__()
        self._table = table
        self._projections = projections

    def __len__(self) -> int:
        return len(self._table.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._table.rows)

    def __contains__(self, row: object) -> bool:
        return row in self._table.rows

    def view(self) -> KeysView[Row]:
        return cast("KeysView[Row]", self._table.rows.keys())

    def add_all(self, rows: Iterable[Row]) -> list[Row]:
        raise TypeError(f"{self._table.name} is read only here: a transaction changes facts")

    def index(self, columns: Sequence[int]) -> Index:
        return _Buckets(self._table, tuple(columns), self._projections.get(tuple(columns)))


class _Buckets(dict[object, list[Row]]):
    """The questions that a join asks an index, answered by what the table has: rows of a key, its presence, how many."""

    __slots__ = ("_columns", "_find", "_projection", "_table")

    def __init__(self, table: Table, columns: tuple[int, ...], projection: Table | None) -> None:
        super().__init__()
        self._table = table
        self._columns = columns
        self._projection = projection
        self._find: Callable[[object], Bucket | Iterable[Row] | None] | None = None

    def get(self, key: object, default: object = None) -> list[Row]:
        if self._find is None:
            self._find = finder(self._table, self._columns)
        found = self._find(key)
        return [] if found is None else [found] if type(found) is tuple else list(cast("Iterable[Row]", found))

    def __len__(self) -> int:
        rows = self._projection.rows if self._projection is not None else self._table.index(self._columns)
        return len(rows)

    def __contains__(self, key: object) -> bool:
        if self._projection is not None:
            return (key if len(self._columns) > 1 else (key,)) in self._projection.rows
        return bool(self.get(key))


def finder(table: Table, columns: tuple[int, ...]) -> Callable[[object], Bucket | Iterable[Row] | None]:
    """Give what finds the rows of a key: a bare row, several, or ``None``; good for as long as the table."""
    exact = table.indexes.get(columns)
    if exact is None:
        shorter = _shorter(table, columns)
        if shorter is not None:
            return _filtered(*shorter, columns)
        exact = table.index(columns)
    return exact.get


def _shorter(table: Table, columns: tuple[int, ...]) -> tuple[tuple[int, ...], StoredIndex] | None:
    """Find the index on some of the columns that leaves the fewest rows, if they are few."""
    found = [(place, index) for place, index in table.indexes.items() if set(place) < set(columns)]
    if not found:
        return None
    best = max(found, key=lambda pair: len(pair[1]))
    return best if len(table.rows) <= _SHORT * len(best[1]) else None


def _filtered(
    place: tuple[int, ...], index: StoredIndex, columns: tuple[int, ...]
) -> Callable[[object], Iterable[Row]]:
    places = [columns.index(column) for column in place]
    # The shorter index has fewer columns than the key, so the key is a tuple.
    shorten = key_reader(places)
    key_of = key_reader(columns)

    def find(key: object) -> Iterable[Row]:
        return [row for row in rows_of(index.get(shorten(cast("Row", key)))) if key_of(row) == key]

    return find
