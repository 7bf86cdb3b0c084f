"""Rewrites aggregates into relations, so that maintenance handles only atoms, negations and comparisons.

``h(X, N) :- p(X), N = count : { q(X, Y) }`` becomes ``h(X, N) :- p(X), g(X, N)``, and a second rule for groups with
nothing to count: ``h(X, 0) :- p(X), !g(X, _)``. The relation ``g`` holds a row for each group: its key and its value.
The rule ``g(X) :- q(X, Y)`` lists what a group counts. For ``min`` and ``max`` a relation of the values comes between.
Where the braces do not bind all outer variables, the rest of the rule supplies the keys; if only the rule's own
recursion can, the aggregate stays and the join computes it. Generated names contain a space, which no name in a program
can.
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
"""The number of every generated rule."""


@dataclass(frozen=True, slots=True)
class Group:
    """What the last column of a group relation holds: the number of instances, or the ``min`` or ``max`` of ``values``."""

    kind: Literal["count", "min", "max"]
    values: str


def expand(rules: Iterable[Rule], own: Mapping[str, Collection[str]]) -> tuple[list[Rule], dict[str, Group]]:
    """Replace the aggregates of rules; return all rules and the group relations.

    ``own`` maps each head to the relations of its component. An aggregate that stays is the right side of an equation
    with a variable.
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
    """Make the rules that fill a group relation, and add it to ``groups``."""
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
    """Return a rule for the keys, or none if the aggregate's body binds them; ``None`` if no rule can bind them."""
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
