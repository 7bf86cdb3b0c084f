"""Checks incoming facts against the schema, once.

Facts come one at a time or by the hundred thousand. Bulk checks run in C, column by column; only if they fail is each
fact checked in detail, for the error message.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from liqo_connectivity.engine.program.schema import Schema
from liqo_connectivity.engine.syntax.arithmetic import NUMBER_RANGE
from liqo_connectivity.engine.syntax.nodes import Row

Facts = Mapping[str, Iterable[Row]]
"""Input rows by relation."""


class FactCheck:
    """Checks facts against one schema."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._kinds = {
            name: tuple(int if schema.root(column.type) == "number" else str for column in declaration.columns)
            for name, declaration in schema.relations.items()
        }
        self._plain = {name for name, kinds in self._kinds.items() if int not in kinds}

    def row(self, relation: str, row: Row) -> Row:
        """Check one fact. Raises FactError."""
        if relation in self._plain and type(row) is tuple and tuple(map(type, row)) == self._kinds[relation]:
            return row
        self._schema.check_row(relation, row)
        return tuple(row)

    def rows(self, relation: str, rows: Iterable[Row]) -> dict[Row, int]:
        """Check the facts of a relation; return each once, with the number 1. Raises FactError."""
        listed = rows if isinstance(rows, list | tuple) else list(rows)
        if not self._fit(relation, listed):
            for row in listed:
                self._schema.check_row(relation, row)
            listed = [tuple(row) for row in listed]
        return dict.fromkeys(listed, 1)

    def _fit(self, relation: str, rows: Sequence[Row]) -> bool:
        kinds = self._kinds.get(relation)
        if kinds is None or set(map(type, rows)) != {tuple} or set(map(len, rows)) != {len(kinds)}:
            return False
        if relation in self._plain:
            return set(map(type, chain.from_iterable(rows))) <= {str}
        columns = list(zip(*rows, strict=True))
        return all(
            set(map(type, values)) == {kind}
            and (kind is str or (min(values) in NUMBER_RANGE and max(values) in NUMBER_RANGE))
            for values, kind in zip(columns, kinds, strict=True)
        )
