"""The type check: each variable of a rule has one type, and values of different types never meet.

Every type descends from a root, symbol or number; a value of a type also belongs to the types above it.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from liqo_connectivity.engine.program.schema import Schema
from liqo_connectivity.engine.syntax.diagnostics import Diagnostic, Span
from liqo_connectivity.engine.syntax.nodes import (
    Aggregate,
    Arithmetic,
    Atom,
    Call,
    Comparison,
    Constant,
    Literal_,
    Negation,
    Rule,
    Term,
    Variable,
    Wildcard,
    aggregate_of,
    subterms,
    variables,
)
from liqo_connectivity.engine.syntax.printer import format_term

_TYPE_HINT: Final = "values of different types never meet: use columns of one type, or of a type and one below it"


class _Kind(NamedTuple):
    """A type; ``loose`` if it is that of a constant or arithmetic, which fit every type below the same root."""

    name: str
    loose: bool
    span: Span

    def __str__(self) -> str:
        return f"a {self.name}" if self.loose else f"of type {self.name}"


class _Typing:
    """The types of one body's variables: each has the narrowest type of its columns in positive atoms.

    ``outer`` holds the types of an aggregate's outer variables.
    """

    def __init__(self, schema: Schema, body: Iterable[Literal_], outer: Mapping[str, _Kind] | None = None) -> None:
        self._schema = schema
        self._kinds = dict(outer or {})
        self.found: list[Diagnostic] = []
        body = tuple(body)
        for item in body:
            if isinstance(item, Atom):
                for term, column in zip(item.terms, schema.relations[item.relation].columns, strict=True):
                    self._narrow(term, column.type)
        self._equate([item for item in body if isinstance(item, Comparison) and item.operator == "="])

    def kind(self, term: Term) -> _Kind | None:
        """Return the type of a term; ``None`` for ``_`` and for an untyped variable."""
        match term:
            case Variable(name=name):
                return self._kinds.get(name)
            case Constant(value=value, span=span):
                return _Kind("number" if isinstance(value, int) else "symbol", True, span)
            case Arithmetic(span=span):
                return _Kind("number", True, span)
            case Call(functor=functor, span=span):
                return _Kind(self._schema.functor(functor).result, False, span)
            case Aggregate(kind="count" | "sum", span=span):
                return _Kind("number", True, span)
            case Aggregate(target=target, span=span):
                kind = self.inside(term).kind(target) if target else None
                # check_types reports a target that is not a number.
                return kind if kind and self._schema.root(kind.name) == "number" else _Kind("number", True, span)
            case Wildcard():
                return None

    def inside(self, aggregate: Aggregate) -> "_Typing":
        """Type the body of an aggregate."""
        outer = {name: kind for name, kind in self._kinds.items() if name in aggregate.outer}
        return _Typing(self._schema, aggregate.body, outer)

    def _narrow(self, term: Term, column: str) -> None:
        known = self.kind(term)
        if not isinstance(term, Variable) or known is None:
            if isinstance(term, Variable):
                self._kinds[term.name] = _Kind(column, False, term.span)
            else:
                self.fit(term, column)
        elif self._schema.is_subtype(column, known.name):
            self._kinds[term.name] = _Kind(column, False, term.span)
        elif not self._schema.is_subtype(known.name, column):
            self._report(term, known, column)

    def _equate(self, equations: Iterable[Comparison]) -> None:
        """Type the variables that only equations bind, until nothing changes."""
        waiting = list(equations)
        while True:
            rest: list[Comparison] = []
            for item in waiting:
                left, right = self.kind(item.left), self.kind(item.right)
                if left is None and right is not None and isinstance(item.left, Variable):
                    self._kinds[item.left.name] = _Kind(right.name, right.loose, item.left.span)
                elif right is None and left is not None and isinstance(item.right, Variable):
                    self._kinds[item.right.name] = _Kind(left.name, left.loose, item.right.span)
                elif left is None and right is None:
                    rest.append(item)
            if len(rest) == len(waiting):
                return
            waiting = rest

    def fit(self, term: Term, column: str) -> None:
        """Check that every value of a term has the type of a head's column or a functor's parameter."""
        kind = self.kind(term)
        if kind is None:
            return
        loosely = kind.loose and self._schema.root(kind.name) == self._schema.root(column)
        if not loosely and not self._schema.is_subtype(kind.name, column):
            self._report(term, kind, column)

    def meet(self, term: Term, column: str) -> None:
        """Check that a term can have a value of the type of a negated atom's column."""
        kind = self.kind(term)
        if kind is not None and not self._comparable(kind, _Kind(column, False, kind.span)):
            self._report(term, kind, column)

    def compare(self, item: Comparison) -> None:
        """Check that the sides of a comparison can be equal."""
        left, right = self.kind(item.left), self.kind(item.right)
        if left is not None and right is not None and not self._comparable(left, right):
            message = f"the left side is {left}, the right side is {right}"
            self.found.append(Diagnostic("DL005", "error", message, item.span, help=_TYPE_HINT))

    def check(self, body: Iterable[Literal_]) -> None:
        """Check the comparisons, negated atoms and operands of the body."""
        for item in body:
            if isinstance(item, Comparison):
                self.compare(item)
            elif isinstance(item, Negation):
                columns = self._schema.relations[item.atom.relation].columns
                for term, column in zip(item.atom.terms, columns, strict=True):
                    self.meet(term, column.type)
            # An aggregate's local variables have no type here, so their operands pass.
            for term in subterms(item):
                self.operands(term)

    def operands(self, term: Term) -> None:
        """Check the operands or arguments of a term."""
        match term:
            case Arithmetic(left=left, right=right):
                self.fit(left, "number")
                self.fit(right, "number")
            case Call(functor=functor, arguments=arguments):
                for argument, parameter in zip(arguments, self._schema.functor(functor).parameters, strict=True):
                    self.fit(argument, parameter.type)
            case _:
                return

    def _comparable(self, left: _Kind, right: _Kind) -> bool:
        if left.loose or right.loose:
            return self._schema.root(left.name) == self._schema.root(right.name)
        return self._schema.is_subtype(left.name, right.name) or self._schema.is_subtype(right.name, left.name)

    def _report(self, term: Term, kind: _Kind, column: str) -> None:
        what = "arithmetic" if isinstance(term, Arithmetic) else format_term(term)
        note = f"{what} is {kind} at {kind.span}" if isinstance(term, Variable) else ""
        message = f"{what} is {kind} and cannot be of type {column}"
        self.found.append(Diagnostic("DL005", "error", message, term.span, note, _TYPE_HINT))


def check_types(rules: Iterable[Rule], schema: Schema) -> list[Diagnostic]:
    """Report values of different types that meet in a rule (DL005). Check names first."""
    found: list[Diagnostic] = []
    for rule in rules:
        typing = _Typing(schema, rule.body)
        typing.check(rule.body)
        for aggregate in filter(None, map(aggregate_of, rule.body)):
            inside = typing.inside(aggregate)
            inside.check(aggregate.body)
            if aggregate.target:
                inside.fit(aggregate.target, "number")
            found += inside.found
        for term in subterms(rule.head):
            typing.operands(term)
        for term, column in zip(rule.head.terms, schema.relations[rule.head.relation].columns, strict=True):
            typing.fit(term, column.type)
        found += typing.found
    # Rules from one clause share its literals: report each error of a place once.
    return list(dict.fromkeys(found))


def variable_roots(bodies: Iterable[Iterable[Literal_]], schema: Schema) -> dict[str, str]:
    """Return the root type of each variable in some bodies, except untyped ones. Check names first."""
    roots: dict[str, str] = {}
    for body in bodies:
        items = list(body)
        typing = _Typing(schema, items)
        for variable in (v for item in items for v in variables(item)):
            kind = typing.kind(variable)
            if kind is not None:
                roots.setdefault(variable.name, schema.root(kind.name))
    return roots
