"""Graphviz graphs: of proofs, and of the relations of a program."""

from collections.abc import Sequence

from liqo_connectivity.engine import Absent, Aggregate, Premise, Program, Proof, dependencies, premises
from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.explain.proof_steps import CAVEAT, evidence, place, sources


def proofs_dot(proofs: Sequence[Proof], base: FactBase) -> str:
    """Draw proofs as one Graphviz graph; a shared step is one node."""
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
    header += [f'  label="{CAVEAT}";'] if not all(proof.minimal for proof in proofs) else []
    return "\n".join([*header, *nodes, *edges, "}"]) + "\n"


def _label(node: Premise) -> str:
    return f"not found: {node}" if isinstance(node, Absent) else str(node)


def _attributes(node: Premise, base: FactBase) -> str:
    label, style = _label(node), ", style=dashed"
    if isinstance(node, Proof):
        below = place(node) or evidence(sources(node, base)) or "the question"
        label, style = f"{label}\n{below}", "" if node.rule else ", style=bold"
    escaped = label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'label="{escaped}"{style}'


def rules_dot(program: Program) -> str:
    """Draw which relation is derived from which as a Graphviz graph, one box for each stratum."""
    reads = dependencies(program.rules)
    strata = {name: c.stratum for c in program.components for name in c.relations}
    # Without newrank, Graphviz up to 2.43 loses edges between clusters. Without the limits, it takes minutes over a thousand edges.
    lines = [
        "digraph rules {",
        "  rankdir=BT; newrank=true; splines=line; nslimit=1; nslimit1=1; mclimit=0.1;",
        '  node [shape=box, fontname="monospace"];',
    ]
    for stratum in range(max(strata.values(), default=-1) + 1):
        names = " ".join(f'"{name}";' for name in sorted(strata) if strata[name] == stratum)
        lines.append(f'  subgraph cluster_{stratum} {{ label="stratum {stratum}"; {names} }}')
    for source, target in sorted((below, name) for name, reading in reads.items() for below in reading):
        whole = reads[target][source]
        label = whole.kind if isinstance(whole, Aggregate) else "not"
        style = f" [style=dashed, label={label}]" if whole else ""
        lines.append(f'  "{source}" -> "{target}"{style};')
    return "\n".join([*lines, "}"]) + "\n"
