"""The rules of a program, joined backwards over one model, and lower bounds for the heights of proofs.

A rule is compiled at the first question about a tuple of its head, and kept. The bounds are those of relations, by
Knuth's grammar problem (1977) over relations instead of tuples: a relation without rules, or with given rows, has 0,
and a rule gives one more than the highest relation that it needs. In a recursive component, a tuple's rank gives a
better bound: the least number of steps within the component.
"""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from typing import Final

from liqo_connectivity.engine.program.program import Program
from liqo_connectivity.engine.program.stratification import Component
from liqo_connectivity.engine.proofs.allowance import NEVER, Allowance, Barred
from liqo_connectivity.engine.proofs.backward_rule import BackwardRule
from liqo_connectivity.engine.proofs.derivation_graph import Choice, DerivationGraph, least_heights
from liqo_connectivity.engine.proofs.proof import Proof
from liqo_connectivity.engine.proofs.rule_instances import Tuple
from liqo_connectivity.engine.storage.model import Model
from liqo_connectivity.engine.syntax.nodes import Atom, Literal_, Row, Rule, aggregate_of

_GROWTH: Final = 2
"""Joins are planned again when the tables have grown or shrunk by more than this factor."""

_KEPT: Final = 10_000
"""The number of proofs kept between changes: some megabytes."""


class BackwardRules:
    """The rules for all relations of a model, compiled on demand. ``version`` is the model's version that they follow.

    They are bound to the model's ``tables``, and valid as long as the model keeps these.
    """

    def __init__(self, model: Model) -> None:
        self._program = program = model.program
        self._ranked = model.ranked
        self.tables = model.tables
        self._derived = frozenset(program.rules_by_head)
        self._own = {name: component for component in program.components for name in component.relations}
        self._made: dict[str, tuple[BackwardRule, ...]] = {}
        self._floors: dict[str, _Floor] = {}
        self._least: dict[str, int] = {}
        self._size = 0
        self.given: dict[str, Collection[Row]] = {}
        """The rows given for relations with rules; relations without such rows are left out."""
        self.version = model.version
        self._built: dict[Tuple, Proof] = {}
        self.follow(model.version)

    def follow(self, version: int) -> None:
        """Follow the model's changes: given rows of derived relations change the bounds, much growth the best plans."""
        given: dict[str, Collection[Row]] = {name: rows for name in self._own if (rows := self.tables[name].given)}
        # A copy: another thread that reads a fixed model may add a table meanwhile.
        size = sum([len(table.rows) for table in list(self.tables.values())])
        grown = max(size, self._size) > _GROWTH * min(size, self._size)
        if grown or given.keys() != self.given.keys() or not self._least:
            self._least = _least_heights(self._program, given)
            self._made, self._floors, self._size = {}, {}, size
        self.given, self.version, self._built = given, version, {}

    def built(self) -> dict[Tuple, Proof]:
        """Return the least proofs built since the last change, for the caller to extend; when full, it starts empty."""
        if len(self._built) > _KEPT:
            self._built = {}
        return self._built

    def prepare(self, relations: Iterable[str]) -> None:
        """Compile the rules that proofs of some relations' tuples can use, and build their indexes."""
        seen: set[str] = set()
        pending = list(relations)
        while pending:
            name = pending.pop()
            if name in seen or name not in self._derived:
                continue
            seen.add(name)
            for rule in self.of(name):
                rule.prepare()
                pending += _shown(rule.rule.body)

    def is_given(self, goal: Tuple) -> bool:
        """Return whether a tuple needs no rule."""
        relation, row = goal
        return relation not in self._derived or (relation in self.given and row in self.given[relation])

    def of(self, relation: str) -> tuple[BackwardRule, ...]:
        """Return the rules of a derived relation, in program order."""
        found = self._made.get(relation)
        if found is None:
            found = self._made[relation] = tuple(map(self._compiled, self._program.rules_by_head[relation]))
        return found

    def choices(self, goal: Tuple, allowance: Allowance) -> list[Choice]:
        """List the ways to derive a tuple, in the order of rules and needs, without their heights.

        Raises OverBudgetError.
        """
        relation, row = goal
        return [
            Choice(rule.lowest, rule, instance)
            for rule in self.of(relation)
            for instance in sorted(rule.instances(row, allowance))
        ]

    def _compiled(self, rule: Rule) -> BackwardRule:
        least = _least_height(rule, self._least)
        component = self._own[rule.head.relation]
        within = frozenset(component.relations) if component.recursive else frozenset[str]()
        return BackwardRule(rule, least, self._derived, self.tables, self._program.functors, within)

    def floor(self, relation: str) -> "_Floor":
        """Return the ranks of a relation, ``None`` if it is not recursive, and the number to add to them."""
        found = self._floors.get(relation)
        if found is None:
            for name, floor in self._component_floors(relation).items():
                found = self._floors.setdefault(name, floor)
            found = self._floors[relation]
        return found

    def at_least(self, goal: Tuple) -> int:
        """Return a lower bound of the height of a tuple's proofs."""
        ranks, least = self.floor(goal[0])
        return least if ranks is None else ranks[goal[1]] + least

    def barred(self, goal: Tuple) -> Mapping[str, Barred]:
        """Return the rows of a tuple's recursive component that do not precede it; nothing outside recursion."""
        ranks, _ = self.floor(goal[0])
        if ranks is None:
            return {}
        limit = ranks[goal[1]]
        floors = {name: self.floor(name)[0] for name in self._own[goal[0]].relations}
        return {name: Barred(others, limit) for name, others in floors.items() if others is not None}

    def is_lower(self, need: Tuple, goal: Tuple) -> bool:
        """Return whether a tuple precedes another: by component, or by rank within a recursive component."""
        own = self._own.get(need[0])
        if own is not self._own[goal[0]]:
            return True
        ranks, _ = self.floor(need[0])
        others, _ = self.floor(goal[0])
        return ranks is not None and others is not None and ranks[need[1]] < others[goal[1]]

    def _component_floors(self, relation: str) -> "dict[str, _Floor]":
        component = self._own.get(relation)
        if component is None or not component.recursive:
            return {relation: (None, self._least.get(relation, 0))}
        # A rank counts a rule that does not recurse as 1, however high its premises are.
        more = max(0, min(self._least[name] for name in component.relations) - 1)
        return {name: (ranks, more) for name, ranks in self._ranks(component).items()}

    def _ranks(self, component: Component) -> Mapping[str, Mapping[Row, int]]:
        """Return the rank of each row of a recursive component, by relation; see ``incremental.rank_maintenance``."""
        names = component.relations
        if self._ranked:
            return {name: self.tables[name].rows for name in names}
        graph: DerivationGraph = {}
        for name in names:
            for row in self.tables[name].rows:
                choices = [] if self.is_given((name, row)) else self.choices((name, row), Allowance(None))
                graph[name, row] = [_within(choice, names) for choice in choices]
        ranks: dict[str, dict[Row, int]] = {name: {} for name in names}
        for (name, row), rank in least_heights(graph).items():
            ranks[name][row] = rank
        return ranks


def _within(choice: Choice, component: Container[str]) -> Choice:
    """Drop the needs from below the component, which a rank ignores."""
    height, rule, instance = choice
    assert instance is not None
    needs, left, values, witnesses = instance
    return Choice(height, rule, (needs, tuple(need for need in left if need[0] in component), values, witnesses))


_Floor = tuple[Mapping[Row, int] | None, int]


def _least_heights(program: Program, given: Container[str]) -> dict[str, int]:
    """Return, for each relation with rules, a lower bound of the heights of its tuples."""
    least: dict[str, int] = {}
    for component in program.components:
        least |= {name: 0 if name in given else NEVER for name in component.relations}
        changed = True
        while changed:
            changed = False
            for rule in component.rules:
                height = _least_height(rule, least)
                if height < least[rule.head.relation]:
                    least[rule.head.relation], changed = height, True
    return least


def _least_height(rule: Rule, least: Mapping[str, int]) -> int:
    return 1 + max((least.get(name, 0) for name in _needed(rule.body)), default=0) if rule.body else 0


def _shown(body: Iterable[Literal_]) -> Iterator[str]:
    """Yield the relations whose tuples a proof can show."""
    for item in body:
        if isinstance(item, Atom):
            yield item.relation
        elif aggregate := aggregate_of(item):
            yield from _shown(aggregate.body)


def _needed(body: Iterable[Literal_]) -> Iterator[str]:
    """Yield the relations of which every instance needs a tuple; a ``count`` or ``sum`` may need none."""
    for item in body:
        if isinstance(item, Atom):
            yield item.relation
        elif (aggregate := aggregate_of(item)) and not aggregate.adds:
            yield from _needed(aggregate.body)
