"""A model: all relations of a program, complete.

Evaluation makes models; proofs, why-not and serializers read them. A database is a model that changes, a snapshot one
that does not.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from operator import itemgetter
from typing import Protocol, cast

from liqo_connectivity.engine.program.program import Program
from liqo_connectivity.engine.storage.lookups import finder, listed
from liqo_connectivity.engine.storage.tables import Table
from liqo_connectivity.engine.syntax.diagnostics import UnknownRelationError
from liqo_connectivity.engine.syntax.nodes import Row


class Model(Protocol):
    """The relations of a program, input and derived. Each method raises UnknownRelationError."""

    @property
    def program(self) -> Program:
        """The program that defines the relations."""
        ...

    @property
    def version(self) -> int:
        """A number that differs after each change of a row."""
        ...

    @property
    def tables(self) -> Mapping[str, Table]:
        """The tables of relations and their projections: ``p[0,2]`` holds two columns of ``p``. Read-only.

        A load or a rebuild replaces the mapping.
        """
        ...

    @property
    def ranked(self) -> bool:
        """Whether the tables of recursive relations hold each row's rank as its number."""
        ...

    def rows(self, relation: str) -> list[Row]:
        """List the rows of a relation, sorted by their columns."""
        ...

    def count(self, relation: str) -> int:
        """Count the rows of a relation."""
        ...

    def contains(self, relation: str, row: Row) -> bool:
        """Return whether a relation has a row."""
        ...

    def find(self, relation: str, columns: tuple[int, ...], key: Row) -> Iterable[Row]:
        """List the rows with the values ``key`` in ``columns``, which are in ascending order."""
        ...

    def given(self, relation: str) -> Collection[Row]:
        """Return the rows of a relation that are facts, whether or not they are also derived."""
        ...


class TableModel:
    """Reads a model from its tables."""

    def __init__(self, program: Program, tables: Mapping[str, Table]) -> None:
        self.program = program
        self.tables = tables

    def table(self, relation: str) -> Table:
        """Return the table of a relation. Raises UnknownRelationError."""
        if relation not in self.program.schema.relations:
            raise UnknownRelationError(f"the program declares no relation {relation!r}")
        return self.tables[relation]

    def rows(self, relation: str) -> list[Row]:
        """List the rows of a relation, sorted by their columns. Raises UnknownRelationError."""
        return sorted(self.table(relation).rows)

    def count(self, relation: str) -> int:
        """Count the rows of a relation. Raises UnknownRelationError."""
        return len(self.table(relation).rows)

    def contains(self, relation: str, row: Row) -> bool:
        """Return whether a relation has a row. Raises UnknownRelationError."""
        return row in self.table(relation).rows

    def find(self, relation: str, columns: tuple[int, ...], key: Row) -> Iterable[Row]:
        """List the rows with the values ``key`` in ``columns``. Raises UnknownRelationError."""
        table = self.table(relation)
        if not columns:
            return table.rows
        if len(columns) == len(self.program.schema.relations[relation].columns):
            return (key,) if key in table.rows else ()
        return listed(finder(table, columns)(key[0] if len(key) == 1 else key))

    def given(self, relation: str) -> Collection[Row]:
        """Return the rows that are facts, whether or not they are also derived. Raises UnknownRelationError."""
        return self.table(relation).given


class FixedModel(TableModel):
    """A model that never changes. Any thread may read it."""

    ranked = False

    def __init__(self, program: Program, read: Callable[[str], Table], version: int = 0) -> None:
        """``read`` returns the table of a relation; it is called once for each, when the relation is first read."""
        super().__init__(program, _LazyTables(read))
        self.version = version


class _LazyTables(dict[str, Table]):
    """Tables of relations, read on first use, and of their projections, made on first use."""

    def __init__(self, read: Callable[[str], Table]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, name: str) -> Table:
        relation, bracket, columns = name.partition("[")
        if not bracket:
            return self.setdefault(name, self._read(name))
        places = tuple(map(int, filter(None, columns[:-1].split(","))))
        rows = dict.fromkeys(_projected(self[relation].rows, places), 1)
        return self.setdefault(name, Table(name, rows, rows))


def _projected(rows: Collection[Row], columns: tuple[int, ...]) -> Iterable[Row]:
    if len(columns) > 1:
        return map(cast("Callable[[Row], Row]", itemgetter(*columns)), rows)
    return ((row[columns[0]],) if columns else () for row in rows)
