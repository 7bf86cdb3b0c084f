"""The rules of a program, joined backwards over one model, and how low a proof can be at best.

Rules are compiled when a tuple of their head is first asked about, and kept. The lower bounds are those of the relations
themselves, by Knuth's grammar problem (1977) over relations instead of tuples: a relation without rules, or with given
rows, starts at 0, and a rule gives one more than the highest of what it needs. In a recursive component the rank of
each tuple says more: how many steps within the component it takes at least.
"""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from typing import Final

from liqo_connectivity.engine.program.program import Program
from liqo_connectivity.engine.program.stratification import Component
from liqo_connectivity.engine.proofs.backward_rule import NEVER, BackwardRule
from liqo_connectivity.engine.proofs.derivation_graph import Choice, DerivationGraph, least_heights
from liqo_connectivity.engine.proofs.proof import Proof
from liqo_connectivity.engine.proofs.rule_instances import Tuple
from liqo_connectivity.engine.storage.model import Model
from liqo_connectivity.engine.syntax.nodes import Atom, Literal_, Row, Rule, aggregate_of

_GROWTH: Final = 2
"""By how many times the tables grow or shrink until joins are planned again."""

_KEPT: Final = 10_000
"""How many proofs are kept between changes: some megabytes."""


class BackwardRules:
    """The rules for all relations of a model, compiled when asked for. ``version`` is that of the model they follow.

    They are bound to the model's ``tables``, and good for as long as these.
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
        """The rows that were given for relations with rules, where there are any."""
        self.version = model.version
        self._built: dict[Tuple, Proof] = {}
        self.follow(model.version)

    def follow(self, version: int) -> None:
        """Follow the model's changes: rows given for derived relations change the bounds, and much growth the best plans."""
        given: dict[str, Collection[Row]] = {name: rows for name in self._own if (rows := self.tables[name].given)}
        # A copy: a reader of another part of a fixed model may be adding a table.
        size = sum([len(table.rows) for table in list(self.tables.values())])
        grown = max(size, self._size) > _GROWTH * min(size, self._size)
        if grown or given.keys() != self.given.keys() or not self._least:
            self._least = _least_heights(self._program, given)
            self._made, self._floors, self._size = {}, {}, size
        self.given, self.version, self._built = given, version, {}

    def built(self) -> dict[Tuple, Proof]:
        """Give the least proofs that were built since the last change, to be added to; it is emptied when full."""
        if len(self._built) > _KEPT:
            self._built = {}
        return self._built

    def prepare(self, relations: Iterable[str]) -> None:
        """Compile the rules that proofs of tuples of some relations can go through, and build their indexes."""
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
        """Tell whether a tuple needs no rule."""
        relation, row = goal
        return relation not in self._derived or (relation in self.given and row in self.given[relation])

    def of(self, relation: str) -> tuple[BackwardRule, ...]:
        """Give the rules of a relation that has some, in their order."""
        found = self._made.get(relation)
        if found is None:
            found = self._made[relation] = tuple(map(self._compiled, self._program.rules_by_head[relation]))
        return found

    def choices(self, goal: Tuple) -> list[Choice]:
        """List the ways to derive a tuple, in the order of rules and needs; their heights are not known yet."""
        relation, row = goal
        return [
            Choice(rule.lowest, rule, instance)
            for rule in self.of(relation)
            for instance in sorted(rule.instances(row))
        ]

    def _compiled(self, rule: Rule) -> BackwardRule:
        least = _least_height(rule, self._least)
        return BackwardRule(rule, least, self._derived, self.tables, self._program.functors)

    def floor(self, relation: str) -> "_Floor":
        """Give the ranks of a relation, ``None`` if it does not recurse, and what is added to them."""
        found = self._floors.get(relation)
        if found is None:
            for name, floor in self._component_floors(relation).items():
                found = self._floors.setdefault(name, floor)
            found = self._floors[relation]
        return found

    def at_least(self, goal: Tuple) -> int:
        """Give a height that no proof of a tuple stays below."""
        ranks, least = self.floor(goal[0])
        return least if ranks is None else ranks[goal[1]] + least

    def is_lower(self, need: Tuple, goal: Tuple) -> bool:
        """Tell whether a tuple comes before another in every order: by component, or by rank within a recursive one."""
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
        # A rank counts a rule that does not recurse as 1, however high what it needs is.
        more = max(0, min(self._least[name] for name in component.relations) - 1)
        return {name: (ranks, more) for name, ranks in self._ranks(component).items()}

    def _ranks(self, component: Component) -> Mapping[str, Mapping[Row, int]]:
        """Give the rank of each row of a recursive component, by relation; see ``incremental.rank_maintenance``."""
        names = component.relations
        if self._ranked:
            return {name: self.tables[name].rows for name in names}
        graph: DerivationGraph = {}
        for name in names:
            for row in self.tables[name].rows:
                choices = [] if self.is_given((name, row)) else self.choices((name, row))
                graph[name, row] = [_within(choice, names) for choice in choices]
        ranks: dict[str, dict[Row, int]] = {name: {} for name in names}
        for (name, row), rank in least_heights(graph).items():
            ranks[name][row] = rank
        return ranks


def _within(choice: Choice, component: Container[str]) -> Choice:
    """Leave out what is needed from below the component: in a rank it counts as nothing."""
    height, rule, instance = choice
    assert instance is not None
    needs, left, values, witnesses = instance
    return Choice(height, rule, (needs, tuple(need for need in left if need[0] in component), values, witnesses))


_Floor = tuple[Mapping[Row, int] | None, int]


def _least_heights(program: Program, given: Container[str]) -> dict[str, int]:
    """Give the least height that a tuple of each relation with rules can have."""
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
    """Give the relations of which a proof can show a tuple."""
    for item in body:
        aggregate = aggregate_of(item)
        if isinstance(item, Atom):
            yield item.relation
        elif aggregate is not None:
            yield from _shown(aggregate.body)


def _needed(body: Iterable[Literal_]) -> Iterator[str]:
    """Give the relations of which an instance always needs a tuple; a ``count`` may have nothing to show."""
    for item in body:
        aggregate = aggregate_of(item)
        if isinstance(item, Atom):
            yield item.relation
        elif aggregate is not None and aggregate.kind != "count":
            yield from _needed(aggregate.body)
