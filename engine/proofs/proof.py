"""A proof as data: a tuple, the rule that derives it, and the proofs of its premises, down to facts.

A premise is a proof, an absence, a true comparison, or a comparison with an aggregate. The evidence of an aggregate is
the proofs of instances of its body.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

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


class Absent(NamedTuple):
    """A negated premise: tuples that the model does not have. ``None`` in a column stands for any value."""

    relation: str
    pattern: tuple[Value | None, ...]

    def __str__(self) -> str:
        return f"{self.relation}({', '.join('_' if v is None else format_value(v) for v in self.pattern)})"


class Holds(NamedTuple):
    """A true comparison, with values in place of variables."""

    comparison: str

    def __str__(self) -> str:
        return self.comparison


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Aggregated:
    """A true comparison with an aggregate.

    ``comparison`` has values in place of the rule's variables; the variables of the aggregate's body stay. ``value`` is
    the aggregate's. A witness is an instance of the body: its premises, in order. ``min`` and ``max`` have one witness,
    which has the value; ``count`` has the first few. That no instance has less, or more, and that no more are counted,
    is a statement about complete relations, like a negated premise. ``passed_over`` lists values that another premise
    of the rule offers, that would beat the value of ``min`` or ``max``, and that no instance of the body has.
    """

    comparison: Comparison
    value: int
    witnesses: "tuple[tuple[Premise, ...], ...]"
    passed_over: tuple[int, ...] = ()

    @property
    def aggregate(self) -> Aggregate:
        """Return the aggregate."""
        found = aggregate_of(self.comparison)
        assert found is not None
        return found

    def missing(self) -> tuple[Absent, ...]:
        """Return the tuples that the values passed over would need, if the aggregate is over one plain atom."""
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
    """A tuple, the rule that derives it (``None`` for a given fact) and the proofs of the premises.

    ``minimal`` is false if a budget stopped the search: the proof is valid, but a lower one may exist. It concerns the
    tuple that it stands at, so the root's value covers the whole proof. Proofs share common subproofs and may be
    thousands of steps high: they are compared without recursion.
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
        """List the nodes in the order of ``walk``, with premises as positions in that list."""
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
        """Yield this node and all below it, premises in the order of the rule, shared ones once."""
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
    """Return the children of a node: the premises of a derived tuple, or those of an aggregate's witnesses."""
    if isinstance(node, Proof):
        return node.premises
    return tuple(p for witness in node.witnesses for p in witness) if isinstance(node, Aggregated) else ()
