"""Values for the variables of terms: given by rows, written into literals, shown to people.

This module must not know where rows come from.
"""

from collections.abc import Mapping, Sequence

from liqo_connectivity.checker.consequences import value
from liqo_connectivity.checker.functors import UndefinedError
from liqo_connectivity.checker.syntax import Any_, Apply, Const, Fold, Item, Row, Term, Value, Var

Tuple = tuple[str, Row]
"""A relation and one of its rows."""


def unify(terms: Sequence[Term], row: Row, values: dict[str, Value]) -> bool:
    """Give variables the values of a row; tell whether constants and known variables agree. Arithmetic comes later."""
    for term, found in zip(terms, row, strict=True):
        if isinstance(term, Const) and term.value != found:
            return False
        if isinstance(term, Var) and values.setdefault(term.name, found) != found:
            return False
    return True


def value_if_known(term: Term, values: Mapping[str, Value]) -> Value | None:
    """Give the value of a constant, or of a variable that has one."""
    if isinstance(term, Const):
        return term.value
    return values.get(term.name) if isinstance(term, Var) else None


def agrees(terms: Sequence[Term], row: Row, values: Mapping[str, Value]) -> bool:
    """Tell whether terms have the values of a row; ``_`` has any."""
    try:
        return all(isinstance(t, Any_) or value(t, values) == found for t, found in zip(terms, row, strict=True))
    except (KeyError, UndefinedError):
        return False


def fill_in(item: Item, values: Mapping[str, Value]) -> Item:
    """Write values into a literal; what has none stays."""

    def fill(term: Term) -> Term:
        if isinstance(term, Var) and term.name in values:
            return Const(values[term.name])
        if isinstance(term, Apply):
            return Apply(term.function, tuple(map(fill, term.arguments)))
        if isinstance(term, Fold):
            known = {name: values[name] for name in term.outer if name in values}
            return Fold(term.kind, term.target, tuple(fill_in(item, known) for item in term.body))
        return term

    return Item(item.kind, item.name, tuple(map(fill, item.terms)))


def write(item: Item, values: Mapping[str, Value]) -> str:
    """Write a literal as rules do, with its values."""
    filled = fill_in(item, values)
    if item.kind == "comparison":
        return f" {item.name} ".join(map(_term, filled.terms))
    return f"{'no ' if item.kind == 'negation' else ''}{item.name}({', '.join(map(_term, filled.terms))})"


def _term(term: Term) -> str:
    if isinstance(term, Const):
        return str(term.value) if isinstance(term.value, int) else f'"{term.value}"'
    if isinstance(term, Apply):
        return f"{term.function}({', '.join(map(_term, term.arguments))})"
    if isinstance(term, Fold):
        target = f" {term.target.name}" if term.target else ""
        return f"{term.kind}{target} : {{ {', '.join(write(item, {}) for item in term.body)} }}"
    return term.name if isinstance(term, Var) else "_"


def write_tuple(found: Tuple) -> str:
    """Write a tuple as rules do."""
    return f"{found[0]}({', '.join(_term(Const(column)) for column in found[1])})"
