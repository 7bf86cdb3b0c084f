"""The data flow of a program: which occurrence of a relation feeds which rule, and in what order.

A negation with ``_`` tests a projection of a relation. Counting (Gupta, Mumick and Subrahmanian 1993) needs a count for
each row of that projection, so ``!p(X, _)`` becomes ``!p[0](X)`` with the rule ``p[0](X) :- p(X, _)``; a program cannot
write brackets, so no name clashes. A positive atom in a join is projected too, to the columns that the rest of the rule
reads: otherwise the join would visit and count every row that it matches, once for each choice of the other atoms.
"""

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Final, NamedTuple

from liqo_connectivity.engine.plan.aggregate_rewriting import GENERATED, Group, expand
from liqo_connectivity.engine.program.program import Program
from liqo_connectivity.engine.program.stratification import Component, dependencies
from liqo_connectivity.engine.syntax.nodes import (
    Aggregate,
    Atom,
    Comparison,
    Literal_,
    Negation,
    Rule,
    Term,
    Variable,
    Wildcard,
    aggregate_of,
    variables,
)

_FEW: Final = 10
"""The most facts in the text that a small relation has: scanning them costs no more than a lookup."""


class Occurrence(NamedTuple):
    """A place where a rule reads a relation: the literal at ``position`` of its body, or one inside an aggregate there.

    An aggregate left in a rule can take any value when its input changes. It is both a positive and a negative
    occurrence, so that the joins find the instances before the change and those after it.
    """

    rule: Rule
    position: int
    inside: int | None = None

    @property
    def atom(self) -> Atom:
        """The atom that reads the relation."""
        item = self.rule.body[self.position]
        aggregate = aggregate_of(item)
        if aggregate is not None and self.inside is not None:
            item = aggregate.body[self.inside]
        item = item.atom if isinstance(item, Negation) else item
        assert isinstance(item, Atom)
        return item


class Reads(NamedTuple):
    """Where rules read each relation: in an atom (``positive``) or a negation (``negative``), or within its component."""

    positive: Mapping[str, tuple[Occurrence, ...]]
    negative: Mapping[str, tuple[Occurrence, ...]]
    inner: Mapping[str, tuple[Occurrence, ...]]


@dataclass(frozen=True)
class Dataflow:
    """A program's relations, projections and groups in evaluation order, and the rules that read each.

    ``numbers`` gives each relation's place in that order: relations without rules come first, and those of one
    recursive component share a number. ``recursive`` relations depend on themselves, ``groups`` belong to aggregates,
    ``small`` ones hold a few facts of the text, and nothing else unless a caller adds it.
    """

    program: Program
    components: tuple[Component, ...]
    numbers: Mapping[str, int]
    recursive: frozenset[str]
    groups: Mapping[str, Group]
    small: frozenset[str]

    @classmethod
    def of(cls, program: Program) -> "Dataflow":
        """Build the data flow of a program."""
        own = {name: component.relations for component in program.components for name in component.relations}
        rules, groups = expand(program.rules, own)
        projections: dict[str, Rule] = {}
        rules = [_project(rule, own.get(rule.head.relation, ()), groups, projections) for rule in rules]
        components = _with_generated(program.components, [*rules, *projections.values()])
        derived = {name for component in components for name in component.relations}
        order: list[tuple[str, ...]] = [(name,) for name in program.schema.relations if name not in derived]
        order += [component.relations for component in components]
        numbers = {name: number for number, names in enumerate(order) for name in names}
        recursive = frozenset(name for component in components if component.recursive for name in component.relations)
        return cls(program, components, numbers, recursive, groups, _small(program))

    @cached_property
    def reads(self) -> Reads:
        """The readers of each relation, which a change needs and a load does not."""
        return _reads(self.components, self.numbers)

    def inner_reads(self, relation: str) -> tuple[Occurrence, ...]:
        """List where rules of a relation's own recursive component read it, which a load needs too."""
        own = [component for component in self.components if relation in component.relations]
        return _reads(own, self.numbers).inner.get(relation, ())

    def readers(self, relation: str) -> tuple[Occurrence, ...]:
        """List where rules of other components read a relation."""
        return (*self.reads.positive.get(relation, ()), *self.reads.negative.get(relation, ()))

    def changing(self) -> frozenset[str]:
        """Return the relations that can change when the program's ``.input`` relations do; all, if it has none."""
        inputs: Iterable[str] = self.program.schema.inputs or self.numbers
        found: set[str] = set()
        pending = list(inputs)
        while pending:
            name = pending.pop()
            if name not in found:
                found.add(name)
                reads = (*self.readers(name), *self.reads.inner.get(name, ()))
                pending += [occurrence.rule.head.relation for occurrence in reads]
        return frozenset(found)


def _reads(components: Iterable[Component], numbers: Mapping[str, int]) -> Reads:
    positive, negative, inner = (dict[str, tuple[Occurrence, ...]]() for _ in range(3))
    for rule in (rule for component in components for rule in component.rules):
        for position, item in enumerate(rule.body):
            if isinstance(item, Atom | Negation):
                name = relation_of(item)
                within = numbers[name] == numbers[rule.head.relation]
                reads = inner if within else positive if isinstance(item, Atom) else negative
                reads[name] = (*reads.get(name, ()), Occurrence(rule, position))
                continue
            aggregate = aggregate_of(item)
            for inside, literal in enumerate(aggregate.body if aggregate else ()):
                if isinstance(literal, Atom | Negation):
                    for reads in (positive, negative):
                        found = reads.get(relation_of(literal), ())
                        reads[relation_of(literal)] = (*found, Occurrence(rule, position, inside))
    return Reads(positive, negative, inner)


def _with_generated(components: Iterable[Component], rules: Iterable[Rule]) -> tuple[Component, ...]:
    """Insert generated relations into a program's components, each before its first reader.

    None is recursive: what it projects or groups is complete before the rule that reads it is evaluated.
    """
    by_head: dict[str, list[Rule]] = {}
    for rule in rules:
        by_head.setdefault(rule.head.relation, []).append(rule)
    reads = dependencies(rule for own in by_head.values() for rule in own)
    stratum = {name: component.stratum for component in components for name in component.relations}
    ordered: list[Component] = []

    def place_generated(names: Iterable[str]) -> None:
        for name in names:
            if name not in stratum and name in by_head:
                place_generated(reads[name])
                level = max(
                    (stratum.get(below, 0) + (whole is not None) for below, whole in reads[name].items()), default=0
                )
                stratum[name] = level
                ordered.append(Component((name,), tuple(by_head[name]), False, level))

    for component in components:
        place_generated(source for name in component.relations for source in reads[name])
        own = sorted((rule for name in component.relations for rule in by_head[name]), key=lambda rule: rule.number)
        ordered.append(Component(component.relations, tuple(own), component.recursive, component.stratum))
    return tuple(ordered)


def _small(program: Program) -> frozenset[str]:
    facts = {name for name, own in program.rules_by_head.items() if len(own) <= _FEW and not any(r.body for r in own)}
    return frozenset(facts).difference(program.schema.inputs)


def _project(rule: Rule, own: Container[str], groups: Mapping[str, Group], projections: dict[str, Rule]) -> Rule:
    # A group relation counts every row, so its atoms are not projected.
    joins = sum(isinstance(item, Atom) for item in rule.body) > 1 and rule.head.relation not in groups
    read = _columns_read(rule, own) if joins else {}
    body: list[Literal_] = []
    for place, item in enumerate(rule.body):
        match item:
            case Atom() if place in read:
                body.append(_projection(item, read[place], projections))
            case Comparison(left=left, right=Aggregate(kind=kind, target=target, body=inner, outer=outer, span=span)):
                inner = tuple(projected(literal, projections) for literal in inner)
                body.append(Comparison("=", left, Aggregate(kind, target, inner, outer, span), item.span))
            case _:
                body.append(projected(item, projections))
    return Rule(rule.number, rule.head, tuple(body), rule.span)


def _columns_read(rule: Rule, own: Container[str]) -> dict[int, list[int]]:
    """Return the places of the atoms to project, with the columns that the rest of the rule reads."""
    used = [[v.name for v in variables(item)] for item in rule.body]
    uses = Counter(chain((v.name for v in variables(rule.head)), *used))
    atoms = {place: item for place, item in enumerate(rule.body) if isinstance(item, Atom)}
    names: dict[int, set[str]] = {}
    found: dict[int, list[int]] = {}
    for place, atom in atoms.items():
        own_uses = [term.name for term in atom.terms if isinstance(term, Variable)]
        names[place] = {name for name in used[place] if own_uses.count(name) < uses[name]}
        if atom.relation not in own:
            found[place] = [column for column, term in enumerate(atom.terms) if _is_read(term, names[place])]
    for place, columns in found.items():
        others = (names[other] for other in atoms if other != place)
        if len(columns) == len(atoms[place].terms) - 1 and all(read <= names[place] for read in others):
            # One row of this atom fits one choice of the other rows: a projection would take memory and save nothing.
            del found[place]
            break
    return {place: columns for place, columns in found.items() if len(columns) < len(atoms[place].terms)}


def _is_read(term: Term, names: Container[str]) -> bool:
    return not isinstance(term, Wildcard) and (not isinstance(term, Variable) or term.name in names)


def projected(item: Literal_, projections: dict[str, Rule]) -> Literal_:
    """Make a negation with ``_`` read a projection, added to ``projections``; other literals stay."""
    if isinstance(item, Negation) and _open_columns(item.atom):
        kept = [column for column, term in enumerate(item.atom.terms) if not isinstance(term, Wildcard)]
        return Negation(_projection(item.atom, kept, projections), item.span)
    return item


def relation_of(item: Atom | Negation) -> str:
    """Return the relation that a literal reads."""
    return item.relation if isinstance(item, Atom) else item.atom.relation


def _open_columns(atom: Atom) -> int:
    return sum(isinstance(term, Wildcard) for term in atom.terms)


def _projection(atom: Atom, kept: Sequence[int], projections: dict[str, Rule]) -> Atom:
    first: dict[Term, int] = {}
    # Two columns with one variable that no other literal reads must be equal: that becomes part of the name.
    equal = [
        (first.setdefault(term, column), column)
        for column, term in enumerate(atom.terms)
        if column not in kept and isinstance(term, Variable)
    ]
    tests = "".join(f" {one}={other}" for one, other in equal if one != other)
    name = f"{atom.relation}[{','.join(map(str, kept))}]{tests}"
    if name not in projections:
        place_of = {other: one for one, other in equal}
        terms = [
            Variable(f"C{place_of.get(column, column)}") if column in kept or column in place_of else Wildcard()
            for column in range(len(atom.terms))
        ]
        head = Atom(name, tuple(terms[column] for column in kept), atom.span)
        projections[name] = Rule(GENERATED, head, (Atom(atom.relation, tuple(terms), atom.span),), atom.span)
    return Atom(name, tuple(atom.terms[column] for column in kept), atom.span)
