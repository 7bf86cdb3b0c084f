"""All the ways to prove a tuple, one after another, the lowest first.

A proof takes one instance of a rule for each tuple that it needs. After the best proof, the others are split by the
first tuple for which they take another instance, and the best of each part is found with the choices before it held
fast (Lawler 1972, after Murty 1968). Each part is solved as the first was, so no proof rests on itself and none comes
twice. This module must not know what a tuple means.
"""

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from liqo_connectivity.engine.instances import Tuple
from liqo_connectivity.engine.model import Model
from liqo_connectivity.engine.proof import Proof
from liqo_connectivity.engine.prover import Cone, Use, build, choose, cone_of, least_heights
from liqo_connectivity.engine.syntax import Row


@dataclass(frozen=True, slots=True)
class _Part:
    """The proofs that take some instances and do not take some others, and the best of them."""

    held: Mapping[Tuple, Use]
    refused: Mapping[Tuple, frozenset[int]]
    chosen: dict[Tuple, Use]
    heights: Mapping[Tuple, int]


def proofs(model: Model, relation: str, row: Row, limit: int) -> list[Proof]:
    """Give up to ``limit`` different proofs of a tuple, none if it does not hold; the first is that of ``prove``.

    They come by height, then by the number of their steps, then by rules and premises. Raises UnknownRelationError.
    """
    goal = (relation, tuple(row))
    if goal[1] not in model.relation(relation):
        return []
    parts = _parts(goal, cone_of(model, goal))
    return [build(model, goal, part.chosen, part.heights) for part in islice(parts, limit)]


def _parts(goal: Tuple, cone: Cone) -> Iterator[_Part]:
    whole = _solve(goal, cone, {}, {})
    # Parts differ in what they choose, so that no two compare equal before the last element.
    queue = [(_rank(goal, whole), 0, whole)] if whole else []
    made = 1
    while queue:
        _, _, part = heapq.heappop(queue)
        yield part
        held = dict(part.held)
        for current, use in part.chosen.items():
            if current in held:
                continue
            refused = part.refused.get(current, frozenset()) | {cone[current].index(use)}
            rest = _solve(goal, cone, dict(held), {**part.refused, current: refused})
            if rest:
                heapq.heappush(queue, (_rank(goal, rest), made, rest))
                made += 1
            held[current] = use


def _solve(goal: Tuple, cone: Cone, held: Mapping[Tuple, Use], refused: Mapping[Tuple, frozenset[int]]) -> _Part | None:
    """Find the best proof with the instances that are left, if there is one."""
    left: Cone = {}
    for current, uses in cone.items():
        allowed = [use for number, use in enumerate(uses) if number not in refused.get(current, frozenset())]
        if current in held:
            allowed = [held[current]]
        # Without instances it would be a fact.
        if allowed or not uses:
            left[current] = allowed
    heights = least_heights(left)
    if goal not in heights:
        return None
    usable = {
        current: [use for use in uses if all(need in heights for need in use.instance.needs)]
        for current, uses in left.items()
        if current in heights
    }
    return _Part(held, refused, choose(goal, usable, heights), heights)


def _rank(goal: Tuple, part: _Part) -> tuple[object, ...]:
    choices = tuple((t, u.plan.rule.number, u.instance.needs, u.instance.bindings) for t, u in part.chosen.items())
    return part.heights[goal], len(part.chosen), choices
