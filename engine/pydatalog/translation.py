"""Translates rules to clauses of pyDatalog's engine, within the part of it that is known to be correct.

pyDatalog is correct only for programs of a certain shape; outside it, it is silently wrong or never ends. This module
brings each rule into that shape, or refuses it. Components are evaluated one by one, and a complete relation is stored
as plain tuples (a *table*) before anything reads it, which also saves pyDatalog from deriving it again for every query.
While a component is derived, its relations share one predicate, the *goal*, distinguished by a first column, and every
clause calls the goal with nothing bound. So the open goal is the only call that ever waits for another, and pyDatalog's
recursion cannot wait forever. A second recursive atom of a rule reads the tables instead, and the step repeats until
they stop growing. The order of evaluation is computed here a second time, not taken from ``stratification``, so that
the two evaluators share only the syntax.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal

from liqo_connectivity.engine.program.program import Program
from liqo_connectivity.engine.pydatalog.aggregates import Grouping, groupings_of, without_aggregates
from liqo_connectivity.engine.pydatalog.clauses import (
    ChildClause,
    ClauseTranslation,
    Position,
    Tables,
    padded,
    position_of,
    refuse,
    value_of,
    variable,
)
from liqo_connectivity.engine.syntax.functors import BUILTIN, CONSTRAINTS
from liqo_connectivity.engine.syntax.nodes import (
    Atom,
    Call,
    Comparison,
    Literal_,
    Negation,
    Rule,
    Wildcard,
    aggregate_of,
    subterms,
)


@dataclass(frozen=True, slots=True)
class GoalStep:
    """One goal to query: its arity, its clauses, and the table and arity for each value of column 0.

    ``repeat`` repeats the step until no table grows.
    """

    goal: str
    arity: int
    clauses: list[ChildClause]
    into: list[tuple[str, int]]
    repeat: bool


@dataclass(frozen=True, slots=True)
class AggregateStep:
    """An aggregate to compute: the table ``into`` gets a row for each group of the rows of ``source``.

    The first ``width`` columns identify the group; ``value`` is the aggregated column.
    """

    source: str
    into: str
    kind: Literal["count", "min", "max", "sum"]
    width: int
    value: int


@dataclass(frozen=True, slots=True)
class Translation:
    """The steps in order, the table of each relation that they need, and the arity of each table."""

    steps: list[GoalStep | AggregateStep]
    table_of: Mapping[str, str]
    arities: Mapping[str, int]


def translate(program: Program, relations: Iterable[str]) -> Translation:
    """Translate the rules that some relations need. Raises OracleError for a rule outside pyDatalog's safe part."""
    reached = _reachability(program.rules)
    needed = sorted({name for goal in relations for name in (goal, *reached.get(goal, ()))})
    # Numbers instead of names: no relation can collide with a built-in predicate of pyDatalog.
    table_of = {name: f"r{number}" for number, name in enumerate(needed)}
    arities = {table: len(program.schema.relations[name].columns) for name, table in table_of.items()}
    steps: list[GoalStep | AggregateStep] = []
    projections: dict[Position, str] = {}
    tables = Tables(table_of, arities, projections)
    number = count()

    def derive(names: list[str], rules: list[Rule]) -> None:
        for position in dict.fromkeys(p for rule in rules for p in _projected(rule)):
            if position not in projections:
                projections[position] = f"n{len(projections)}"
                step = _projection(position, table_of, projections[position], f"g{len(steps)}")
                arities[projections[position]] = step.into[0][1]
                steps.append(step)
        steps.append(_step(f"g{len(steps)}", names, rules, tables, reached))

    def fold(grouping: Grouping) -> None:
        for rule in grouping.rules:
            table_of[rule.head.relation] = f"a{len(table_of)}"
            arities[table_of[rule.head.relation]] = len(rule.head.terms)
            derive([rule.head.relation], [rule])
        into = table_of[grouping.groups] = f"a{len(table_of)}"
        arities[into] = grouping.width + 1
        steps.append(AggregateStep(table_of[grouping.instances], into, grouping.kind, grouping.width, grouping.value))

    for names in _components([name for name in needed if name in program.rules_by_head], reached):
        rules = [rule for name in names for rule in program.rules_by_head[name]]
        for rule in rules:
            _refuse_unsafe(rule, names, program)
        plain = [without_aggregates(rule, names, number) for rule in rules]
        for grouping in groupings_of(plain):
            fold(grouping)
        derive(names, [rule for rewritten in plain for rule in rewritten.rules])
    return Translation(steps, table_of, arities)


def _reachability(rules: Iterable[Rule]) -> dict[str, frozenset[str]]:
    """Return all relations that each derived relation depends on, itself included only if it is recursive."""
    direct: dict[str, set[str]] = {}
    for rule in rules:
        names = direct.setdefault(rule.head.relation, set())
        names |= {atom.relation for item in rule.body for atom in _atoms(item)}
    reached: dict[str, frozenset[str]] = {}
    for start, first in direct.items():
        seen, pending = set[str](), list(first)
        while pending:
            name = pending.pop()
            if name not in seen:
                seen.add(name)
                pending += direct.get(name, ())
        reached[start] = frozenset(seen)
    return reached


def _components(derived: Sequence[str], reached: Mapping[str, frozenset[str]]) -> list[list[str]]:
    """Group mutually dependent relations; a group with more dependencies comes later, so after all that it needs."""
    groups = {tuple(o for o in derived if o == n or (o in reached[n] and n in reached[o])) for n in derived}
    return [list(group) for group in sorted(groups, key=lambda group: (len(reached[group[0]] | {*group}), group))]


def _atoms(item: Literal_) -> list[Atom]:
    if isinstance(item, Comparison):
        aggregate = aggregate_of(item)
        return [atom for inner in aggregate.body for atom in _atoms(inner)] if aggregate else []
    return [item.atom if isinstance(item, Negation) else item]


def _refuse_unsafe(rule: Rule, component: Sequence[str], program: Program) -> None:
    for item in rule.body:
        if isinstance(item, Negation) and item.atom.relation in component:
            refuse(rule, f"{item.atom.relation} is negated before it is complete")
        for atom in _atoms(item) if isinstance(item, Comparison) else ():
            if atom.relation in component:
                refuse(rule, f"{atom.relation} is aggregated before it is complete")
    for term in (term for item in (rule.head, *rule.body) for term in subterms(item)):
        if isinstance(term, Call) and term.functor in CONSTRAINTS:
            refuse(rule, f"{term.functor} is not written a second time for it")
        if isinstance(term, Call) and program.functors[term.functor] is not BUILTIN.get(term.functor):
            refuse(rule, f"@{term.functor} is not a built-in functor, and only those are written a second time for it")


def _projected(rule: Rule) -> list[Position]:
    negated = [item.atom for item in rule.body if isinstance(item, Negation)]
    return [position_of(atom) for atom in negated if any(isinstance(t, Wildcard) for t in atom.terms)]


def _projection(position: Position, table_of: Mapping[str, str], table: str, goal: str) -> GoalStep:
    """Project a relation on the columns of a negation: ``!p(X, _)`` means ``!n(X)`` with ``n(X) :- p(X, _)``."""
    relation, *columns = position
    every = [variable(f"column {number}") for number in range(len(columns))]
    kept = [term for term, mark in zip(every, columns, strict=True) if not mark]
    clause: ChildClause = ((goal, [value_of(0), *kept]), [(table_of[relation], every)])
    return GoalStep(goal, 1 + len(kept), [clause], [(table, len(kept))], repeat=False)


def _step(
    goal: str, names: list[str], rules: list[Rule], tables: Tables, reached: Mapping[str, frozenset[str]]
) -> GoalStep:
    into = [(tables.of[name], tables.arities[tables.of[name]]) for name in names]
    width = max(arity for _, arity in into)
    clauses: list[ChildClause] = []
    repeat = False
    if names[0] in reached.get(names[0], ()):
        for number, (table, arity) in enumerate(into):
            row = [variable(f"column {column}") for column in range(arity)]
            clauses.append(((goal, padded([value_of(number), *row], width)), [(table, row)]))
    for rule in rules:
        clause = ClauseTranslation(rule, goal, width, names, tables)
        clauses.append(clause.translate())
        repeat = repeat or sum(isinstance(i, Atom) and i.relation in names for i in rule.body) > 1
    return GoalStep(goal, 1 + width, clauses, into, repeat)
