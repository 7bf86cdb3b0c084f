"""Tables: the rows of each relation with a number each, and the indexes that joins ask for.

The number is the count of a row's derivations, or its rank in a recursive component. An index maps a key to the row
itself while there is one, and to a dictionary of rows from the second on: most buckets hold one row, and a dictionary
for each would double the memory. Indexes are built when first asked for and kept up to date with every later change.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import cast

from liqo_connectivity.engine.codegen.source import Capture
from liqo_connectivity.engine.codegen.specialization import inserter, remover
from liqo_connectivity.engine.syntax.nodes import Row

Bucket = Row | dict[Row, None]
"""One row, bare, or at least two."""
Index = dict[object, Bucket]
"""Buckets by key: the bare value for an index on one column, a tuple of values for several."""
_Insert = Callable[[Mapping[Row, int]], None]
_Remove = Callable[[Iterable[Row]], None]


class Table:
    """The rows of one relation.

    ``rows`` maps each row to its number. ``given`` holds the rows that were given as facts, and is ``rows`` itself for
    a relation without rules. ``changes`` collects what is to be done with rows: counts to add, or rows to look at again.
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
        """Give the index on one or more columns, built if there is none yet."""
        found = self.indexes.get(columns)
        if found is None:
            found = build_index(self.rows, columns)
            # In this order: whatever interrupts, an index is kept up if and only if it is known.
            self._writers = None
            self.indexes = {**self.indexes, columns: found}
        return found

    def insert(self, rows: Mapping[Row, int]) -> None:
        """Put rows in that are not there, with their numbers."""
        (self._writers or self._make_writers())[0](rows)

    def remove(self, rows: Iterable[Row]) -> None:
        """Take rows out that are there."""
        (self._writers or self._make_writers())[1](rows)

    def _make_writers(self) -> "tuple[_Insert, _Remove]":
        # Only now: most tables of a program that answers one question never change.
        indexes = self.indexes

        def resolve(capture: Capture) -> object:
            return self.rows if capture.kind == "rows" else indexes[capture.columns]

        columns = tuple(indexes)
        insert = cast("_Insert", inserter(columns).make(resolve))
        remove = cast("_Remove", remover(columns).make(resolve))
        self._writers = insert, remove
        return self._writers

    def restore(self, row: Row, number: int | None) -> None:
        """Give a row its number of before, or take it out for ``None``, whatever an interrupted change has left."""
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
        """List what is wrong with the indexes: each must be as if built from the rows."""
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
    """List the rows of a bucket, or of none."""
    if bucket is None:
        return ()
    return bucket if type(bucket) is dict else (cast("Row", bucket),)


def build_index(rows: Mapping[Row, int], columns: tuple[int, ...]) -> Index:
    """Index rows on columns."""
    key_of = key_reader(columns)
    index: Index = {}
    # Most indexes find one row for each key: all but the others is done in C.
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
    """Give the function that reads the key of a row: the bare value of one column, a tuple of several."""
    read: Callable[[Row], object] = itemgetter(*columns)
    return read
