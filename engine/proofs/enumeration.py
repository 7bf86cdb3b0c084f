"""All proofs of a tuple, one by one, the lowest first.

A proof takes one instance of a rule for each tuple that it needs. After the best proof, the others are partitioned by
the first tuple for which they take another instance; the best proof of each partition is found with the choices before
that tuple fixed (Lawler 1972, after Murty 1968). Every partition is solved like the first, so no proof rests on itself
and none comes twice.
"""

import heapq
from collections import deque
from collections.abc import Container, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from liqo_connectivity.engine.proofs.allowance import Allowance, OverBudgetError
from liqo_connectivity.engine.proofs.backward_rules import BackwardRules
from liqo_connectivity.engine.proofs.derivation_graph import Choice, DerivationGraph, choose, least_heights, open_needs
from liqo_connectivity.engine.proofs.explainer import Explainer
from liqo_connectivity.engine.proofs.proof import Proof
from liqo_connectivity.engine.proofs.provenance import BUDGET, build, choices_for
from liqo_connectivity.engine.proofs.rule_instances import Tuple
from liqo_connectivity.engine.syntax.nodes import Row


class _Partition(NamedTuple):
    """The proofs that take some fixed instances and none of the refused ones, and the best of these proofs."""

    held: Mapping[Tuple, Choice]
    refused: Mapping[Tuple, frozenset[int]]
    chosen: dict[Tuple, Choice]
    height: int


class Proofs(NamedTuple):
    """Different proofs of a tuple, by height, then by number of steps, then by rules and premises.

    ``complete`` is true if there are no others; otherwise ``limit`` left some out, or the budget ended the search.
    """

    found: tuple[Proof, ...]
    complete: bool


def proofs(explainer: Explainer, relation: str, row: Row, limit: int, budget: int | None = BUDGET) -> Proofs:
    """Return up to ``limit`` proofs of a tuple, none if it does not hold; the first is that of ``prove``.

    If more than ``budget`` instances of rules lead to the tuple, the other proofs use only the first of these, and
    have ``minimal`` false: lower ones may exist. Raises UnknownRelationError.
    """
    found = choices_for(explainer, relation, row, budget)
    if found is None or limit < 1:
        return Proofs((), found is None)
    goal, chosen, least = found
    graph, complete = derivation_graph(explainer.rules(), goal, budget)
    first = _taken(goal, chosen)
    for current, choice in first.items():
        graph.setdefault(current, [] if choice.rule is None else [choice])
    others = (part.chosen for part in _partitions(goal, graph) if _instances(part.chosen) != _instances(first))
    settled: Container[Tuple] = graph if complete else ()
    further = tuple(build(goal, other, settled) for other in islice(others, limit - 1))
    return Proofs((build(goal, first, least), *further), complete and next(others, None) is None)


def derivation_graph(rules: BackwardRules, goal: Tuple, budget: int | None) -> tuple[DerivationGraph, bool]:
    """Build the derivation graph of a tuple, breadth first; false if it has more than ``budget`` instances."""
    graph: DerivationGraph = {}
    pending = deque([goal])
    allowance = Allowance(budget)
    while pending:
        wanted = pending.popleft()
        if wanted in graph:
            continue
        if rules.is_given(wanted):
            graph[wanted] = []
            continue
        try:
            found = rules.choices(wanted, allowance)
        except OverBudgetError:
            return graph, False
        graph[wanted] = found
        pending.extend(need for choice in found for need in open_needs(choice))
    return graph, True


def _taken(goal: Tuple, chosen: Mapping[Tuple, Choice]) -> dict[Tuple, Choice]:
    """Return the choices for a goal and for everything that they need."""
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
    # Partitions choose differently, so their ranks differ and the partitions themselves are never compared.
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
            # The held choices need this tuple, so at least one of its instances must be left.
            left = len(refused) < len(graph[current])
            rest = _solve(goal, graph, dict(held), {**part.refused, current: refused}) if left else None
            if rest:
                heapq.heappush(queue, (_rank(rest), made, rest))
                made += 1
            held[current] = choice


def _solve(
    goal: Tuple, graph: DerivationGraph, held: Mapping[Tuple, Choice], refused: Mapping[Tuple, frozenset[int]]
) -> _Partition | None:
    """Return the best proof with the remaining instances, if there is one."""
    left: DerivationGraph = {}
    for current, choices in graph.items():
        allowed = [choice for number, choice in enumerate(choices) if number not in refused.get(current, frozenset())]
        if current in held:
            allowed = [held[current]]
        # A tuple without instances would count as a fact.
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
