"""What all forms of a proof are made from: its tuples in order, and the fields that its facts were read from.

Nothing here recurs with the height of a proof, which may be thousands of steps. This module must not know how a proof
is laid out.
"""

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from liqo_connectivity.engine import Absent, Aggregated, Atom, Premise, Proof, format_value, premises
from liqo_connectivity.facts import Fact, FactBase

QUESTION = "flow"
"""The relation that holds the question: it comes from no object."""

CAVEAT: Final = "the search ended early: the proof is valid, but a lower one may exist"
"""What is said of a proof that may not be minimal."""

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


def relations_of(proof: Proof) -> set[str]:
    """Give the relations that a proof rests on, those that it found nothing in or aggregated included."""
    found: set[str] = set()
    for node in proof.walk():
        if isinstance(node, Proof | Absent):
            found.add(node.relation)
        elif isinstance(node, Aggregated):
            found |= {item.relation for item in node.aggregate.body if isinstance(item, Atom)}
    return found


def caveat(node: Proof) -> list[str]:
    """Say on one line that a lower proof may exist, if that is not known."""
    return [] if node.minimal else [CAVEAT]


def place(node: Proof) -> str:
    """Say where the rule of a step is written, ``file:line``; empty for a fact."""
    return f"{node.rule.span.file}:{node.rule.span.line}" if node.rule else ""


def evidence(facts: Iterable[Fact]) -> str:
    """Name the object of some facts and the fields that assert them, with their values."""
    facts = list(facts)
    if not facts:
        return ""
    source = facts[0].source
    name = f"{source.namespace}/{source.name}" if source.namespace else source.name
    # Fields whose mere presence is the fact carry no value worth repeating.
    fields = (f.field if f.value is True else f"{f.field} = {_value(f.value)}" for f in facts)
    version = f" (resourceVersion {source.resource_version})" if source.resource_version else ""
    return f"{source.kind} {name}{version}: {', '.join(dict.fromkeys(fields))}"


def _value(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else format_value(value)
