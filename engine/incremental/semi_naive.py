"""Semi-naive evaluation: derives a recursive component in rounds from the relations below it, which are complete.

Each round joins every recursive atom with only the new rows of the previous round, until a round finds none
(Bancilhon, "Naive evaluation of recursively defined relations", 1986). The round that first finds a row is its rank.
The join functions are generated (``codegen.specialization``).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from liqo_connectivity.engine.incremental.propagation import Follow, Numbers, Propagator
from liqo_connectivity.engine.storage.tables import Table
from liqo_connectivity.engine.syntax.nodes import Row

Use = tuple[str, Row, int]
"""An instance of a rule that reads a row: the relation and row of its head, and the rank that the instance gives."""


class RecursiveRelation(NamedTuple):
    """A relation of the component, and its functions, made on first use.

    ``inner`` collects the heads that the component's rules derive from some rows; ``forward`` lists the uses of a row;
    ``backward`` lists the ranks that a row's derivations give it.
    """

    propagator: Propagator
    inner: Callable[[], Follow]
    forward: Callable[[], Callable[[Row, list[Use]], None]]
    backward: Callable[[], Callable[[Row, list[int]], None]]


def evaluate_component(
    members: Mapping[str, RecursiveRelation], loads: Iterable[tuple[int, Callable[[], None]]]
) -> None:
    """Derive all rows of a component, with their ranks; its tables already hold the given rows.

    ``loads`` evaluate the rules without a recursive atom, each with its rank: 0 without a body, else 1.
    """
    tables = {name: member.propagator.table for name, member in members.items()}
    last: dict[str, Numbers] = {name: dict(table.rows) for name, table in tables.items()}
    exits = sorted(loads, key=lambda pair: pair[0])
    for rank, load in exits:
        if rank == 0:
            load()
    for name, table in tables.items():
        last[name] |= _take_new(table, 0)
    rank = 0
    while rank == 0 or any(last.values()):
        rank += 1
        for name, rows in last.items():
            if rows:
                members[name].inner()(rows, 1)
        if rank == 1:
            for exit_rank, load in exits:
                if exit_rank == 1:
                    load()
        last = {name: _take_new(table, rank) for name, table in tables.items()}


def _take_new(table: Table, rank: int) -> Numbers:
    new = {row: rank for row in table.changes if row not in table.rows}
    table.changes.clear()
    table.insert(new)
    return new
