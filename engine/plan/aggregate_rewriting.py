"""Rewrites aggregates into relations, so that maintenance handles only atoms, negations and comparisons.

``h(X, N) :- p(X), N = count : { q(X, Y) }`` becomes ``h(X, N) :- p(X), g(X, N)``, and a second rule for groups with
nothing to count: ``h(X, 0) :- p(X), !g(X, _)``; ``sum`` likewise. The relation ``g`` holds a row for each group: its key and its value.
The rule ``g(X) :- q(X, Y)`` lists what a group counts. For ``min`` and ``max`` a relation of the values comes between.
Where the braces do not bind all outer variables, the rest of the rule supplies the keys; if only the rule's own
recursion can, the aggregate stays and the join computes it. Generated names contain a space, which no name in a program
can.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import product
from typing import Final, Literal, NamedTuple

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
    aggregate_of,
    variables,
)

GENERATED: Final = -1
"""The number of every generated rule."""


class Group(NamedTuple):
    """What the last column of a group relation holds.

    For ``count`` and ``sum``, it is the sum over the instances of 1, or of the variable ``target``; a group whose sum is 0
    has no row. For ``min`` and ``max``, it is the best of the relation ``values``.
    """

    kind: Literal["count", "min", "max", "sum"]
    values: str
    target: str = ""

    @property
    def adds(self) -> bool:
        """Whether it is a sum."""
        return self.kind in ("count", "sum")


def expand(rules: Iterable[Rule], own: Mapping[str, Collection[str]]) -> tuple[list[Rule], dict[str, Group]]:
    """Replace the aggregates of rules; return all rules and the group relations.

    ``own`` maps each head to the relations of its component. An aggregate that stays is the right side of an equation
    with a variable.
    """
    found: list[Rule] = []
    groups: dict[str, Group] = {}
    for rule in rules:
        if not any(map(aggregate_of, rule.body)):
            found.append(rule)
            continue
        plain, _ = flatten(rule.body)
        choices: dict[int, tuple[tuple[Literal_, ...], ...]] = {}
        grown = True
        while grown:
            grown = False
            for place, item in enumerate(plain):
                match item:
                    case Comparison(left=Variable() as value, right=Aggregate() as aggregate) if place not in choices:
                        name = f"{aggregate.kind} {len(groups)}"
                        context = _context(name, aggregate, plain, rule, own, choices.values())
                        if context is not None:
                            found += _rules(name, aggregate, rule, context, groups)
                            choices[place], grown = _alternatives(name, aggregate, value), True
                    case _:
                        pass
        parts = [choices.get(place, ((item,),)) for place, item in enumerate(plain)]
        found += [
            Rule(rule.number, rule.head, tuple(item for part in body for item in part), rule.span)
            for body in product(*parts)
        ]
    return found, groups


def _rules(
    name: str, aggregate: Aggregate, rule: Rule, context: Sequence[Rule], groups: dict[str, Group]
) -> list[Rule]:
    """Make the rules that fill a group relation, and add it to ``groups``."""
    keys = tuple(map(Variable, aggregate.outer))
    body = (*(keys_rule.head for keys_rule in context[:1]), *aggregate.body)
    groups[name] = Group(aggregate.kind, f"{name} of", aggregate.target.name if aggregate.target else "")
    if aggregate.adds or aggregate.target is None:
        return [*context, Rule(GENERATED, Atom(name, keys), body, rule.span)]
    values = Atom(f"{name} of", (*keys, aggregate.target))
    changed = Rule(GENERATED, Atom(name, keys), (Atom(values.relation, (*keys, Wildcard())),), rule.span)
    return [*context, Rule(GENERATED, values, body, rule.span), changed]


def _alternatives(name: str, aggregate: Aggregate, value: Variable) -> tuple[tuple[Literal_, ...], ...]:
    keys = tuple(map(Variable, aggregate.outer))
    counted = (Atom(name, (*keys, value)),)
    if not aggregate.adds:
        return (counted,)
    return (counted, (Negation(Atom(name, (*keys, Wildcard()))), Comparison("=", value, Constant(0))))


def _context(
    name: str,
    aggregate: Aggregate,
    plain: Sequence[Literal_],
    rule: Rule,
    own: Mapping[str, Collection[str]],
    others: Collection[tuple[tuple[Literal_, ...], ...]],
) -> list[Rule] | None:
    """Return rules for the keys, none if the aggregate's body binds them; ``None`` if no rule can bind them.

    ``others`` are the forms of the aggregates replaced so far: their values may be keys of this one.
    """
    # With these, the body binds its own variables, or the rule would not be safe.
    missing = sorted(set(aggregate.outer) - bound_variables(aggregate.body))
    if not missing:
        return []
    component = own.get(rule.head.relation, ())
    rest = [item for item in plain if not (isinstance(item, Comparison) and isinstance(item.right, Aggregate))]
    rest = [item for item in rest if not (isinstance(item, Atom) and item.relation in component)]
    head = Atom(f"{name} for", tuple(map(Variable, missing)))
    found: list[Rule] = []
    for forms in product(*(others if not bound_variables(rest).issuperset(missing) else ())):
        items = [*rest, *(item for form in forms for item in form)]
        bound = bound_variables(items)
        if not bound.issuperset(missing):
            return None
        body = tuple(item for item in items if bound.issuperset(v.name for v in variables(item)))
        found.append(Rule(GENERATED, head, body, rule.span))
    return found
