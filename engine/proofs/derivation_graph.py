"""The derivation graph of a tuple: every tuple and instance that can be in its proofs, and the least heights.

Knuth's generalization of Dijkstra's algorithm (1977) finds the heights bottom-up, from the tuples that need nothing.
For the lowest proof alone, ``least_height`` does less work; the graph serves the enumeration of all proofs.
"""

from collections.abc import Mapping
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from liqo_connectivity.engine.proofs.backward_rule import BackwardRule
from liqo_connectivity.engine.proofs.rule_instances import Instance, Tuple


class Choice(NamedTuple):
    """One way to derive a tuple: the height, the rule and its instance. A given tuple has no rule."""

    height: int
    rule: BackwardRule | None
    instance: Instance | None


GIVEN = Choice(0, None, None)

DerivationGraph = dict[Tuple, list[Choice]]
"""The ways to derive each tuple, in the order of rules and needs, without their heights.

A given tuple has none; tuples of relations without rules are left out.
"""


def open_needs(choice: Choice) -> tuple[Tuple, ...]:
    """Return the tuples that a choice needs and that need a choice themselves."""
    return () if choice.instance is None else choice.instance[1]


def least_heights(graph: DerivationGraph) -> dict[Tuple, int]:
    """Return the least height of each tuple's proofs; tuples without a proof in the graph are left out."""
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
                queue.append((choice.rule.lowest if choice.rule else 0, derived))
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
    """Return the best choice for the goal, and for each tuple that a taken choice needs."""

    def rank(choice: Choice) -> tuple[int, int, tuple[Tuple, ...]]:
        assert choice.rule is not None
        assert choice.instance is not None
        height = max([choice.rule.lowest, *(1 + heights[need] for need in choice.instance[1])])
        return height, choice.rule.number, choice.instance[0]

    chosen: dict[Tuple, Choice] = {}
    pending = [goal]
    while pending:
        current = pending.pop()
        if current not in chosen:
            chosen[current] = min(graph[current], key=rank) if graph[current] else GIVEN
            pending.extend(open_needs(chosen[current]))
    return chosen
