"""Why a tuple is there: finds a proof of least height, down to facts.

Nothing is stored while evaluating. The cone of the tuple, all instances of rules that lead to it, is found backwards
through the complete model; Knuth's generalization of Dijkstra's algorithm (1977) then gives every tuple of the cone
the least height of its proofs. Among proofs of equal height the one with the lower rule number, then the smaller
premises, is taken, so that the same facts give the same proof. A fact has height 0, a derived tuple one more than its
highest premise, the witnesses of aggregates included. This module must not know what a tuple means.
"""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from liqo_connectivity.engine.bindings import Bindings, row_reader
from liqo_connectivity.engine.instances import Conjunction, Instance, Tuple, passed_over
from liqo_connectivity.engine.model import Model
from liqo_connectivity.engine.proof import Aggregated, Premise, Proof
from liqo_connectivity.engine.substitution import ground_comparison
from liqo_connectivity.engine.syntax import (
    Atom,
    Comparison,
    Constant,
    Literal_,
    Row,
    Rule,
    Value,
    Variable,
    aggregate_of,
)


class _Plan:
    """One rule, joined backwards: compiled once for all tuples of its head that are asked for."""

    def __init__(self, rule: Rule, model: Model) -> None:
        bound = {term.name for term in rule.head.terms if isinstance(term, Variable)}
        self.rule = rule
        self.body = Conjunction(rule.body, bound, model, (rule.head,))
        self._read_head = row_reader(rule.head.terms, self.body.slot_of, model.program.functors)

    def instances(self, row: Row) -> "Iterator[Use]":
        """Give the instances of the rule that derive a row."""
        bindings = _unify(self.rule.head, row, self.body.slot_of)
        if bindings is None:
            return
        for values in self.body.solutions(bindings):
            # Terms of the head that are not plain variables (arithmetic, functors) are only known now.
            if self._read_head(values) == row:
                yield from (Use(self, instance) for instance in self.body.witnessed(values))


@dataclass(frozen=True, slots=True)
class Use:
    """An instance of a rule that derives a tuple."""

    plan: _Plan
    instance: Instance


def prove(model: Model, relation: str, row: Row) -> Proof | None:
    """Prove a tuple; ``None`` if it does not hold. Raises UnknownRelationError."""
    goal = (relation, tuple(row))
    if goal[1] not in model.relation(relation):
        return None
    cone = cone_of(model, goal)
    heights = least_heights(cone)
    return build(model, goal, choose(goal, cone, heights), heights)


Cone = dict[Tuple, list[Use]]
"""The instances that derive each tuple; facts have none."""


def cone_of(model: Model, goal: Tuple) -> Cone:
    """Find all tuples that may take part in a proof, with their instances; facts have none."""
    plans: dict[str, list[_Plan]] = {}
    cone: Cone = {}
    pending = [goal]
    while pending:
        wanted = pending.pop()
        if wanted in cone:
            continue
        if model.is_fact(*wanted):
            cone[wanted] = []
            continue
        relation, row = wanted
        if relation not in plans:
            plans[relation] = [_Plan(rule, model) for rule in model.program.rules_by_head.get(relation, ())]
        cone[wanted] = [use for plan in plans[relation] for use in plan.instances(row)]
        pending.extend(need for use in cone[wanted] for need in use.instance.needs)
    return cone


def _unify(head: Atom, row: Row, slot_of: dict[str, int]) -> Bindings | None:
    """Write a row into the slots of the head's variables; ``None`` if the head cannot be that row."""
    bindings: Bindings = [0] * len(slot_of)
    bound: set[str] = set()
    for term, value in zip(head.terms, row, strict=True):
        if isinstance(term, Constant) and term.value != value:
            return None
        if isinstance(term, Variable):
            if term.name in bound and bindings[slot_of[term.name]] != value:
                return None
            bound.add(term.name)
            bindings[slot_of[term.name]] = value
    return bindings


def least_heights(cone: Cone) -> dict[Tuple, int]:
    """Give each tuple of the cone the least height of its proofs (Knuth 1977)."""
    users: dict[Tuple, list[tuple[Tuple, int]]] = {}
    waiting: dict[tuple[Tuple, int], int] = {}
    queue: list[tuple[int, Tuple]] = []
    for derived, uses in cone.items():
        if not uses:
            queue.append((0, derived))
        for number, use in enumerate(uses):
            needs = set(use.instance.needs)
            waiting[derived, number] = len(needs)
            for need in needs:
                users.setdefault(need, []).append((derived, number))
            if not needs:
                queue.append((0 if not use.plan.rule.body else 1, derived))
    heapq.heapify(queue)
    heights: dict[Tuple, int] = {}
    while queue:
        height, done = heapq.heappop(queue)
        if done in heights:
            continue
        heights[done] = height
        for user in users.get(done, ()):
            waiting[user] -= 1
            # Tuples are settled in order of height, so the last premise settled is a highest one.
            if waiting[user] == 0:
                heapq.heappush(queue, (height + 1, user[0]))
    return heights


def choose(goal: Tuple, cone: Cone, heights: Mapping[Tuple, int]) -> dict[Tuple, Use]:
    """Take the best instance of the goal, and of each tuple that those taken need, in the order of need."""

    def rank(use: Use) -> tuple[int, int, tuple[Tuple, ...], tuple[Value, ...]]:
        return _height(use, heights), use.plan.rule.number, use.instance.needs, use.instance.bindings

    chosen: dict[Tuple, Use] = {}
    pending = [goal]
    while pending:
        current = pending.pop()
        if current not in chosen and cone[current]:
            chosen[current] = min(cone[current], key=rank)
            pending.extend(chosen[current].instance.needs)
    return chosen


def build(model: Model, goal: Tuple, chosen: Mapping[Tuple, Use], heights: Mapping[Tuple, int]) -> Proof:
    """Build the proof bottom-up, in order of height, so that depth never meets Python's recursion limit."""
    wanted = dict.fromkeys((goal, *chosen, *(need for use in chosen.values() for need in use.instance.needs)))
    built: dict[Tuple, Proof] = {}
    for current in sorted(wanted, key=lambda t: heights[t]):
        use = chosen.get(current)
        if use is None:
            built[current] = Proof(*current, None, (), 0)
            continue
        rule = use.plan.rule
        premises = _premises(use.plan.body, rule.body, use.instance, built)
        built[current] = Proof(*current, rule, _with_passed_over(model, rule, premises, use), heights[current])
    return built[goal]


def _height(use: Use, heights: Mapping[Tuple, int]) -> int:
    if not use.plan.rule.body:
        return 0
    return 1 + max((heights[need] for need in use.instance.needs), default=0)


def _premises(
    conjunction: Conjunction, body: Sequence[Literal_], instance: Instance, built: Mapping[Tuple, Proof]
) -> tuple[Premise, ...]:
    """Give a premise for each literal of a body."""
    needs, witnesses = iter(instance.needs), iter(instance.witnesses)
    found: list[Premise] = []
    for item in body:
        aggregate = aggregate_of(item)
        if isinstance(item, Atom):
            found.append(built[next(needs)])
        elif aggregate and isinstance(item, Comparison):
            inner, shown = conjunction.inner(aggregate), next(witnesses)
            proofs = tuple(_premises(inner, aggregate.body, witness, built) for witness in shown.shown)
            comparison = ground_comparison(item, conjunction.environment(instance.bindings))
            found.append(Aggregated(comparison, shown.value, proofs))
        else:
            found.append(conjunction.side(item, instance.bindings))
    return tuple(found)


def _with_passed_over(model: Model, rule: Rule, premises: tuple[Premise, ...], use: Use) -> tuple[Premise, ...]:
    values = use.plan.body.environment(use.instance.bindings)
    return tuple(
        replace(premise, passed_over=passed_over(model, rule, item, premise.value, values))
        if isinstance(premise, Aggregated) and isinstance(item, Comparison)
        else premise
        for item, premise in zip(rule.body, premises, strict=True)
    )
