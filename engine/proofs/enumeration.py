"""All the ways to prove a tuple, one after another, the lowest first.

A proof takes one instance of a rule for each tuple that it needs. After the best proof, the others are split by the
first tuple for which they take another instance, and the best of each part is found with the choices before it held
fast (Lawler 1972, after Murty 1968). Each part is solved as the first was, so no proof rests on itself and none comes
twice. This module must not know what a tuple means.
"""

import heapq
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from liqo_connectivity.engine.model import Model
from liqo_connectivity.engine.proofs.derivation_graph import (
    DerivationGraph,
    choose,
    derivation_graph,
    least_heights,
    open_needs,
)
from liqo_connectivity.engine.proofs.derivations import NEVER
from liqo_connectivity.engine.proofs.least_height import Choice
from liqo_connectivity.engine.proofs.proof import Proof
from liqo_connectivity.engine.proofs.provenance import BUDGET, build, choices_for
from liqo_connectivity.engine.proofs.rule_instances import Tuple
from liqo_connectivity.engine.syntax.nodes import Row


@dataclass(frozen=True, slots=True)
class _Partition:
    """The proofs that take some instances and do not take some others, and the best of them."""

    held: Mapping[Tuple, Choice]
    refused: Mapping[Tuple, frozenset[int]]
    chosen: dict[Tuple, Choice]
    height: int


@dataclass(frozen=True, slots=True)
class Proofs:
    """Different proofs of a tuple, by height, then by the number of their steps, then by rules and premises.

    ``complete`` says that it has no others; else ``limit`` left some out, or the budget did not let it be known.
    """

    found: tuple[Proof, ...]
    complete: bool


def proofs(model: Model, relation: str, row: Row, limit: int, budget: int | None = BUDGET) -> Proofs:
    """Give up to ``limit`` proofs of a tuple, none if it does not hold; the first is that of ``prove``.

    If more than ``budget`` instances of rules lead to the tuple, the others are made of those that come first, and
    have ``minimal`` false: there may be lower ones. Raises UnknownRelationError.
    """
    found = choices_for(model, relation, row, budget)
    if found is None or limit < 1:
        return Proofs((), found is None)
    goal, chosen, least = found
    graph, complete = derivation_graph(model.derivations(), goal, NEVER if budget is None else budget)
    first = _taken(goal, chosen)
    for current, choice in first.items():
        graph.setdefault(current, [] if choice.derivation is None else [choice])
    others = (part.chosen for part in _partitions(goal, graph) if _instances(part.chosen) != _instances(first))
    settled: Container[Tuple] = graph if complete else ()
    further = tuple(build(goal, other, settled) for other in islice(others, limit - 1))
    return Proofs((build(goal, first, least), *further), complete and next(others, None) is None)


def _taken(goal: Tuple, chosen: Mapping[Tuple, Choice]) -> dict[Tuple, Choice]:
    """Keep the choices for a goal and for all that is needed then."""
    taken: dict[Tuple, Choice] = {}
    pending = [goal]
    while pending:
        current = pending.pop()
        if current not in taken:
            taken[current] = chosen[current]
            pending.extend(open_needs(chosen[current]))
    return taken


def _instances(chosen: Mapping[Tuple, Choice]) -> dict[Tuple, object]:
    return {current: (choice.derivation, choice.instance) for current, choice in chosen.items()}


def _partitions(goal: Tuple, graph: DerivationGraph) -> Iterator[_Partition]:
    whole = _solve(goal, graph, {}, {})
    # Parts differ in what they choose, so that no two compare equal before the last element.
    queue = [(_rank(whole), 0, whole)] if whole else []
    made = 1
    while queue:
        _, _, part = heapq.heappop(queue)
        yield part
        held = dict(part.held)
        for current, choice in part.chosen.items():
            if current in held or choice.derivation is None:
                continue
            refused = part.refused.get(current, frozenset()) | {graph[current].index(choice)}
            # What is held needs this tuple, so that one of its instances must be left.
            left = len(refused) < len(graph[current])
            rest = _solve(goal, graph, dict(held), {**part.refused, current: refused}) if left else None
            if rest:
                heapq.heappush(queue, (_rank(rest), made, rest))
                made += 1
            held[current] = choice


def _solve(
    goal: Tuple, graph: DerivationGraph, held: Mapping[Tuple, Choice], refused: Mapping[Tuple, frozenset[int]]
) -> _Partition | None:
    """Find the best proof with the instances that are left, if there is one."""
    left: DerivationGraph = {}
    for current, choices in graph.items():
        allowed = [choice for number, choice in enumerate(choices) if number not in refused.get(current, frozenset())]
        if current in held:
            allowed = [held[current]]
        # Without instances it would be a fact.
        if allowed or not choices:
            left[current] = allowed
    heights = least_heights(left)
    if goal not in heights:
        return None
    usable = {
        current: [choice for choice in choices if all(need in heights for need in open_needs(choice))]
        for current, choices in left.items()
        if current in heights
    }
    return _Partition(held, refused, choose(goal, usable, heights), heights[goal])


def _rank(part: _Partition) -> tuple[object, ...]:
    choices = tuple(
        (t, c.derivation.number, c.instance[0]) for t, c in part.chosen.items() if c.derivation and c.instance
    )
    return part.height, len(choices), choices
