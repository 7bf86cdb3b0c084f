"""What follows from a program and its facts: every relation, complete.

Evaluators make models; proofs, questions and serializers read them. This module must not know how a model was computed.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import cast

from liqo_connectivity.engine.program.program import Program
from liqo_connectivity.engine.proofs.derivations import Derivations
from liqo_connectivity.engine.proofs.model_access import RelationAccess
from liqo_connectivity.engine.storage.relation import Relation
from liqo_connectivity.engine.syntax.arithmetic import NUMBER_RANGE
from liqo_connectivity.engine.syntax.diagnostics import UnknownRelationError
from liqo_connectivity.engine.syntax.nodes import Row

Facts = Mapping[str, Iterable[Row]]
"""Input: rows by relation."""


class Model:
    """The relations of a program, input and derived, and which rows were given as facts."""

    def __init__(self, program: Program, facts: Mapping[str, Relation], derived: Mapping[str, Relation]) -> None:
        self.program = program
        self._facts = facts
        self._derived = derived
        self._none = Relation()
        self._derivations: Derivations | None = None

    def derivations(self) -> Derivations:
        """Give the rules, joined backwards over this model; they are compiled once, and kept."""
        if self._derivations is None:
            self._derivations = Derivations(self.program, RelationAccess(self, self.program.functors))
        return self._derivations

    def relation(self, name: str) -> Relation:
        """Give a relation for joins. Raises UnknownRelationError."""
        found = self._derived.get(name, self._facts.get(name))
        if found is None:
            if name not in self.program.schema.relations:
                raise UnknownRelationError(f"the program declares no relation {name!r}")
            return self._none
        return found

    def rows(self, name: str) -> list[Row]:
        """List the rows of a relation, sorted by their columns. Raises UnknownRelationError."""
        return sorted(tuple(row) for row in self.relation(name))

    def given(self, name: str) -> Collection[Row]:
        """Give the rows of a relation that were given, rather than derived."""
        return self._facts.get(name, self._none)

    def is_fact(self, name: str, row: Row) -> bool:
        """Tell whether a row was given, rather than derived."""
        return row in self.given(name)


def load_facts(program: Program, facts: Facts) -> dict[str, Relation]:
    """Check facts against the schema and put them into relations. Raises FactError."""
    schema = program.schema
    loaded: dict[str, Relation] = {}
    for name, rows in facts.items():
        declaration = schema.relations.get(name)
        columns = declaration.columns if declaration else ()
        kinds = tuple(int if schema.root(column.type) == "number" else str for column in columns)
        numbers = [position for position, kind in enumerate(kinds) if kind is int]
        checked: list[Row] = []
        for row in rows:
            # The full check explains; this one is cheap and lets through only what it would let through.
            fits = declaration is not None and isinstance(cast("object", row), tuple) and tuple(map(type, row)) == kinds
            if not fits or any(row[position] not in NUMBER_RANGE for position in numbers):
                schema.check_row(name, row)
            checked.append(row)
        loaded[name] = Relation(checked)
    return loaded
