"""The order of evaluation: which relations depend on which, in components, each after what it needs.

A relation that depends on itself through a negation or an aggregate has no meaning; the cycle is found here and printed. The graph and
its components are networkx's. This module must not know how a component is evaluated.
"""

# networkx is typed in part only: pyright does not know some of its members.
# pyright: reportUnknownMemberType=false

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from typing import Final

import networkx as nx

from liqo_connectivity.engine.syntax.diagnostics import Diagnostic
from liqo_connectivity.engine.syntax.nodes import Aggregate, Atom, Literal_, Negation, Rule, aggregate_of

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


def dependency_graph(rules: Iterable[Rule]) -> "nx.DiGraph[str]":
    """Draw an edge from each relation to those that it helps to derive.

    ``whole`` edges, where the relation must be complete first, carry the negation or aggregate that asks for it.
    """
    graph: nx.DiGraph[str] = nx.DiGraph()
    for rule in rules:
        graph.add_node(rule.head.relation)
        for item in rule.body:
            for relation, whole in _reads(item):
                previous = graph.get_edge_data(relation, rule.head.relation, {}).get("whole")
                graph.add_edge(relation, rule.head.relation, whole=previous or whole)
    return graph


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
    graph = dependency_graph(rules)
    found: list[Diagnostic] = []
    for names in nx.strongly_connected_components(graph):
        leaving: Iterable[tuple[str, str, Negation | Aggregate | None]] = graph.edges(names, data="whole")
        edges = sorted((edge for edge in leaving if edge[1] in names), key=itemgetter(0, 1))
        # A graph of its own, built in sorted order: a view would walk sets, and the cycle would vary from run to run.
        cyclic: nx.DiGraph[str] = nx.DiGraph()
        cyclic.add_edges_from((source, target) for source, target, _ in edges)
        wholes = ((source, target, item) for source, target, item in edges if item is not None)
        for source, target, item in islice(wholes, _CYCLES):
            path: list[str] = nx.shortest_path(cyclic, target, source)
            cycle = " <- ".join([target, *reversed(path)])
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
    graph = dependency_graph(rules)
    by_head: dict[str, list[Rule]] = {}
    for rule in rules:
        by_head.setdefault(rule.head.relation, []).append(rule)
    condensed: nx.DiGraph[int] = nx.condensation(graph)
    members: dict[int, frozenset[str]] = {node: frozenset(data["members"]) for node, data in condensed.nodes(data=True)}

    def first_name(node: int) -> str:
        return min(members[node])

    stratum: dict[str, int] = {}
    ordered: list[Component] = []
    for node in nx.lexicographical_topological_sort(condensed, key=first_name):
        names = members[node]
        edges: Iterable[tuple[str, str, Negation | Aggregate | None]] = graph.in_edges(names, data="whole")
        below = [stratum[source] + (item is not None) for source, _, item in edges if source not in names]
        level = max(below, default=0)
        stratum.update(dict.fromkeys(names, level))
        own = tuple(sorted((r for name in names for r in by_head.get(name, [])), key=lambda r: r.number))
        if own:
            recursive = len(names) > 1 or graph.has_edge(*[next(iter(names))] * 2)
            ordered.append(Component(tuple(sorted(names)), own, recursive, level))
    return tuple(ordered)


def needed_relations(rules: Iterable[Rule], goals: Iterable[str]) -> frozenset[str]:
    """Give the goals and every relation that they depend on."""
    graph = dependency_graph(rules)
    needed: set[str] = set()
    pending = list(goals)
    while pending:
        name = pending.pop()
        if name not in needed:
            needed.add(name)
            pending.extend(graph.predecessors(name) if name in graph else ())
    return frozenset(needed)
