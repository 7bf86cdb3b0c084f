"""Why a tuple is there: a proof of least height, down to facts.

Nothing is stored while evaluating. The cone of the tuple, all instances of rules that lead to it, is found backwards
through the complete model; Knuth's generalization of Dijkstra's algorithm (1977) then gives every tuple of the cone
the least height of its proofs. Among proofs of equal height the one with the lower rule number, then the smaller
premises, is taken, so that the same facts give the same proof. A fact has height 0, a derived tuple one more than its
highest premise. This module must not know what a tuple means.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

from liqo_connectivity.engine.join import Bindings, compile_join, reader, row_reader, slots
from liqo_connectivity.engine.model import Model
from liqo_connectivity.engine.printer import format_body, format_value
from liqo_connectivity.engine.syntax import (
    Arithmetic,
    Atom,
    Call,
    Comparison,
    Constant,
    Literal_,
    Negation,
    Row,
    Rule,
    Term,
    Value,
    Variable,
    Wildcard,
)


@dataclass(frozen=True, slots=True)
class Absent:
    """A negated premise: tuples that were looked for, and not found. ``None`` in a column stands for any value."""

    relation: str
    pattern: tuple[Value | None, ...]

    def __str__(self) -> str:
        return f"{self.relation}({', '.join('_' if v is None else format_value(v) for v in self.pattern)})"


@dataclass(frozen=True, slots=True)
class Holds:
    """A comparison that is true, with its values in place of variables."""

    comparison: str

    def __str__(self) -> str:
        return self.comparison


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Proof:
    """A tuple, the rule that derives it (``None`` for a fact that was given) and the proofs of the premises.

    Proofs share what they have in common, and may be thousands of steps high: they are compared without recursion.
    """

    relation: str
    row: Row
    rule: Rule | None
    premises: "tuple[Proof | Absent | Holds, ...]"
    height: int

    def __str__(self) -> str:
        return f"{self.relation}({', '.join(map(format_value, self.row))})"

    def __repr__(self) -> str:
        return f"<Proof of {self}, height {self.height}>"

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Proof) and self._steps() == other._steps())

    def __hash__(self) -> int:
        return hash((self.relation, self.row, self.rule, self.height))

    def _steps(self) -> "list[object]":
        """List the nodes as ``walk`` gives them, premises by their numbers in that list."""
        nodes = list(self.walk())
        number = {id(node): position for position, node in enumerate(nodes)}
        return [
            (node.relation, node.row, node.rule, node.height, [number[id(premise)] for premise in node.premises])
            if isinstance(node, Proof)
            else node
            for node in nodes
        ]

    def walk(self) -> "Iterator[Proof | Absent | Holds]":
        """Give this node and all below it, premises in the order of the rule, shared ones once."""
        seen: set[int] = set()
        stack: list[Proof | Absent | Holds] = [self]
        while stack:
            node = stack.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            yield node
            if isinstance(node, Proof):
                stack.extend(reversed(node.premises))


_Tuple = tuple[str, Row]


@dataclass(frozen=True, slots=True)
class _Instance:
    plan: "_Plan"
    bindings: tuple[Value, ...]
    needs: tuple[_Tuple, ...]


class _Plan:
    """One rule, joined backwards: compiled once for all tuples of its head that are asked for."""

    def __init__(self, rule: Rule, model: Model) -> None:
        functors = model.program.functors
        body = _name_wildcards(rule.body)
        self.rule = rule
        self.slot_of = slots((rule.head, *body))
        self._read_head = row_reader(rule.head.terms, self.slot_of, functors)
        self._read_body = [
            (item.relation, row_reader(item.terms, self.slot_of, functors)) for item in body if isinstance(item, Atom)
        ]
        self._found: list[Bindings] = []
        bound = {term.name for term in rule.head.terms if isinstance(term, Variable)}
        self._join = compile_join(
            body,
            self.slot_of,
            bound,
            functors,
            lambda _, name: model.relation(name),
            lambda bindings: self._found.append(bindings.copy()),
        )

    def instances(self, row: Row) -> Iterator[_Instance]:
        """Give the instances of the rule that derive a row."""
        bindings = _unify(self.rule.head, row, self.slot_of)
        if bindings is None:
            return
        self._found.clear()
        self._join(bindings)
        for values in self._found:
            # Terms of the head that are not plain variables (arithmetic, functors) are only known now.
            if self._read_head(values) == row:
                needs = tuple((name, read(values)) for name, read in self._read_body)
                yield _Instance(self, tuple(values), needs)


def prove(model: Model, relation: str, row: Row) -> Proof | None:
    """Prove a tuple; ``None`` if it does not hold. Raises UnknownRelationError."""
    goal = (relation, tuple(row))
    if goal[1] not in model.relation(relation):
        return None
    cone = _cone(model, goal)
    heights = _heights(cone)
    return _extract(model, goal, cone, heights)


def _cone(model: Model, goal: _Tuple) -> dict[_Tuple, list[_Instance]]:
    """Find all tuples that may take part in a proof, with their instances; facts have none."""
    plans: dict[str, list[_Plan]] = {}
    cone: dict[_Tuple, list[_Instance]] = {}
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
        cone[wanted] = [instance for plan in plans[relation] for instance in plan.instances(row)]
        pending.extend(need for instance in cone[wanted] for need in instance.needs)
    return cone


def _name_wildcards(body: tuple[Literal_, ...]) -> tuple[Literal_, ...]:
    """Give each ``_`` of a positive atom a name, so that every row that matches it is an instance of its own."""
    return tuple(
        Atom(
            item.relation,
            tuple(
                Variable(f"_ {position} {column}") if isinstance(term, Wildcard) else term
                for column, term in enumerate(item.terms)
            ),
        )
        if isinstance(item, Atom)
        else item
        for position, item in enumerate(body)
    )


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


def _heights(cone: dict[_Tuple, list[_Instance]]) -> dict[_Tuple, int]:
    """Give each tuple of the cone the least height of its proofs (Knuth 1977)."""
    users: dict[_Tuple, list[tuple[_Tuple, int]]] = {}
    waiting: dict[tuple[_Tuple, int], int] = {}
    queue: list[tuple[int, _Tuple]] = []
    for derived, instances in cone.items():
        if not instances:
            queue.append((0, derived))
        for number, instance in enumerate(instances):
            needs = set(instance.needs)
            waiting[derived, number] = len(needs)
            for need in needs:
                users.setdefault(need, []).append((derived, number))
            if not needs:
                queue.append((0 if not instance.plan.rule.body else 1, derived))
    heapq.heapify(queue)
    heights: dict[_Tuple, int] = {}
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


def _extract(model: Model, goal: _Tuple, cone: dict[_Tuple, list[_Instance]], heights: dict[_Tuple, int]) -> Proof:
    """Build the proof bottom-up, in order of height, so that depth never meets Python's recursion limit."""

    def rank(instance: _Instance) -> tuple[int, int, tuple[_Tuple, ...], tuple[Value, ...]]:
        return _height(instance, heights), instance.plan.rule.number, instance.needs, instance.bindings

    chosen: dict[_Tuple, _Instance] = {}
    pending, wanted = [goal], set[_Tuple]()
    while pending:
        current = pending.pop()
        if current in wanted:
            continue
        wanted.add(current)
        if cone[current]:
            chosen[current] = min(cone[current], key=rank)
            pending.extend(chosen[current].needs)
    built: dict[_Tuple, Proof] = {}
    for current in sorted(wanted, key=lambda t: heights[t]):
        instance = chosen.get(current)
        if instance is None:
            built[current] = Proof(*current, None, (), 0)
            continue
        needs, rule = iter(instance.needs), instance.plan.rule
        premises = tuple(
            built[next(needs)] if isinstance(item, Atom) else _side_condition(model, item, instance)
            for item in rule.body
        )
        built[current] = Proof(*current, rule, premises, heights[current])
    return built[goal]


def _height(instance: _Instance, heights: dict[_Tuple, int]) -> int:
    if not instance.plan.rule.body:
        return 0
    return 1 + max((heights[need] for need in instance.needs), default=0)


def _side_condition(model: Model, item: Literal_, instance: _Instance) -> Absent | Holds:
    slot_of, values = instance.plan.slot_of, list(instance.bindings)
    if isinstance(item, Negation):
        functors = model.program.functors
        pattern = [None if isinstance(t, Wildcard) else reader(t, slot_of, functors)(values) for t in item.atom.terms]
        return Absent(item.atom.relation, tuple(pattern))
    assert isinstance(item, Comparison)
    left, right = (_ground(side, slot_of, values) for side in (item.left, item.right))
    return Holds(format_body(Comparison(item.operator, left, right)))


def _ground(term: Term, slot_of: dict[str, int], values: Bindings) -> Term:
    match term:
        case Variable(name=name):
            return Constant(values[slot_of[name]])
        case Arithmetic(operator=symbol, left=left, right=right):
            return Arithmetic(symbol, _ground(left, slot_of, values), _ground(right, slot_of, values))
        case Call(functor=functor, arguments=arguments):
            return Call(functor, tuple(_ground(argument, slot_of, values) for argument in arguments))
        case _:
            return term
