"""Normalization: turns clauses into rules with one head and no ``;``.

A clause with H heads and D alternatives becomes H times D rules, in that order, so that rule numbers follow the text.
Normalization also finds the outer variables of each aggregate.
"""

from collections.abc import Iterable
from itertools import product

from liqo_connectivity.engine.syntax.nodes import (
    Aggregate,
    Body,
    Clause,
    Comparison,
    Conjunction,
    Disjunction,
    Literal_,
    Rule,
    Statement,
    Term,
    aggregate_of,
    variables,
)


def normalize(statements: Iterable[Statement]) -> tuple[Rule, ...]:
    """Expand the clauses of a program into numbered rules."""
    plain = [
        (head, scoped(body, (v.name for v in variables(head))), clause.span)
        for clause in statements
        if isinstance(clause, Clause)
        for head in clause.heads
        for body in ([()] if clause.body is None else alternatives(clause.body))
    ]
    return tuple(Rule(number, head, body, span) for number, (head, body, span) in enumerate(plain))


def alternatives(body: Body) -> list[tuple[Literal_, ...]]:
    """Return the disjunctive normal form of a body: a list of conjunctions."""
    match body:
        case Disjunction(alternatives=branches):
            return [conjunction for branch in branches for conjunction in alternatives(branch)]
        case Conjunction(items=items):
            choices = product(*(alternatives(item) for item in items))
            return [tuple(literal for part in choice for literal in part) for choice in choices]
        case _:
            return [(body,)]


def scoped(body: tuple[Literal_, ...], outside: Iterable[str] = ()) -> tuple[Literal_, ...]:
    """Set the outer variables of each aggregate: those that occur outside all aggregates, or in ``outside``."""
    if not any(aggregate_of(item) for item in body):
        return body
    # Aggregates have no outer variables yet, so they add none to this set.
    names = {*outside, *(v.name for item in body for v in variables(item))}
    return tuple(
        Comparison(item.operator, _side(item.left, names), _side(item.right, names), item.span)
        if isinstance(item, Comparison)
        else item
        for item in body
    )


def _side(term: Term, names: set[str]) -> Term:
    if not isinstance(term, Aggregate):
        return term
    own = {v.name for item in term.body for v in variables(item)}
    return Aggregate(term.kind, term.target, term.body, tuple(sorted(own & names)), term.span)
