"""Values for the variables of terms: taken from rows, filled into literals, shown to people."""

from collections.abc import Mapping, Sequence

from liqo_connectivity.checker.consequences import value
from liqo_connectivity.checker.functors import UndefinedError
from liqo_connectivity.checker.syntax import (
    Aggregate,
    Application,
    Constant,
    Literal,
    Row,
    Term,
    Value,
    Variable,
    Wildcard,
)

Tuple = tuple[str, Row]
"""A relation and one of its rows."""


def unify(terms: Sequence[Term], row: Row, values: dict[str, Value]) -> bool:
    """Give variables the values of a row; tell whether constants and known variables agree. Arithmetic comes later."""
    for term, found in zip(terms, row, strict=True):
        if isinstance(term, Constant) and term.value != found:
            return False
        if isinstance(term, Variable) and values.setdefault(term.name, found) != found:
            return False
    return True


def value_if_known(term: Term, values: Mapping[str, Value]) -> Value | None:
    """Give the value of a constant, or of a variable that has one."""
    if isinstance(term, Constant):
        return term.value
    return values.get(term.name) if isinstance(term, Variable) else None


def agrees(terms: Sequence[Term], row: Row, values: Mapping[str, Value]) -> bool:
    """Tell whether terms have the values of a row; ``_`` has any."""
    try:
        return all(isinstance(t, Wildcard) or value(t, values) == found for t, found in zip(terms, row, strict=True))
    except (KeyError, UndefinedError):
        return False


def fill_in(literal: Literal, values: Mapping[str, Value]) -> Literal:
    """Write values into a literal; what has none stays."""

    def fill(term: Term) -> Term:
        if isinstance(term, Variable) and term.name in values:
            return Constant(values[term.name])
        if isinstance(term, Application):
            return Application(term.function, tuple(map(fill, term.arguments)))
        if isinstance(term, Aggregate):
            known = {name: values[name] for name in term.outer if name in values}
            return Aggregate(term.kind, term.target, tuple(fill_in(literal, known) for literal in term.body))
        return term

    return Literal(literal.kind, literal.name, tuple(map(fill, literal.terms)))


def write(literal: Literal, values: Mapping[str, Value]) -> str:
    """Write a literal as rules do, with its values."""
    filled = fill_in(literal, values)
    called = filled.terms[0] if literal.kind == "comparison" else None
    if isinstance(called, Application) and called.function in ("@match", "@contains"):
        return f"{'' if filled.terms[1] == Constant(1) else '!'}{_term(called).removeprefix('@')}"
    if literal.kind == "comparison":
        return f" {literal.name} ".join(map(_term, filled.terms))
    return f"{'no ' if literal.kind == 'negation' else ''}{literal.name}({', '.join(map(_term, filled.terms))})"


def _term(term: Term) -> str:
    if isinstance(term, Constant):
        return str(term.value) if isinstance(term.value, int) else f'"{term.value}"'
    if isinstance(term, Application):
        return f"{term.function}({', '.join(map(_term, term.arguments))})"
    if isinstance(term, Aggregate):
        target = f" {term.target.name}" if term.target else ""
        return f"{term.kind}{target} : {{ {', '.join(write(literal, {}) for literal in term.body)} }}"
    return term.name if isinstance(term, Variable) else "_"


def write_tuple(found: Tuple) -> str:
    """Write a tuple as rules do."""
    return f"{found[0]}({', '.join(_term(Constant(column)) for column in found[1])})"
