"""Rewrites rules with aggregates into rules without, for an evaluator that has none.

The instances of an aggregate's body become the rows of a relation, outer variables first; the child process aggregates
them into a relation of groups and values, which the rule reads. A group without instances has no row there: ``min`` and
``max`` then fail, as they should; for ``count`` and ``sum`` the rule has a second form, in which the group is absent and the value
is 0.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Literal

from liqo_connectivity.engine.pydatalog.clauses import refuse
from liqo_connectivity.engine.syntax.nodes import (
    Aggregate,
    Atom,
    Comparison,
    Constant,
    Literal_,
    Negation,
    Rule,
    Term,
    Variable,
    Wildcard,
    aggregate_of,
    variables,
)


@dataclass(frozen=True, slots=True)
class Grouping:
    """An aggregate taken out of a rule.

    ``rules`` derive relations, each from complete ones; the last is ``instances``. Grouping it by its first ``width``
    columns and aggregating the column ``value`` gives the relation ``groups``.
    """

    rules: tuple[Rule, ...]
    instances: str
    groups: str
    kind: Literal["count", "min", "max", "sum"]
    width: int
    value: int


@dataclass(frozen=True, slots=True)
class PlainRules:
    """The rules that replace one rule, and the groupings that they read, in the order of evaluation."""

    rules: tuple[Rule, ...]
    groupings: tuple[Grouping, ...]


def without_aggregates(rule: Rule, unfinished: Collection[str], number: Iterator[int]) -> PlainRules:
    """Rewrite a rule; ``unfinished`` holds the relations of its component. Raises OracleError.

    ``number`` numbers all groupings of a program.
    """
    bodies: list[tuple[Literal_, ...]] = [()]
    groupings: list[Grouping] = []
    for item in rule.body:
        aggregate = aggregate_of(item)
        if aggregate is None or not isinstance(item, Comparison):
            bodies = [(*body, item) for body in bodies]
            continue
        grouping = _grouping(rule, aggregate, unfinished, next(number))
        groupings.append(grouping)
        group = [Variable(name) for name in aggregate.outer]
        # The syntax cannot express these names.
        value = Variable(f"= {grouping.groups}")
        left, right = (value if side is aggregate else side for side in (item.left, item.right))
        compared = Comparison(item.operator, left, right)
        some: tuple[Literal_, ...] = (Atom(grouping.groups, (*group, value)), compared)
        none: tuple[Literal_, ...] = (
            Negation(Atom(grouping.groups, (*group, Wildcard()))),
            Comparison("=", value, Constant(0)),
            compared,
        )
        forms = [some, none] if aggregate.adds else [some]
        bodies = [(*body, *form) for body in bodies for form in forms]
    return PlainRules(tuple(Rule(rule.number, rule.head, body, rule.span) for body in bodies), tuple(groupings))


def _grouping(rule: Rule, aggregate: Aggregate, unfinished: Collection[str], number: int) -> Grouping:
    fresh = (Variable(f"row {each}") for each in count())
    body = tuple(
        Atom(item.relation, tuple(next(fresh) if isinstance(term, Wildcard) else term for term in item.terms))
        if isinstance(item, Atom)
        else item
        for item in aggregate.body
    )
    bound = {t.name for item in body if isinstance(item, Atom) for t in item.terms if isinstance(t, Variable)}
    domains: list[Rule] = []
    for name in aggregate.outer:
        if name not in bound:
            # The body only tests the variable: an atom of the rule supplies its values.
            head = Atom(f"domain {number} {name}", (Variable(name),))
            domains.append(Rule(rule.number, head, (_lister(rule, name, unfinished),), rule.span))
    body = (*(domain.head for domain in domains), *body)
    names = dict.fromkeys([*aggregate.outer, *(v.name for item in body for v in variables(item))])
    row: tuple[Term, ...] = tuple(map(Variable, names))
    rules = (*domains, Rule(rule.number, Atom(f"instances {number}", row), body, rule.span))
    value = list(names).index(aggregate.target.name) if aggregate.target else 0
    return Grouping(rules, f"instances {number}", f"groups {number}", aggregate.kind, len(aggregate.outer), value)


def _lister(rule: Rule, name: str, unfinished: Collection[str]) -> Atom:
    for item in rule.body:
        if isinstance(item, Atom) and item.relation not in unfinished:
            terms = tuple(t if isinstance(t, Variable) and t.name == name else Wildcard() for t in item.terms)
            if any(isinstance(term, Variable) for term in terms):
                return Atom(item.relation, terms)
    return refuse(rule, f"no atom outside the braces, of another component, lists the values of {name}")


def groupings_of(plain: Iterable[PlainRules]) -> tuple[Grouping, ...]:
    """Return all groupings that some rules read."""
    return tuple(grouping for rules in plain for grouping in rules.groupings)
