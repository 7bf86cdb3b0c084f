"""The rules of a program, joined backwards over one model, and how low a proof can be at best.

Rules are compiled when a tuple of their head is first asked about, and kept. The lower bounds are those of the relations
themselves, by Knuth's grammar problem (1977) over relations instead of tuples: a relation without rules, or with given
rows, starts at 0, and a rule gives one more than the highest of what it needs. In a recursive component the rank of
each tuple says more: how many steps it takes within the component at least. This module must not know how proofs are
searched.
"""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Final

from liqo_connectivity.engine.program.program import Program
from liqo_connectivity.engine.proofs.model_access import Access
from liqo_connectivity.engine.proofs.premises import Premises
from liqo_connectivity.engine.proofs.proof import Proof
from liqo_connectivity.engine.proofs.rule_instances import BackwardJoin, Instance, Tuple
from liqo_connectivity.engine.syntax.functors import Functor
from liqo_connectivity.engine.syntax.nodes import Atom, Constant, Literal_, Row, Rule, aggregate_of

NEVER: Final = 2**62
"""The height of what has no proof."""
_GROWTH: Final = 2
"""By how many times the tables grow or shrink until joins are planned anew."""

_KEPT: Final = 10_000
"""How many proofs are kept between changes: some megabytes."""


class Derivation:
    """A rule, joined backwards. ``least`` is the least height that it can give to a tuple, ``lowest`` that of its kind."""

    def __init__(
        self, rule: Rule, least: int, derived: frozenset[str], access: Access, functors: Mapping[str, Functor]
    ) -> None:
        self.rule = rule
        self.number = rule.number
        self.least = least
        self.lowest = int(bool(rule.body))
        self._constants = [(c, term.value) for c, term in enumerate(rule.head.terms) if isinstance(term, Constant)]
        self._derived = derived
        self._access = access
        self._functors = functors

    @cached_property
    def _body(self) -> BackwardJoin:
        return BackwardJoin(self.rule.head, self.rule.body, self._derived, self._access, self._functors)

    @cached_property
    def premises(self) -> Premises:
        """The premises of its instances."""
        return Premises(self._body, self._functors, self._access)

    def prepare(self) -> None:
        """Compile it, and build the indexes that it reads; otherwise the first question about its head does."""
        _ = self.premises

    def instances(self, row: Row) -> list[Instance]:
        """List the instances that derive a row."""
        # Rules often differ by a constant in the head: those that are never asked for are never compiled.
        for column, value in self._constants:
            if row[column] != value:
                return []
        return self._body.instances(row)


class Derivations:
    """The derivations of all relations of a model, made when asked for. ``version`` is the model's, if it changes."""

    def __init__(self, program: Program, access: Access, version: int = 0) -> None:
        self._program = program
        self._access = access
        self._derived = frozenset(program.rules_by_head)
        self._own = {name: component for component in program.components for name in component.relations}
        self._made: dict[str, tuple[Derivation, ...]] = {}
        self._floors: dict[str, _Floor] = {}
        self._least: dict[str, int] = {}
        self._size = 0
        self.given: dict[str, Collection[Row]] = {}
        """The rows that were given for relations with rules, where there are any."""
        self.version = version
        self._built: dict[Tuple, Proof] = {}
        self.follow(version)

    def follow(self, version: int) -> None:
        """Take note of changes: rows given for derived relations change the bounds, and much growth the best plans."""
        given = {name: rows for name in self._own if (rows := self._access.given(name))}
        size = self._access.size()
        grown = max(size, self._size) > _GROWTH * min(size, self._size)
        if grown or given.keys() != self.given.keys() or not self._least:
            self._least = _least_heights(self._program, given)
            self._made, self._floors, self._size = {}, {}, size
        self.given, self.version, self._built = given, version, {}

    def built(self) -> dict[Tuple, Proof]:
        """Give the least proofs that were built since the last change, to be added to; it begins anew when full."""
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
            for derivation in self.of(name):
                derivation.prepare()
                pending += _shown(derivation.rule.body)

    def holds(self, goal: Tuple) -> bool:
        """Tell whether a tuple holds."""
        return goal[1] in self._access.rows(goal[0])

    def is_given(self, goal: Tuple) -> bool:
        """Tell whether a tuple needs no rule."""
        relation, row = goal
        return relation not in self._derived or (relation in self.given and row in self.given[relation])

    def of(self, relation: str) -> tuple[Derivation, ...]:
        """Give the derivations of a relation that has rules, in the order of the rules."""
        found = self._made.get(relation)
        if found is None:
            found = self._made[relation] = tuple(map(self._derivation, self._program.rules_by_head[relation]))
        return found

    def _derivation(self, rule: Rule) -> Derivation:
        least = _least_height(rule, self._least)
        return Derivation(rule, least, self._derived, self._access, self._program.functors)

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
        return {name: (ranks, more) for name, ranks in self._access.ranks(component).items()}


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
