"""The graph of a tuple: all that may take part in its proofs, with every instance; and the least heights within it.

Knuth's generalization of Dijkstra's algorithm (1977), bottom-up from what needs nothing. The lowest proof alone is found
with less (``heights``); the graph is for those who want the others too. This module must not know which proofs they are.
"""

from collections import deque
from collections.abc import Mapping
from heapq import heapify, heappop, heappush

from liqo_connectivity.engine.proofs.derivations import Derivations
from liqo_connectivity.engine.proofs.least_height import GIVEN, Choice
from liqo_connectivity.engine.proofs.rule_instances import Tuple

DerivationGraph = dict[Tuple, list[Choice]]
"""The ways to derive each tuple, in the order of rules and needs; their heights are not known yet.

What was given has none, and tuples of relations without rules are left out.
"""


def derivation_graph(derivations: Derivations, goal: Tuple, budget: int) -> tuple[DerivationGraph, bool]:
    """Find the graph of a tuple, breadth first; false if more than ``budget`` instances would have to be looked at."""
    graph: DerivationGraph = {}
    pending = deque([goal])
    while pending:
        wanted = pending.popleft()
        if wanted in graph:
            continue
        if derivations.is_given(wanted):
            graph[wanted] = []
            continue
        found = [
            Choice(derivation.lowest, derivation, instance)
            for derivation in derivations.of(wanted[0])
            for instance in sorted(derivation.instances(wanted[1]))
        ]
        budget -= len(found)
        if budget < 0:
            return graph, False
        graph[wanted] = found
        pending.extend(need for choice in found for need in open_needs(choice))
    return graph, True


def open_needs(choice: Choice) -> tuple[Tuple, ...]:
    """Give the tuples that a choice needs, and that need choices themselves."""
    return () if choice.instance is None else choice.instance[1]


def least_heights(graph: DerivationGraph) -> dict[Tuple, int]:
    """Give each tuple of the graph the least height of its proofs; tuples that have none within the graph are left out."""
    users: dict[Tuple, list[tuple[Tuple, int]]] = {}
    waiting: dict[tuple[Tuple, int], int] = {}
    queue: list[tuple[int, Tuple]] = []
    for derived, choices in graph.items():
        if not choices:
            queue.append((0, derived))
        for number, choice in enumerate(choices):
            needs = set(open_needs(choice))
            waiting[derived, number] = len(needs)
            for need in needs:
                users.setdefault(need, []).append((derived, number))
            if not needs:
                queue.append((choice.derivation.lowest if choice.derivation else 0, derived))
    heapify(queue)
    heights: dict[Tuple, int] = {}
    while queue:
        height, done = heappop(queue)
        if done in heights:
            continue
        heights[done] = height
        for user in users.get(done, ()):
            waiting[user] -= 1
            # Tuples are settled in order of height, so the last premise settled is a highest one.
            if waiting[user] == 0:
                heappush(queue, (height + 1, user[0]))
    return heights


def choose(goal: Tuple, graph: DerivationGraph, heights: Mapping[Tuple, int]) -> dict[Tuple, Choice]:
    """Take the best choice for the goal, and for each tuple that those taken need, in the order of need."""

    def rank(choice: Choice) -> tuple[int, int, tuple[Tuple, ...]]:
        assert choice.derivation is not None
        assert choice.instance is not None
        height = max([choice.derivation.lowest, *(1 + heights[need] for need in choice.instance[1])])
        return height, choice.derivation.number, choice.instance[0]

    chosen: dict[Tuple, Choice] = {}
    pending = [goal]
    while pending:
        current = pending.pop()
        if current not in chosen:
            chosen[current] = min(graph[current], key=rank) if graph[current] else GIVEN
            pending.extend(open_needs(chosen[current]))
    return chosen
