"""What all forms of a proof are made from: its tuples in order, and the fields that its facts were read from.

Nothing here recurs with the height of a proof, which may be thousands of steps. This module must not know how a proof
is laid out.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from liqo_connectivity.engine import Proof
from liqo_connectivity.engine.proofs.proof import Premise, premises
from liqo_connectivity.facts import Fact, FactBase

QUESTION = "flow"
"""The relation that holds the question: it comes from no object."""

Node = TypeVar("Node")


def sources(node: Proof, base: FactBase) -> tuple[Fact, ...]:
    """Give the facts that assert a tuple."""
    return () if node.relation == QUESTION else base.facts_for(node.relation, node.row)


def proofs_below(node: Premise) -> list[Proof]:
    """Give the proofs right below a tuple: those of its premises, and of its aggregates' witnesses."""
    return [
        p for premise in premises(node) for p in ([premise] if isinstance(premise, Proof) else proofs_below(premise))
    ]


def top_down(root: Node, below: Callable[[Node], Iterable[Node]]) -> list[Node]:
    """List the nodes of a graph without cycles, the root first, each once and before all that stand below it."""
    ordered: list[Node] = []
    seen: set[int] = set()
    pending = [(root, False)]
    while pending:
        node, is_left = pending.pop()
        if is_left:
            ordered.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            pending.append((node, True))
            # The last is walked first: all is turned round at the end.
            pending.extend((child, False) for child in below(node))
    ordered.reverse()
    return ordered
