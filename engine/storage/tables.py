"""Tables: the rows of each relation, each with a number, and the indexes that joins use.

The number is the count of a row's derivations, or its rank in a recursive component. An index maps a key to the row
itself if there is only one, otherwise to a dictionary of rows: most buckets hold one row, and a dictionary for each
would double the memory. Indexes are built on first use and updated with every later change.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import cast

from liqo_connectivity.engine.codegen.source import Capture
from liqo_connectivity.engine.codegen.table_updates import inserter, remover
from liqo_connectivity.engine.syntax.nodes import Row

Bucket = Row | dict[Row, None]
"""One bare row, or at least two rows."""
Index = dict[object, Bucket]
"""Buckets by key: the bare value for an index on one column, a tuple of values for several."""
_Insert = Callable[[Mapping[Row, int]], None]
_Remove = Callable[[Iterable[Row]], None]


class Table:
    """The rows of one relation.

    ``rows`` maps each row to its number. ``given`` holds the rows given as facts, and is ``rows`` itself for a relation
    without rules. ``changes`` collects pending work: counts to add, or rows to check again.
    """

    __slots__ = ("_writers", "changes", "given", "indexes", "name", "rows")

    def __init__(self, name: str, rows: dict[Row, int], given: dict[Row, int]) -> None:
        self.name = name
        self.rows = rows
        self.given = given
        self.changes: dict[Row, int] = {}
        self.indexes: dict[tuple[int, ...], Index] = {}
        self._writers: tuple[_Insert, _Remove] | None = None

    def index(self, columns: tuple[int, ...]) -> Index:
        """Return the index on one or more columns; build it on first use."""
        found = self.indexes.get(columns)
        if found is None:
            found = build_index(self.rows, columns)
            # In this order: after any interruption, an index is updated if and only if it is in ``indexes``.
            self._writers = None
            self.indexes = {**self.indexes, columns: found}
        return found

    def insert(self, rows: Mapping[Row, int]) -> None:
        """Add rows that the table does not have, with their numbers."""
        (self._writers or self._make_writers())[0](rows)

    def remove(self, rows: Iterable[Row]) -> None:
        """Remove rows that the table has."""
        (self._writers or self._make_writers())[1](rows)

    def _make_writers(self) -> "tuple[_Insert, _Remove]":
        # Made on first use: most tables of a program that answers one question never change.
        indexes = self.indexes

        def resolve(capture: Capture) -> object:
            return self.rows if capture.kind == "rows" else indexes[capture.columns]

        columns = tuple(indexes)
        insert = cast("_Insert", inserter(columns).make(resolve))
        remove = cast("_Remove", remover(columns).make(resolve))
        self._writers = insert, remove
        return self._writers

    def restore(self, row: Row, number: int | None) -> None:
        """Restore a row's earlier number, or remove it for ``None``, whatever an interrupted change left."""
        self.rows.pop(row, None)
        for columns, index in self.indexes.items():
            key = key_reader(columns)(row)
            bucket = index.get(key)
            others = (
                dict.fromkeys(bucket) if type(bucket) is dict else {} if bucket is None else {cast("Row", bucket): None}
            )
            others.pop(row, None)
            if number is not None:
                others[row] = None
            if not others:
                index.pop(key, None)
            else:
                index[key] = others if len(others) > 1 else next(iter(others))
        if number is not None:
            self.rows[row] = number

    def problems(self) -> list[str]:
        """List pending changes and broken indexes: each index must equal one built from the rows."""
        found = [f"{self.name} still has changes"] if self.changes else []
        for columns, index in self.indexes.items():
            place = f"the index of {self.name} on {columns}"
            expected = build_index(self.rows, columns)
            if any(type(bucket) is dict and len(bucket) < 2 for bucket in index.values()):
                found.append(f"{place} has a bucket that should be a bare row")
            if {k: sorted(rows_of(b)) for k, b in index.items()} != {
                k: sorted(rows_of(b)) for k, b in expected.items()
            }:
                found.append(f"{place} does not hold the rows of the table")
        return found


def rows_of(bucket: Bucket | None) -> Iterable[Row]:
    """List the rows of a bucket; none for ``None``."""
    if bucket is None:
        return ()
    return bucket if type(bucket) is dict else (cast("Row", bucket),)


def build_index(rows: Mapping[Row, int], columns: tuple[int, ...]) -> Index:
    """Index rows on columns."""
    key_of = key_reader(columns)
    index: Index = {}
    # Most keys have one row: C code indexes these, and the loop only the others.
    placed = map(index.setdefault, map(key_of, rows), rows)
    for row in [row for row, first in zip(rows, placed, strict=True) if first is not row]:
        key = key_of(row)
        bucket = index[key]
        if type(bucket) is dict:
            bucket[row] = None
        else:
            index[key] = {cast("Row", bucket): None, row: None}
    return index


def key_reader(columns: Sequence[int]) -> Callable[[Row], object]:
    """Return a function that reads the key of a row: the bare value of one column, a tuple of several."""
    read: Callable[[Row], object] = itemgetter(*columns)
    return read
