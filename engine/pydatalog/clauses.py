"""Translates one rule to one clause of pyDatalog's engine, with a body order that pyDatalog evaluates correctly.

pyDatalog runs a body from left to right as written: a negation or comparison before its variables are bound is silently
wrong or an error. So each condition comes as soon as its variables are bound, computed terms move out of atoms, and the
recursive atom is called with nothing bound.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from liqo_connectivity.engine.syntax.diagnostics import OracleError
from liqo_connectivity.engine.syntax.nodes import (
    Aggregate,
    Arithmetic,
    Atom,
    Call,
    Comparison,
    Constant,
    Literal_,
    Negation,
    Rule,
    Term,
    Value,
    Variable,
    Wildcard,
    variables,
)
from liqo_connectivity.engine.syntax.printer import format_rule

ChildTerm = list[str | int]
"""``["variable", name]`` or ``["value", value]``."""

ChildLiteral = tuple[str, list[ChildTerm]]
"""A predicate and its terms. ``~`` in front of a table negates it; ``compute f`` has the number of the rule as its
first term and the result as its last; ``==``, ``<`` and so on are pyDatalog's own."""

ChildClause = tuple[ChildLiteral, list[ChildLiteral]]
"""Head and body."""

Position = tuple[str, ...]
"""A negated relation, and for each column ``"_"`` if it is a wildcard, else ``""``."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables by relation, the projections by negated position, and the arity of each table by its name."""

    of: Mapping[str, str]
    arities: Mapping[str, int]
    projections: Mapping[Position, str]


def position_of(atom: Atom) -> Position:
    """Return the position of a negated atom."""
    return (atom.relation, *("_" if isinstance(t, Wildcard) else "" for t in atom.terms))


def refuse(rule: Rule, why: str) -> NoReturn:
    """Raise OracleError for a rule."""
    raise OracleError(f"pyDatalog cannot evaluate the rule at {rule.span}: {why}: {format_rule(rule)}")


def variable(name: str) -> ChildTerm:
    """Return a variable as the child reads it."""
    return ["variable", name]


def value_of(value: Value) -> ChildTerm:
    """Return a constant as the child reads it."""
    return ["value", value]


def padded(terms: list[ChildTerm], width: int) -> list[ChildTerm]:
    """Pad the row of a goal, which begins with the number of its relation, to the goal's width."""
    return terms + [value_of(0)] * (1 + width - len(terms))


@dataclass(slots=True)
class ClauseTranslation:
    """Translates one rule: conditions come as soon as they are bound, since pyDatalog runs bodies as written."""

    rule: Rule
    goal: str
    width: int
    names: list[str]
    tables: Tables
    known: set[str] = field(default_factory=set[str])
    body: list[ChildLiteral] = field(default_factory=list[ChildLiteral])
    conditions: list[Comparison | Negation] = field(default_factory=list[Comparison | Negation])
    fresh: int = 0

    def translate(self) -> ChildClause:
        """Return the clause. Raises OracleError."""
        self.conditions = [item for item in self.rule.body if not isinstance(item, Atom)]
        atoms = [item for item in self.rule.body if isinstance(item, Atom)]
        recursive = next((atom for atom in atoms if atom.relation in self.names), None)
        self._place_conditions()
        while atoms:
            # Atoms with more bound columns find their tuples by index; the goal has no index, so it comes first.
            chosen = recursive or max(atoms, key=self._boundness)
            atoms.remove(chosen)
            if chosen is recursive:
                self._place_goal(chosen)
            else:
                self._append(self.tables.of[chosen.relation], [self._argument(t) for t in chosen.terms])
                self.known.update(t.name for t in chosen.terms if isinstance(t, Variable))
            recursive = None
            self._place_conditions()
        if self.conditions:
            refuse(self.rule, "some of its variables are never bound")
        tag = value_of(self.names.index(self.rule.head.relation))
        head = [self._evaluated(term) for term in self.rule.head.terms]
        return (self.goal, padded([tag, *head], self.width)), self.body

    def _append(self, predicate: str, terms: list[ChildTerm]) -> None:
        self.body.append((predicate, terms))

    def _new(self) -> Variable:
        self.fresh += 1
        # No name in a program contains a space.
        return Variable(f"fresh {self.fresh}")

    def _is_bound(self, item: Term | Literal_) -> bool:
        return all(v.name in self.known for v in variables(item))

    def _boundness(self, atom: Atom) -> tuple[bool, int]:
        bound = [not isinstance(t, Wildcard) and self._is_bound(t) for t in atom.terms]
        waits = any(isinstance(t, Arithmetic | Call) and not self._is_bound(t) for t in atom.terms)
        return (not waits, sum(bound) + all(bound))

    def _argument(self, term: Term) -> ChildTerm:
        if isinstance(term, Variable):
            return variable(term.name)
        if isinstance(term, Wildcard):
            return variable(self._new().name)
        return self._evaluated(term) if self._is_bound(term) else self._deferred(term)

    def _deferred(self, term: Term) -> ChildTerm:
        """Accept any value here, and compare it once the term can be evaluated."""
        stand_in = self._new()
        self.known.add(stand_in.name)
        self.conditions.append(Comparison("=", stand_in, term))
        return variable(stand_in.name)

    def _place_goal(self, atom: Atom) -> None:
        terms: list[ChildTerm] = []
        self.conditions.insert(0, Comparison("=", tag := self._new(), Constant(self.names.index(atom.relation))))
        self.known.add(tag.name)
        for term in atom.terms:
            if isinstance(term, Wildcard) or (isinstance(term, Variable) and term.name not in self.known):
                terms.append(self._argument(term))
                self.known.update(v.name for v in variables(term))
            else:
                terms.append(self._deferred(term))
        terms += [variable(self._new().name) for _ in range(self.width - len(terms))]
        self._append(self.goal, [variable(tag.name), *terms])

    def _place_conditions(self) -> None:
        while ready := next((item for item in self.conditions if self._can_run(item)), None):
            self.conditions.remove(ready)
            if isinstance(ready, Negation):
                self._place_negation(ready.atom)
            else:
                self._place_comparison(ready)

    def _can_run(self, item: Comparison | Negation) -> bool:
        if self._is_bound(item):
            return True
        if isinstance(item, Negation) or item.operator != "=":
            return False
        sides = ((item.left, item.right), (item.right, item.left))
        return any(isinstance(target, Variable) and self._is_bound(other) for target, other in sides)

    def _place_negation(self, atom: Atom) -> None:
        table = self.tables.projections.get(position_of(atom), self.tables.of[atom.relation])
        self._append(f"~{table}", [self._evaluated(t) for t in atom.terms if not isinstance(t, Wildcard)])

    def _place_comparison(self, item: Comparison) -> None:
        for target, other in ((item.left, item.right), (item.right, item.left)):
            if isinstance(target, Variable) and target.name not in self.known:
                self.known.add(target.name)
                if isinstance(other, Arithmetic | Call):
                    self._compute(other, variable(target.name))
                else:
                    self._append("==", [variable(target.name), self._evaluated(other)])
                return
        operator = "==" if item.operator == "=" else item.operator
        self._append(operator, [self._evaluated(item.left), self._evaluated(item.right)])

    def _evaluated(self, term: Term) -> ChildTerm:
        match term:
            case Constant(value=value):
                return value_of(value)
            case Variable(name=name):
                return variable(name)
            case Arithmetic() | Call():
                result = variable(self._new().name)
                self._compute(term, result)
                return result
            case Wildcard():
                refuse(self.rule, "_ has no value")
            case Aggregate():
                refuse(self.rule, "an aggregate stands where a value is needed")

    def _compute(self, term: Arithmetic | Call, result: ChildTerm) -> None:
        name = term.operator if isinstance(term, Arithmetic) else term.functor
        operands = (term.left, term.right) if isinstance(term, Arithmetic) else term.arguments
        values = [self._evaluated(operand) for operand in operands]
        self._append(f"compute {name}", [value_of(self.rule.number), *values, result])
