"""A proof as data: a tuple, the rule that derives it, and the proofs of its premises, down to facts.

A premise is a proof; or what was looked for and not found; or a comparison that is true; or one with an aggregate,
which has the proofs of instances of the aggregate's body as evidence.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from liqo_connectivity.engine.syntax.nodes import (
    Aggregate,
    Atom,
    Comparison,
    Constant,
    Row,
    Rule,
    Value,
    Wildcard,
    aggregate_of,
)
from liqo_connectivity.engine.syntax.printer import format_body, format_value


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
class Aggregated:
    """A comparison with an aggregate that is true.

    ``comparison`` has values in place of the rule's variables; those that are the body's own are left. ``value`` is
    the aggregate's. Each witness is an instance of the body: its premises, in order. For ``min`` and ``max`` it is one,
    which has the value; for ``count`` the first few. That no instance has less, or more, and that no more are counted,
    is a statement about the whole of complete relations, as a negated premise is. ``passed_over`` are values that come
    before the value of ``min`` or ``max`` by another premise of the rule, and that no instance of the body has.
    """

    comparison: Comparison
    value: int
    witnesses: "tuple[tuple[Premise, ...], ...]"
    passed_over: tuple[int, ...] = ()

    @property
    def aggregate(self) -> Aggregate:
        """Give the aggregate."""
        found = aggregate_of(self.comparison)
        assert found is not None
        return found

    def missing(self) -> tuple[Absent, ...]:
        """Give the tuples that the values passed over would need, if the aggregate is over one plain atom."""
        (item, *more), target = self.aggregate.body, self.aggregate.target
        if more or target is None or not isinstance(item, Atom):
            return ()
        if not all(isinstance(term, Constant | Wildcard) or term == target for term in item.terms):
            return ()
        return tuple(
            Absent(
                item.relation,
                tuple(t.value if isinstance(t, Constant) else value if t == target else None for t in item.terms),
            )
            for value in self.passed_over
        )

    def __str__(self) -> str:
        return format_body(self.comparison)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Proof:
    """A tuple, the rule that derives it (``None`` for a fact that was given) and the proofs of the premises.

    ``minimal`` is false if a budget stopped the search: the proof is valid, but a lower one may exist. It speaks of the
    tuple it stands at, so that the root's says what is known of the whole. Proofs share what they have in common, and
    may be thousands of steps high: they are compared without recursion.
    """

    relation: str
    row: Row
    rule: Rule | None
    premises: "tuple[Premise, ...]"
    height: int
    minimal: bool = True

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
        steps: list[object] = []
        for node in nodes:
            below = [number[id(premise)] for premise in premises(node)]
            match node:
                case Proof():
                    steps.append((node.relation, node.row, node.rule, node.height, node.minimal, below))
                case Aggregated():
                    steps.append((node.comparison, node.value, node.passed_over, len(node.witnesses), below))
                case _:
                    steps.append(node)
        return steps

    def walk(self) -> "Iterator[Premise]":
        """Give this node and all below it, premises in the order of the rule, shared ones once."""
        seen: set[int] = set()
        stack: list[Premise] = [self]
        while stack:
            node = stack.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            yield node
            stack.extend(reversed(premises(node)))


Premise = Proof | Absent | Holds | Aggregated


def premises(node: Premise) -> tuple[Premise, ...]:
    """Give what stands right below a node: the premises of a derived tuple, or those of an aggregate's witnesses."""
    if isinstance(node, Proof):
        return node.premises
    return tuple(p for witness in node.witnesses for p in witness) if isinstance(node, Aggregated) else ()
