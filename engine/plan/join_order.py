"""The join order of a rule body.

Negations and comparisons run as soon as their variables are bound (for an aggregate, the outer ones). Among atoms, the
one with the most bound columns comes first; ties keep the order of the text. The order depends on the text alone, unless
the caller gives the cost of atoms.
"""

from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from math import inf

from liqo_connectivity.engine.syntax.nodes import (
    Aggregate,
    Arithmetic,
    Atom,
    Call,
    Comparison,
    Constant,
    Literal_,
    Term,
    Variable,
    subterms,
    variables,
)

Cost = Callable[[Atom, Collection[str]], float]
"""The expected number of rows of an atom for one choice of values of the known variables."""


def flatten(body: Sequence[Literal_]) -> tuple[list[Literal_], list[str]]:
    """Move arithmetic and functors out of positive atoms: ``a(X + 1)`` becomes ``a(Y), Y = X + 1``.

    The atom can then be joined before ``X`` is known. Aggregates move out of comparisons: each becomes the right side
    of an equation with a variable on the left. Returns the literals, which keep their positions, and the new variables'
    names, which no text can contain.
    """
    plain, equations = list(body), list[Literal_]()
    hidden: list[str] = []

    def apart(name: str, term: Term) -> Variable:
        hidden.append(name)
        variable = Variable(name)
        equations.append(Comparison("=", variable, term))
        return variable

    for position, item in enumerate(body):
        match item:
            case Atom(relation=relation, terms=terms) if any(isinstance(term, Arithmetic | Call) for term in terms):
                moved = [
                    apart(f"= {position} {column}", term) if isinstance(term, Arithmetic | Call) else term
                    for column, term in enumerate(terms)
                ]
                plain[position] = Atom(relation, tuple(moved))
            case Comparison(operator="=", left=Aggregate() as aggregate, right=Variable() as value):
                plain[position] = Comparison("=", value, aggregate, item.span)
            case Comparison(operator="=", left=Variable(), right=Aggregate()):
                pass
            case Comparison(operator=symbol, left=Aggregate() as aggregate, right=other):
                plain[position] = Comparison(symbol, apart(f"= {position}", aggregate), other, item.span)
            case Comparison(operator=symbol, left=other, right=Aggregate() as aggregate):
                plain[position] = Comparison(symbol, other, apart(f"= {position}", aggregate), item.span)
            case _:
                pass
    return plain + equations, hidden


def order(
    body: Sequence[Literal_],
    bound: Iterable[str] = (),
    first: int | None = None,
    cost: Cost | None = None,
    small: Container[str] = (),
) -> list[int]:
    """Return the positions of a body's literals in join order.

    With ``cost`` the cheapest atom comes next, instead of the one with the most bound columns. ``small`` relations come
    before atoms that their variables help to look up.

    Arithmetic can fail. It follows at least the literals that it follows with nothing bound and no first atom, so that
    a join never fails where plain evaluation of the rule does not.
    """
    known = set(bound)
    fallible = [p for p, item in enumerate(body) if any(isinstance(t, Arithmetic) for t in subterms(item))]
    if not fallible or (not known and first is None):
        return _greedy(body, known, first, {}, cost, small)
    written = _greedy(body, set(), None, {}, None, ())
    return _greedy(body, known, first, {p: frozenset(written[: written.index(p)]) for p in fallible}, cost, small)


def _greedy(
    body: Sequence[Literal_],
    known: set[str],
    first: int | None,
    after: Mapping[int, frozenset[int]],
    cost: Cost | None,
    small: Container[str],
) -> list[int]:
    known, rest, ordered = set(known), list(range(len(body))), list[int]()
    if first is not None:
        rest.remove(first)
        ordered.append(first)
        known.update(v.name for v in variables(body[first]))
    while rest:
        ready = (p for p in rest if not isinstance(body[p], Atom) and _is_ready(body[p], known))
        chosen = next((p for p in ready if after.get(p, frozenset()).isdisjoint(rest)), None)
        if chosen is None:
            helping = [
                isinstance(o := body[p], Atom) and o.relation in small and _helps(body, p, rest, known) for p in rest
            ]
            ranks = [(_rank(body[p], known, cost, helps), -p) for p, helps in zip(rest, helping, strict=True)]
            chosen = -max(ranks)[1]
        rest.remove(chosen)
        ordered.append(chosen)
        known.update(v.name for v in variables(body[chosen]))
    return ordered


def _is_ready(item: Literal_, known: set[str]) -> bool:
    missing = {v.name for v in variables(item)} - known
    if not missing:
        return True
    if not isinstance(item, Comparison) or item.operator != "=":
        return False
    sides = ((item.left, item.right), (item.right, item.left))
    return any(isinstance(t, Variable) and all(v.name in known for v in variables(o)) for t, o in sides)


def _rank(item: Literal_, known: set[str], cost: Cost | None, helps: bool) -> tuple[bool, bool, float]:
    if not isinstance(item, Atom):
        return (False, False, -inf)
    if cost is not None:
        return (False, False, -cost(item, known))
    count = sum(isinstance(t, Constant) or (isinstance(t, Variable) and t.name in known) for t in item.terms)
    return (count == len(item.terms), helps, count)


def _helps(body: Sequence[Literal_], position: int, rest: Iterable[int], known: set[str]) -> bool:
    """Return whether an atom binds a variable of another atom in ``rest``."""
    binds = {v.name for v in variables(body[position])} - known
    others = (body[p] for p in rest if p != position)
    return any(not binds.isdisjoint(v.name for v in variables(o)) for o in others if isinstance(o, Atom))
