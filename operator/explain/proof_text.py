"""Proofs for people: a tree of at most a screenful, or a Graphviz graph.

The short form keeps what a reader needs to check the verdict: each derived tuple once, what was looked for and not
found beside it, and the objects' fields at the leaves. It leaves out steps that restate the question, constants of the
program and what was proved above; the full form leaves out nothing. This module must not decide anything.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import groupby

from liqo_connectivity.engine import Absent, Aggregated, Holds, Proof
from liqo_connectivity.engine.proofs.proof import Premise, premises
from liqo_connectivity.engine.syntax.printer import format_value
from liqo_connectivity.facts import Fact, FactBase
from liqo_connectivity.operator.explain.proof_steps import QUESTION, proofs_below, sources, top_down

_CAVEAT = "the search ended early: the proof is valid, but a lower one may exist"
_PASSED_OVER = 3
"""How many tuples are named that would have come before the least, or greatest."""


def proof_lines(node: Proof, base: FactBase, *, full: bool = False) -> list[str]:
    """Lay a proof out as an indented tree, two spaces a step."""
    return list(_full(node, base) if full else _short(node, base))


def caveat(node: Proof) -> list[str]:
    """Say on one line that a lower proof may exist, if that is not known."""
    return [] if node.minimal else [_CAVEAT]


def _full(root: Proof, base: FactBase) -> Iterator[str]:
    shown: set[int] = set()
    pending: list[tuple[Premise, str]] = [(root, "")]
    while pending:
        node, indent = pending.pop()
        below = premises(node)
        if not isinstance(node, Proof):
            yield f"{indent}{_remark(node)}"
        elif node.rule is None:
            yield f"{indent}{node}  <- {_evidence(sources(node, base)) or 'the question'}"
        elif id(node) in shown:
            yield f"{indent}{node}  (as above)"
            below = ()
        else:
            shown.add(id(node))
            yield f"{indent}{node}  [{_place(node)}]"
        pending.extend((premise, indent + "  ") for premise in reversed(below))


def _remark(node: Absent | Holds | Aggregated) -> str:
    """Say on one line what no proof shows: what was not found, what is true, what comes first."""
    match node:
        case Absent():
            return f"not found: {node}"
        case Holds():
            return f"true: {node}"
        case Aggregated():
            value = "" if node.comparison.operator == "=" else f", for it is {node.value}"
            return "; ".join([f"true: {node}{value}", *_not_found(node.missing())])


def _not_found(absent: Sequence[Absent]) -> list[str]:
    """Name tuples that were not found, at least the first few, on one line; or on none."""
    more = f" and {len(absent) - _PASSED_OVER} more" if len(absent) > _PASSED_OVER else ""
    return [f"not found: {', '.join(map(str, absent[:_PASSED_OVER]))}{more}"] if absent else []


def _short(root: Proof, base: FactBase) -> Iterator[str]:
    if root.rule is None:
        yield f"{root}  <- {_evidence(sources(root, base)) or 'the question'}"
        return
    left_out = _restating(root) - {id(root)}
    pending: list[tuple[Proof | str, str]] = [(root, "")]
    while pending:
        node, indent = pending.pop()
        if isinstance(node, str):
            yield indent + node
            continue
        # An earlier sibling may have proved it meanwhile.
        if id(node) in left_out:
            continue
        chain = [node]
        while True:
            left_out.add(id(chain[-1]))
            derived, facts, remarks = _parts(chain[-1], left_out)
            if len(derived) != 1 or facts or remarks:
                break
            chain.append(derived[0])
        line = "  ".join([f"{indent}{' <- '.join(map(str, chain))}", f"[{_place(chain[-1])}]", *remarks])
        evidence = [_evidence(group) for _, group in groupby(_sorted_facts(facts, base), key=lambda fact: fact.source)]
        if not derived and len(evidence) == 1:
            yield f"{line}  <- {evidence[0]}"
            continue
        yield line
        below: list[Proof | str] = [*derived, *evidence]
        pending.extend((part, indent + "  ") for part in reversed(below))


def _parts(node: Proof, left_out: Container[int]) -> tuple[list[Proof], list[Proof], list[str]]:
    """Split the premises worth showing into derived tuples, facts, and remarks on what was not found or was counted."""
    below = [
        p for premise in node.premises for p in (premises(premise) if isinstance(premise, Aggregated) else [premise])
    ]
    proofs = list(dict.fromkeys(premise for premise in below if isinstance(premise, Proof)))
    derived = [p for p in proofs if p.rule is not None and p.rule.body and id(p) not in left_out]
    facts = [p for p in proofs if p.rule is None and p.relation != QUESTION]
    absent = [premise for premise in below if isinstance(premise, Absent)]
    remarks = [f"not found: {', '.join(map(str, absent))}"] if absent else []
    for premise in node.premises:
        if isinstance(premise, Aggregated):
            first = premise.aggregate.kind != "count" and premise.comparison.operator == "="
            remarks += _not_found(premise.missing()) if first else [_remark(premise)]
    return derived, facts, remarks


def _restating(root: Proof) -> set[int]:
    """Find the steps that say nothing beyond the question: the flow is the only fact below them."""
    asking, beyond = set[int](), set[int]()
    for node in reversed(top_down(root, proofs_below)):
        if node.rule is None:
            says_more = node.relation != QUESTION
        else:
            says_more = any(isinstance(p, Absent | Aggregated) or id(p) in beyond for p in node.premises)
        if says_more:
            beyond.add(id(node))
        elif node.rule is None or any(id(p) in asking for p in node.premises):
            asking.add(id(node))
    return asking


def _sorted_facts(nodes: Iterable[Proof], base: FactBase) -> list[Fact]:
    return sorted((fact for node in nodes for fact in sources(node, base)), key=lambda fact: (fact.source, fact.field))


def _place(node: Proof) -> str:
    return f"{node.rule.span.file}:{node.rule.span.line}" if node.rule else ""


def _evidence(facts: Iterable[Fact]) -> str:
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


def to_dot(proofs: Sequence[Proof], base: FactBase) -> str:
    """Draw proofs as one Graphviz graph; a step that several share is one node."""
    numbers: dict[str, int] = {}
    nodes: list[str] = []
    edges: dict[str, None] = {}
    for proof in proofs:
        for node in proof.walk():
            number = numbers.setdefault(_label(node), len(numbers))
            if number == len(nodes):
                nodes.append(f"  n{number} [{_attributes(node, base)}];")
            for premise in premises(node):
                target = numbers.get(_label(premise))
                if target is None:
                    target = numbers[_label(premise)] = len(nodes)
                    nodes.append(f"  n{target} [{_attributes(premise, base)}];")
                edges[f"  n{target} -> n{number};"] = None
    header = ["digraph why {", "  rankdir=BT;", '  node [shape=box, fontname="monospace"];']
    header += [f'  label="{_CAVEAT}";'] if any(caveat(proof) for proof in proofs) else []
    return "\n".join([*header, *nodes, *edges, "}"]) + "\n"


def _label(node: Premise) -> str:
    return f"not found: {node}" if isinstance(node, Absent) else str(node)


def _attributes(node: Premise, base: FactBase) -> str:
    label, style = _label(node), ", style=dashed"
    if isinstance(node, Proof):
        below = _place(node) or _evidence(sources(node, base)) or "the question"
        label, style = f"{label}\n{below}", "" if node.rule else ", style=bold"
    escaped = label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'label="{escaped}"{style}'
