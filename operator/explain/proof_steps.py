"""What every form of a proof is made from: its tuples in order, and the object fields behind its facts.

Nothing here recurses: a proof may be thousands of steps high.
"""

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from liqo_connectivity.engine import Absent, Aggregated, Atom, Premise, Proof, format_value, premises
from liqo_connectivity.facts import Fact, FactBase

QUESTION = "flow"
"""The relation that holds the question: it comes from no object."""

CAVEAT: Final = "the search ended early: the proof is valid, but a lower one may exist"
"""Shown with a proof that may not be minimal."""

Node = TypeVar("Node")


def sources(node: Proof, base: FactBase) -> tuple[Fact, ...]:
    """Give the facts that assert a tuple; none for the question."""
    return () if node.relation == QUESTION else base.facts_for(node.relation, node.row)


def proofs_below(node: Premise) -> list[Proof]:
    """Give the proofs one step below: of the premises, and of the witnesses of aggregates."""
    return [
        p for premise in premises(node) for p in ([premise] if isinstance(premise, Proof) else proofs_below(premise))
    ]


def top_down(roots: Iterable[Node], below: Callable[[Node], Iterable[Node]]) -> list[Node]:
    """List the nodes of an acyclic graph in topological order: the first root first, each node before those below it."""
    ordered: list[Node] = []
    seen: set[int] = set()
    pending = [(root, False) for root in roots]
    while pending:
        node, is_left = pending.pop()
        if is_left:
            ordered.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            pending.append((node, True))
            # The list is reversed at the end, so the last child is visited first.
            pending.extend((child, False) for child in below(node))
    ordered.reverse()
    return ordered


def relations_of(proof: Proof) -> set[str]:
    """Give the relations that a proof rests on, including those it found empty or aggregated over."""
    found: set[str] = set()
    for node in proof.walk():
        if isinstance(node, Proof | Absent):
            found.add(node.relation)
        elif isinstance(node, Aggregated):
            found |= {item.relation for item in node.aggregate.body if isinstance(item, Atom)}
    return found


def caveat(node: Proof) -> list[str]:
    """Warn on one line that a lower proof may exist; no line if the proof is minimal."""
    return [] if node.minimal else [CAVEAT]


def place(node: Proof) -> str:
    """Give ``file:line`` of the rule of a step; empty for a fact."""
    return f"{node.rule.span.file}:{node.rule.span.line}" if node.rule else ""


def evidence(facts: Iterable[Fact]) -> str:
    """Name the object behind facts, with the fields that assert them and their values."""
    facts = list(facts)
    if not facts:
        return ""
    source = facts[0].source
    name = f"{source.namespace}/{source.name}" if source.namespace else source.name
    # A field whose presence is the fact has no value worth repeating.
    fields = (f.field if f.value is True else f"{f.field} = {_value(f.value)}" for f in facts)
    version = f" (resourceVersion {source.resource_version})" if source.resource_version else ""
    return f"{source.kind} {name}{version}: {', '.join(dict.fromkeys(fields))}"


def _value(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else format_value(value)
