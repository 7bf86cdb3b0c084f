"""Clauses as written to rules as evaluated: one head each, ``;`` spread into alternatives.

A clause with H heads and a body of D alternatives becomes H times D rules, in that order, so that rule numbers follow
the text. This module must not check anything.
"""

from collections.abc import Iterable
from itertools import product

from liqo_connectivity.engine.syntax import Body, Clause, Conjunction, Disjunction, Literal_, Rule, Statement


def normalize(statements: Iterable[Statement]) -> tuple[Rule, ...]:
    """Spread the clauses of a program into numbered rules."""
    plain = [
        (head, body, clause.span)
        for clause in statements
        if isinstance(clause, Clause)
        for head in clause.heads
        for body in ([()] if clause.body is None else alternatives(clause.body))
    ]
    return tuple(Rule(number, head, body, span) for number, (head, body, span) in enumerate(plain))


def alternatives(body: Body) -> list[tuple[Literal_, ...]]:
    """Spread a body into its disjunctive normal form: a list of plain conjunctions."""
    match body:
        case Disjunction(alternatives=branches):
            return [conjunction for branch in branches for conjunction in alternatives(branch)]
        case Conjunction(items=items):
            choices = product(*(alternatives(item) for item in items))
            return [tuple(literal for part in choice for literal in part) for choice in choices]
        case _:
            return [(body,)]
