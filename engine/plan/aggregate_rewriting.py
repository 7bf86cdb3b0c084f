"""Aggregates rewritten into relations, so that maintenance meets only atoms, negations and comparisons.

``h(X, N) :- p(X), N = count : { q(X, Y) }`` becomes ``h(X, N) :- p(X), g(X, N)``, and a second rule for the groups that
have nothing to count: ``h(X, 0) :- p(X), !g(X, _)``. The relation ``g`` holds a row for each group, its key and its
value; the rule ``g(X) :- q(X, Y)`` says what a group is made of. For ``min`` and ``max`` a relation of the values comes
between. Where the braces do not bind all outer variables, the rest of the rule says which keys there are; if only the
rule's own recursion can say that, the aggregate stays where it is and is computed in the join. The names of these
relations contain a space, so that they cannot clash with a name in a program.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, Literal

from liqo_connectivity.engine.plan.join_order import flatten
from liqo_connectivity.engine.program.safety import bound_variables
from liqo_connectivity.engine.syntax.nodes import (
    Aggregate,
    Atom,
    Comparison,
    Constant,
    Literal_,
    Negation,
    Rule,
    Variable,
    Wildcard,
    variables,
)

GENERATED: Final = -1
"""The number of every rule that is in no program."""


@dataclass(frozen=True, slots=True)
class Group:
    """What the last column of a relation of groups is: how many instances, or the least or greatest of ``values``."""

    kind: Literal["count", "min", "max"]
    values: str


def expand(rules: Iterable[Rule], own: Mapping[str, Collection[str]]) -> tuple[list[Rule], dict[str, Group]]:
    """Replace the aggregates of some rules; give all rules and the relations of groups.

    ``own`` gives the relations of each head's component. A rule that keeps an aggregate has it as the right side of an
    equation with a variable.
    """
    found: list[Rule] = []
    groups: dict[str, Group] = {}
    for rule in rules:
        plain, _ = flatten(rule.body)
        if not any(isinstance(item, Comparison) and isinstance(item.right, Aggregate) for item in plain):
            found.append(rule)
            continue
        choices: list[tuple[tuple[Literal_, ...], ...]] = []
        for item in plain:
            match item:
                case Comparison(left=Variable() as value, right=Aggregate() as aggregate):
                    name = f"{aggregate.kind} {len(groups)}"
                    context = _context(name, aggregate, plain, rule, own)
                    if context is None:
                        choices.append(((item,),))
                        continue
                    found += _rules(name, aggregate, rule, context, groups)
                    choices.append(_alternatives(name, aggregate, value))
                case _:
                    choices.append(((item,),))
        found += [
            Rule(rule.number, rule.head, tuple(item for part in body for item in part), rule.span)
            for body in product(*choices)
        ]
    return found, groups


def _rules(
    name: str, aggregate: Aggregate, rule: Rule, context: Sequence[Rule], groups: dict[str, Group]
) -> list[Rule]:
    """Say what each group is made of."""
    keys = tuple(map(Variable, aggregate.outer))
    body = (*(keys_rule.head for keys_rule in context), *aggregate.body)
    groups[name] = Group(aggregate.kind, f"{name} of")
    if aggregate.target is None:
        return [*context, Rule(GENERATED, Atom(name, keys), body, rule.span)]
    values = Atom(f"{name} of", (*keys, aggregate.target))
    changed = Rule(GENERATED, Atom(name, keys), (Atom(values.relation, (*keys, Wildcard())),), rule.span)
    return [*context, Rule(GENERATED, values, body, rule.span), changed]


def _alternatives(name: str, aggregate: Aggregate, value: Variable) -> tuple[tuple[Literal_, ...], ...]:
    keys = tuple(map(Variable, aggregate.outer))
    counted = (Atom(name, (*keys, value)),)
    if aggregate.kind != "count":
        return (counted,)
    return (counted, (Negation(Atom(name, (*keys, Wildcard()))), Comparison("=", value, Constant(0))))


def _context(
    name: str, aggregate: Aggregate, plain: Sequence[Literal_], rule: Rule, own: Mapping[str, Collection[str]]
) -> list[Rule] | None:
    """Give a rule for the keys, if the aggregate's own body does not bind all that it reads; ``None`` if none can."""
    read = {v.name for item in aggregate.body for v in variables(item)}
    missing = sorted(read - bound_variables(aggregate.body))
    if not missing:
        return []
    component = own.get(rule.head.relation, ())
    rest = [item for item in plain if not (isinstance(item, Comparison) and isinstance(item.right, Aggregate))]
    rest = [item for item in rest if not (isinstance(item, Atom) and item.relation in component)]
    bound = bound_variables(rest)
    if not bound.issuperset(missing):
        return None
    body = tuple(item for item in rest if bound.issuperset(v.name for v in variables(item)))
    return [Rule(GENERATED, Atom(f"{name} for", tuple(map(Variable, missing))), body, rule.span)]
