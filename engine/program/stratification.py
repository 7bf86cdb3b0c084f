"""Stratification: orders the components of dependent relations, each after those that it needs.

A relation that depends on itself through a negation or an aggregate has no meaning: this module reports the cycle.
networkx finds components, their order and cycles. Each function imports it on use: a program from a cache is already
ordered, and importing networkx takes longer than answering a question.
"""

# networkx is only partly typed: pyright does not know some of its members.
# pyright: reportUnknownMemberType=false

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from liqo_connectivity.engine.syntax.diagnostics import Diagnostic
from liqo_connectivity.engine.syntax.nodes import Aggregate, Atom, Literal_, Negation, Rule, aggregate_of

if TYPE_CHECKING:
    import networkx as nx

Reads = Mapping[str, Mapping[str, Negation | Aggregate | None]]
"""The relations that each relation reads, all of them keys. A value is the negation or aggregate that needs the whole."""

_CYCLES: Final = 10
"""Maximum number of cycles reported for one component."""


class Component(NamedTuple):
    """Relations that depend on each other, with their rules and their stratum.

    ``recursive`` says whether any of them depends on itself. ``stratum`` counts the negations and aggregates below,
    from 0.
    """

    relations: tuple[str, ...]
    rules: tuple[Rule, ...]
    recursive: bool
    stratum: int


def dependencies(rules: Iterable[Rule]) -> Reads:
    """Return the relations that each relation reads: none, if no rule derives it."""
    found: dict[str, dict[str, Negation | Aggregate | None]] = {}
    for rule in rules:
        own = found.setdefault(rule.head.relation, {})
        for item in rule.body:
            for relation, whole in _reads(item):
                found.setdefault(relation, {})
                own[relation] = own.get(relation) or whole
    return found


def _reads(item: Literal_) -> Iterable[tuple[str, Negation | Aggregate | None]]:
    """List the relations that a literal reads, each with the negation or aggregate that needs the whole relation."""
    if isinstance(item, Atom):
        return ((item.relation, None),)
    if isinstance(item, Negation):
        return ((item.atom.relation, item),)
    aggregate = aggregate_of(item)
    return [(name, aggregate) for inner in aggregate.body for name, _ in _reads(inner)] if aggregate else ()


def _graph(reads: Reads) -> "nx.DiGraph[str]":
    """Return a graph with an edge from each relation to each that reads it."""
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(reads)
    graph.add_edges_from((source, name) for name, sources in reads.items() for source in sources)
    return graph


def check_stratification(rules: Iterable[Rule]) -> list[Diagnostic]:
    """Report each negation and aggregate that lies on a cycle (DL007), with the cycle."""
    import networkx as nx

    reads = dependencies(rules)
    found: list[Diagnostic] = []
    for names in nx.strongly_connected_components(_graph(reads)):
        edges = sorted((source, target) for target in names for source in reads[target] if source in names)
        # A new graph in sorted order: a subgraph view walks sets, so the reported cycle would vary between runs.
        cyclic: nx.DiGraph[str] = nx.DiGraph()
        cyclic.add_edges_from(edges)
        wholes = ((*edge, item) for edge in edges if (item := reads[edge[1]][edge[0]]) is not None)
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
    """Order the derived relations, each component after those that it needs; the order is deterministic."""
    import networkx as nx

    rules = tuple(rules)
    reads = dependencies(rules)
    by_head: dict[str, list[Rule]] = {}
    for rule in rules:
        by_head.setdefault(rule.head.relation, []).append(rule)
    condensed: nx.DiGraph[int] = nx.condensation(_graph(reads))
    members: dict[int, tuple[str, ...]] = {
        node: tuple(sorted(data["members"])) for node, data in condensed.nodes(data=True)
    }
    stratum: dict[str, int] = {}
    ordered: list[Component] = []
    for node in nx.lexicographical_topological_sort(condensed, key=members.__getitem__):
        names = members[node]
        edges = [edge for name in names for edge in reads[name].items()]
        below = [stratum[source] + (item is not None) for source, item in edges if source not in names]
        level = max(below, default=0)
        stratum.update(dict.fromkeys(names, level))
        own = tuple(sorted((r for name in names for r in by_head.get(name, [])), key=lambda r: r.number))
        if own:
            recursive = len(names) > 1 or any(name in reads[name] for name in names)
            ordered.append(Component(names, own, recursive, level))
    return tuple(ordered)


def needed_relations(rules_by_head: Mapping[str, Iterable[Rule]], goals: Iterable[str]) -> frozenset[str]:
    """Return the goals and every relation that they depend on."""
    needed: set[str] = set()
    pending = list(goals)
    while pending:
        name = pending.pop()
        if name not in needed:
            needed.add(name)
            pending += [read for rule in rules_by_head.get(name, ()) for item in rule.body for read, _ in _reads(item)]
    return frozenset(needed)
