"""Substitutes values for variables in terms and literals."""

from collections.abc import Mapping

from liqo_connectivity.engine.syntax.nodes import (
    Aggregate,
    Arithmetic,
    Atom,
    Call,
    Comparison,
    Constant,
    Literal_,
    Negation,
    Term,
    Value,
    Variable,
)


def ground(term: Term, values: Mapping[str, Value]) -> Term:
    """Substitute values in a term; variables without a value and an aggregate's local variables stay."""
    match term:
        case Variable(name=name):
            return Constant(values[name]) if name in values else term
        case Arithmetic(operator=symbol, left=left, right=right):
            return Arithmetic(symbol, ground(left, values), ground(right, values))
        case Call(functor=functor, arguments=arguments):
            return Call(functor, tuple(ground(argument, values) for argument in arguments))
        case Aggregate(kind=kind, target=target, body=body, outer=outer):
            known = {name: values[name] for name in outer if name in values}
            unknown = tuple(name for name in outer if name not in values)
            return Aggregate(kind, target, tuple(ground_literal(item, known) for item in body), unknown)
        case _:
            return term


def ground_literal(item: Literal_, values: Mapping[str, Value]) -> Literal_:
    """Substitute values in a literal."""
    match item:
        case Atom(relation=relation, terms=terms):
            return Atom(relation, tuple(ground(term, values) for term in terms))
        case Negation(atom=Atom(relation=relation, terms=terms)):
            return Negation(Atom(relation, tuple(ground(term, values) for term in terms)))
        case Comparison():
            return ground_comparison(item, values)


def ground_comparison(item: Comparison, values: Mapping[str, Value]) -> Comparison:
    """Substitute values in a comparison."""
    return Comparison(item.operator, ground(item.left, values), ground(item.right, values))
