"""Looks rows up by some of their columns, with as few indexes as possible.

Proofs look up columns that maintenance does not. If an index on fewer columns leaves few rows, these are filtered:
another index on every relation would double the memory. The number of keys often comes from a projection that
maintenance keeps anyway.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import islice
from typing import Final, cast

from liqo_connectivity.engine.storage.tables import Bucket, Index, Table, key_reader, rows_of
from liqo_connectivity.engine.syntax.nodes import Row

Find = Callable[[object], Bucket | Iterable[Row] | None]
"""Returns the rows of a key: one bare row, several, or ``None``. A key is one bare value, or a tuple of several."""

_SHORT: Final = 8
"""Maximum average number of rows in a bucket for filtering it instead of building an index."""
_SAMPLE: Final = 500
"""How many rows are sampled to estimate the size of a lookup: plan costs depend on it, results never do."""


def finder(table: Table, columns: tuple[int, ...]) -> Find:
    """Return a function that finds the rows of a key; it is valid as long as the table."""
    exact = table.indexes.get(columns)
    if exact is None:
        shorter = _shorter(table, columns)
        if shorter is not None:
            return _filtered(*shorter, columns)
        exact = table.index(columns)
    return exact.get


def listed(found: Bucket | Iterable[Row] | None) -> Iterable[Row]:
    """List the rows that a lookup found."""
    if found is None:
        return ()
    return (cast("Row", found),) if type(found) is tuple else cast("Iterable[Row]", found)


def distinct(tables: Mapping[str, Table], relation: str, columns: tuple[int, ...]) -> int:
    """Count the distinct values of some columns of a relation."""
    projection = tables.get(f"{relation}[{','.join(map(str, columns))}]")
    return len(tables[relation].index(columns) if projection is None else projection.rows)


def fan_out(table: Table, columns: tuple[int, ...]) -> float:
    """Estimate from a sample how many rows share a row's key, including that row."""
    # A missing index adds half a row, so that an existing one wins.
    return _rows_alike(table.rows, columns) + (columns not in table.indexes) / 2


def _rows_alike(rows: Collection[Row], columns: tuple[int, ...]) -> float:
    if not columns or not rows:
        return len(rows)
    sample = Counter(map(key_reader(columns), islice(rows, _SAMPLE)))
    taken = sample.total()
    alike = sum(count * (count - 1) for count in sample.values())
    return 1 + (len(rows) - 1) * alike / max(1, taken * (taken - 1))


def _shorter(table: Table, columns: tuple[int, ...]) -> tuple[tuple[int, ...], Index] | None:
    """Find the index on some of the columns that leaves the fewest rows, if they are few."""
    found = [(place, index) for place, index in table.indexes.items() if set(place) < set(columns)]
    if not found:
        return None
    best = max(found, key=lambda pair: len(pair[1]))
    return best if len(table.rows) <= _SHORT * len(best[1]) else None


def _filtered(place: tuple[int, ...], index: Index, columns: tuple[int, ...]) -> Callable[[object], Iterable[Row]]:
    places = [columns.index(column) for column in place]
    # The shorter index has fewer columns than the key, so the key is a tuple.
    shorten = key_reader(places)
    key_of = key_reader(columns)

    def find(key: object) -> Iterable[Row]:
        return [row for row in rows_of(index.get(shorten(cast("Row", key)))) if key_of(row) == key]

    return find
