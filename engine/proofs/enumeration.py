"""All proofs of a tuple, one after another, the lowest first.

A proof takes one instance of a rule for each tuple that it needs. After the best proof, the others are split by the
first tuple for which they take another instance, and the best of each partition is found with the choices before that
tuple fixed (Lawler 1972, after Murty 1968). Each partition is solved as the first was, so no proof rests on itself and
none comes twice.
"""

import heapq
from collections import deque
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from liqo_connectivity.engine.proofs.backward_rule import NEVER
from liqo_connectivity.engine.proofs.backward_rules import BackwardRules
from liqo_connectivity.engine.proofs.derivation_graph import Choice, DerivationGraph, choose, least_heights, open_needs
from liqo_connectivity.engine.proofs.explainer import Explainer
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


def proofs(explainer: Explainer, relation: str, row: Row, limit: int, budget: int | None = BUDGET) -> Proofs:
    """Give up to ``limit`` proofs of a tuple, none if it does not hold; the first is that of ``prove``.

    If more than ``budget`` instances of rules lead to the tuple, the others are made of those that come first, and
    have ``minimal`` false: there may be lower ones. Raises UnknownRelationError.
    """
    found = choices_for(explainer, relation, row, budget)
    if found is None or limit < 1:
        return Proofs((), found is None)
    goal, chosen, least = found
    graph, complete = derivation_graph(explainer.rules(), goal, NEVER if budget is None else budget)
    first = _taken(goal, chosen)
    for current, choice in first.items():
        graph.setdefault(current, [] if choice.rule is None else [choice])
    others = (part.chosen for part in _partitions(goal, graph) if _instances(part.chosen) != _instances(first))
    settled: Container[Tuple] = graph if complete else ()
    further = tuple(build(goal, other, settled) for other in islice(others, limit - 1))
    return Proofs((build(goal, first, least), *further), complete and next(others, None) is None)


def derivation_graph(rules: BackwardRules, goal: Tuple, budget: int) -> tuple[DerivationGraph, bool]:
    """Find the derivation graph of a tuple, breadth first; false if it has more than ``budget`` instances."""
    graph: DerivationGraph = {}
    pending = deque([goal])
    while pending:
        wanted = pending.popleft()
        if wanted in graph:
            continue
        if rules.is_given(wanted):
            graph[wanted] = []
            continue
        found = rules.choices(wanted)
        budget -= len(found)
        if budget < 0:
            return graph, False
        graph[wanted] = found
        pending.extend(need for choice in found for need in open_needs(choice))
    return graph, True


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
    return {current: (choice.rule, choice.instance) for current, choice in chosen.items()}


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
            if current in held or choice.rule is None:
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
    choices = tuple((t, c.rule.number, c.instance[0]) for t, c in part.chosen.items() if c.rule and c.instance)
    return part.height, len(choices), choices
