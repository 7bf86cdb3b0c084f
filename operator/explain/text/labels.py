"""The labels for which a selector takes a Pod, as fields of the Pod and of its Namespace."""

from liqo_connectivity.engine import Proof
from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.explain.proof_steps import evidence

_KINDS = (("Pod", "pod_label", 4), ("Namespace", "namespace_label", 3))
"""The kind of object, the relation of its labels, and the column of its selector in a selection."""


def label_evidence(node: Proof, base: FactBase) -> list[str]:
    """Name the labels on which a proof that a side matches rests, and those that its selectors want to be absent."""
    selections = [n for n in node.walk() if isinstance(n, Proof) and n.relation == "selection"]
    pods = [n.row[0] for n in node.walk() if isinstance(n, Proof) and n.relation == "pod"]
    if not selections or not pods:
        return []
    pod = str(pods[0])
    said: list[str] = []
    for (kind, relation, column), found in zip(_KINDS, (pod, pod.partition("/")[0]), strict=True):
        selector = selections[0].row[column]
        keys = sorted({str(row[3]) for row in base.rows("policy_requirement") if row[1] == selector})
        for key in keys:
            rows = [row for row in base.rows(relation) if row[:2] == (found, key)]
            held = [evidence(base.facts_for(relation, row)[:1]) for row in rows]
            said += held or [f"{kind} {found} has no label {key}"]
    return said
