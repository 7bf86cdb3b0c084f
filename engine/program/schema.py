"""The schema of a program: its types, relations and functors by name.

``collect`` reads it from the declarations, and reports those that clash or name nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, TypeVar, cast

from liqo_connectivity.engine.syntax.arithmetic import NUMBER_RANGE
from liqo_connectivity.engine.syntax.diagnostics import Diagnostic, FactError, Span
from liqo_connectivity.engine.syntax.nodes import (
    Column,
    Directive,
    FunctorDeclaration,
    RelationDeclaration,
    Row,
    Statement,
    TypeDeclaration,
)

ROOT_TYPES: Final = ("symbol", "number")

NO_SUCH_TYPE: Final = {
    "float": "the dialect has no floats: count in whole numbers, such as thousandths",
    "unsigned": "the dialect has no unsigned numbers: use number",
}

CONSTRAINT_DECLARATIONS: Final = {
    name: FunctorDeclaration(name, (Column(first, "symbol"), Column("text", "symbol")), "number")
    for name, first in (("match", "pattern"), ("contains", "needle"))
}
"""What the constraints would be declared as, if they were declared."""

_D = TypeVar("_D", RelationDeclaration, FunctorDeclaration)


class Schema(NamedTuple):
    """The declarations of a program.

    ``types`` maps a declared type to its base; ``inputs`` and ``outputs`` are the relations of ``.input`` and ``.output``.
    """

    types: Mapping[str, str]
    relations: Mapping[str, RelationDeclaration]
    functors: Mapping[str, FunctorDeclaration]
    inputs: frozenset[str]
    outputs: frozenset[str]

    def functor(self, name: str) -> FunctorDeclaration:
        """Return the declaration of a functor, or of a constraint. Raises KeyError."""
        return CONSTRAINT_DECLARATIONS.get(name) or self.functors[name]

    def root(self, type_name: str) -> str:
        """Return the root of a type: ``symbol`` or ``number``."""
        while type_name not in ROOT_TYPES:
            type_name = self.types[type_name]
        return type_name

    def is_subtype(self, narrow: str, wide: str) -> bool:
        """Return whether every value of type ``narrow`` also has type ``wide``."""
        while narrow != wide:
            if narrow in ROOT_TYPES:
                return False
            narrow = self.types[narrow]
        return True

    def check_row(self, relation: str, row: Row) -> None:
        """Raise FactError unless the row fits the relation's columns."""
        declaration = self.relations.get(relation)
        if declaration is None:
            raise FactError(f"a fact names relation {relation!r}, which the program does not declare")
        if not isinstance(cast("object", row), tuple):
            raise FactError(f"a fact of {relation} is no tuple: {row!r}")
        if len(row) != len(declaration.columns):
            raise FactError(
                f"a fact of {relation} has {len(row)} columns instead of {len(declaration.columns)}: {row!r}"
            )
        for column, value in zip(declaration.columns, row, strict=True):
            wanted = int if self.root(column.type) == "number" else str
            # bool is an int to Python, but not a number to Datalog.
            if type(value) is not wanted:
                raise FactError(f"column {column.name} of {relation} holds a {self.root(column.type)}, not {value!r}")
            if isinstance(value, int) and value not in NUMBER_RANGE:
                size = value.bit_length() + 1
                raise FactError(f"column {column.name} of {relation} holds numbers of 32 bits; this one needs {size}")


def collect(statements: Iterable[Statement]) -> tuple[Schema, list[Diagnostic]]:
    """Collect the declarations; report and leave out what clashes (DL008) or names no type (DL009)."""
    statements = tuple(statements)
    found: list[Diagnostic] = []
    types = _types([s for s in statements if isinstance(s, TypeDeclaration)], found)
    relations: dict[str, RelationDeclaration] = {}
    functors: dict[str, FunctorDeclaration] = {}
    directives: dict[str, set[str]] = {"input": set(), "output": set()}
    for statement in statements:
        if isinstance(statement, RelationDeclaration):
            _declare(relations, statement, "relation", found)
            if statement.name in types:
                message = f"relation {statement.name!r} has the name of a type"
                found.append(Diagnostic("DL008", "error", message, statement.span, help="give it another name"))
            _check_columns(statement.columns, types, statement.span, found)
        elif isinstance(statement, FunctorDeclaration):
            _declare(functors, statement, "functor", found)
            _check_columns((*statement.parameters, Column("result", statement.result)), types, statement.span, found)
    for statement in statements:
        if isinstance(statement, Directive):
            for name in statement.relations:
                if name not in relations:
                    message = f".{statement.kind} names relation {name!r}, which is not declared"
                    found.append(Diagnostic("DL003", "error", message, statement.span, help=f"add .decl {name}(...)"))
            directives[statement.kind].update(statement.relations)
    schema = Schema(types, relations, functors, frozenset(directives["input"]), frozenset(directives["output"]))
    return schema, found


def _types(declarations: list[TypeDeclaration], found: list[Diagnostic]) -> dict[str, str]:
    types: dict[str, str] = {}
    for declaration in declarations:
        if declaration.name in ROOT_TYPES or declaration.name in NO_SUCH_TYPE:
            message = f"type {declaration.name!r} is built in"
            found.append(Diagnostic("DL008", "error", message, declaration.span, help="give it another name"))
        elif declaration.name in types:
            message = f"type {declaration.name!r} is declared twice"
            found.append(Diagnostic("DL008", "error", message, declaration.span, help="give it another name"))
        else:
            types[declaration.name] = declaration.base
    rooted: set[str] = set(ROOT_TYPES)
    for declaration in declarations:
        # An ordered set of the types on the way up, so that each type is walked once.
        above = dict.fromkeys([declaration.name])
        base = types.get(declaration.name, declaration.base)
        while base not in rooted and base in types and base not in above:
            above[base] = None
            base = types[base]
        if base not in rooted:
            why = f"has the base {base!r}, which is no type" if base not in types else "has itself among its bases"
            message = f"type {declaration.name!r} {why}"
            hint = NO_SUCH_TYPE.get(base, "a type is symbol, number, or declared as .type Name <: symbol")
            found.append(Diagnostic("DL009", "error", message, declaration.span, help=hint))
            types[declaration.name] = "symbol"
        rooted.update(above)
    return types


def _declare(declared: dict[str, _D], declaration: _D, what: str, found: list[Diagnostic]) -> None:
    earlier = declared.get(declaration.name)
    if earlier is None:
        declared[declaration.name] = declaration
        return
    message = f"{what} {declaration.name!r} is declared twice"
    note = f"the first declaration is at {earlier.span}"
    found.append(Diagnostic("DL008", "error", message, declaration.span, note, "give this one another name"))


def _check_columns(columns: tuple[Column, ...], types: Mapping[str, str], span: Span, found: list[Diagnostic]) -> None:
    for column in columns:
        if column.type not in types and column.type not in ROOT_TYPES:
            message = f"column {column.name!r} has the type {column.type!r}, which is no type"
            hint = NO_SUCH_TYPE.get(column.type, f"declare it: .type {column.type} <: symbol")
            found.append(Diagnostic("DL009", "error", message, span, help=hint))
    names = [column.name for column in columns]
    if len(set(names)) != len(names):
        message = "two columns have the same name"
        found.append(Diagnostic("DL008", "error", message, span, help="name each column differently"))
