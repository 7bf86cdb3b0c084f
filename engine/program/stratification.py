"""Stratification: which relations depend on which, in components, each evaluated after all that it needs.

A relation that depends on itself through a negation or an aggregate has no meaning; the cycle is found here and printed.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import islice
from typing import Final

from liqo_connectivity.engine.syntax.diagnostics import Diagnostic
from liqo_connectivity.engine.syntax.nodes import Aggregate, Atom, Literal_, Negation, Rule, aggregate_of

Reads = Mapping[str, Mapping[str, Negation | Aggregate | None]]
"""What each relation is derived from, itself a key. If a relation has to be complete first, its value says why."""

_CYCLES: Final = 10
"""How many cycles are printed of relations that all depend on each other."""


@dataclass(frozen=True, slots=True)
class Component:
    """Relations that depend on each other, the rules that derive them, and the stratum they are in.

    ``recursive`` tells whether any of them depends on itself. ``stratum`` counts the negations and aggregates below,
    from 0.
    """

    relations: tuple[str, ...]
    rules: tuple[Rule, ...]
    recursive: bool
    stratum: int


def dependencies(rules: Iterable[Rule]) -> Reads:
    """Give the relations that each relation is derived from: none, if no rule derives it."""
    found: dict[str, dict[str, Negation | Aggregate | None]] = {}
    for rule in rules:
        own = found.setdefault(rule.head.relation, {})
        for item in rule.body:
            for relation, whole in _reads(item):
                found.setdefault(relation, {})
                own[relation] = own.get(relation) or whole
    return found


def _reads(item: Literal_) -> Iterator[tuple[str, Negation | Aggregate | None]]:
    """Give the relations that a literal reads, each with the negation or aggregate that needs the whole of it."""
    aggregate = aggregate_of(item)
    if isinstance(item, Atom):
        yield item.relation, None
    elif isinstance(item, Negation):
        yield item.atom.relation, item
    elif aggregate:
        yield from ((relation, aggregate) for inner in aggregate.body for relation, _ in _reads(inner))


def check_stratification(rules: Iterable[Rule]) -> list[Diagnostic]:
    """Report each negation and aggregate that lies on a cycle (DL007), with the cycle."""
    reads = dependencies(rules)
    found: list[Diagnostic] = []
    for names in map(frozenset, _strongly_connected(reads)):
        edges = sorted((source, target) for target in names for source in reads[target] if source in names)
        wholes = ((*edge, item) for edge in edges if (item := reads[edge[1]][edge[0]]) is not None)
        for source, target, item in islice(wholes, _CYCLES):
            cycle = " <- ".join([target, *reversed(_path(edges, target, source))])
            if isinstance(item, Negation):
                own, needs, done = "negation", f"!{source}", "negated"
            else:
                own, needs, done = item.kind, f"the {item.kind} over {source}", "aggregated"
            message = f"{target} depends on its own {own}"
            note = f"the cycle: {cycle}, where {target} needs {needs}"
            hint = f"a relation must be complete before it is {done}: break the cycle"
            found.append(Diagnostic("DL007", "error", message, item.span, note, hint))
    return found


def components(rules: Iterable[Rule]) -> tuple[Component, ...]:
    """Order the derived relations so that each component follows all that it needs; the order is deterministic."""
    rules = tuple(rules)
    reads = dependencies(rules)
    by_head: dict[str, list[Rule]] = {}
    for rule in rules:
        by_head.setdefault(rule.head.relation, []).append(rule)
    stratum: dict[str, int] = {}
    ordered: list[Component] = []
    for names in _in_order(reads):
        edges = [edge for name in names for edge in reads[name].items()]
        inside = frozenset(names)
        below = [stratum[source] + (item is not None) for source, item in edges if source not in inside]
        level = max(below, default=0)
        stratum.update(dict.fromkeys(names, level))
        own = tuple(sorted((r for name in names for r in by_head.get(name, [])), key=lambda r: r.number))
        if own:
            recursive = len(names) > 1 or any(name in reads[name] for name in names)
            ordered.append(Component(names, own, recursive, level))
    return tuple(ordered)


def needed_relations(rules: Iterable[Rule], goals: Iterable[str]) -> frozenset[str]:
    """Give the goals and every relation that they depend on."""
    reads = dependencies(rules)
    needed: set[str] = set()
    pending = list(goals)
    while pending:
        name = pending.pop()
        if name not in needed:
            needed.add(name)
            pending.extend(reads.get(name, ()))
    return frozenset(needed)


def _in_order(reads: Reads) -> Iterator[tuple[str, ...]]:
    """Give the components, sorted inside, each after all that it reads; among those that could be next, by name."""
    members = _strongly_connected(reads)
    component = {name: number for number, names in enumerate(members) for name in names}
    below = [{component[source] for name in names for source in reads[name]} - {n} for n, names in enumerate(members)]
    above: list[list[int]] = [[] for _ in members]
    for number, sources in enumerate(below):
        for source in sources:
            above[source].append(number)
    missing = [len(sources) for sources in below]
    ready = [(members[number], number) for number, count in enumerate(missing) if not count]
    heapify(ready)
    while ready:
        names, number = heappop(ready)
        yield names
        for reader in above[number]:
            missing[reader] -= 1
            if not missing[reader]:
                heappush(ready, (members[reader], reader))


def _strongly_connected(reads: Reads) -> list[tuple[str, ...]]:
    """Give the sets of relations that depend on each other, each sorted (Tarjan 1972, without recursion)."""
    found: list[tuple[str, ...]] = []
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    # The relations that were met and belong to no set yet, and the way from a root to the one that is looked at, each
    # with its place among them.
    pending: list[str] = []
    path: list[tuple[str, int, Iterator[str]]] = []

    def enter(name: str) -> None:
        number[name] = low[name] = len(number)
        path.append((name, len(pending), iter(reads[name])))
        pending.append(name)

    for root in reads:
        if root not in number:
            enter(root)
        while path:
            name, place, sources = path[-1]
            source = next(sources, None)
            if source is None:
                path.pop()
                if path:
                    above = path[-1][0]
                    low[above] = min(low[above], low[name])
                if low[name] == number[name]:
                    found.append(tuple(sorted(pending[place:])))
                    # Nothing that is met later is in a set with these.
                    low.update(dict.fromkeys(pending[place:], len(reads)))
                    del pending[place:]
            elif source not in number:
                enter(source)
            else:
                low[name] = min(low[name], low[source])
    return found


def _path(edges: Iterable[tuple[str, str]], start: str, end: str) -> list[str]:
    """Give a shortest path along edges, the first one in their order."""
    leaving: dict[str, list[str]] = {}
    for source, target in edges:
        leaving.setdefault(source, []).append(target)
    came_from: dict[str, str | None] = {start: None}
    pending = deque([start])
    while end not in came_from:
        name = pending.popleft()
        for target in leaving[name]:
            if target not in came_from:
                came_from[target] = name
                pending.append(target)
    path: list[str] = []
    name_or_none: str | None = end
    while name_or_none is not None:
        path.append(name_or_none)
        name_or_none = came_from[name_or_none]
    return path[::-1]
