"""A proof as a document: a flat list of steps, one for each tuple.

A nested form would repeat shared steps up to 2^height times. Several proofs may share a list too.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from liqo_connectivity.engine import Absent, Aggregated, Holds, Premise, Proof, Rule, format_rule
from liqo_connectivity.facts import Fact, FactBase
from liqo_connectivity.operator.explain.proof_steps import proofs_below, sources, top_down


def proof_document(root: Proof, base: FactBase) -> dict[str, Any]:
    """Give a proof in its published form.

    Step 0 is the proved tuple. A step refers to its premises by number, always greater than its own: steps are in
    depth-first order, and a shared step comes after the last step that uses it.
    """
    return {"minimal": root.minimal, "steps": SharedSteps([root], base).steps}


class SharedSteps:
    """The steps of several proofs: ``steps`` in their published form, each of which stands once."""

    def __init__(self, roots: Iterable[Proof], base: FactBase) -> None:
        nodes = top_down(roots, proofs_below)
        self._numbers = {id(node): position for position, node in enumerate(nodes)}
        self.steps = [_step(node, self._numbers, base) for node in nodes]

    def proof(self, root: Proof) -> dict[str, Any]:
        """Give one of the proofs: the number of its root among the steps."""
        return {"minimal": root.minimal, "root": self._numbers[id(root)]}


def _step(node: Proof, number: Mapping[int, int], base: FactBase) -> dict[str, Any]:
    shown = {"step": number[id(node)], "relation": node.relation, "row": list(node.row), "height": node.height}
    if node.rule is None:
        return {**shown, "sources": [_source(fact) for fact in sources(node, base)]}
    return {**shown, "rule": rule_document(node.rule), "premises": [_premise(p, number) for p in node.premises]}


def _premise(node: Premise, number: Mapping[int, int]) -> int | dict[str, Any]:
    match node:
        case Proof():
            return number[id(node)]
        case Holds():
            return {"holds": node.comparison}
        case Absent():
            return {"absent": {"relation": node.relation, "row": list(node.pattern)}}
        case Aggregated():
            return {
                "aggregated": {
                    "comparison": str(node),
                    "kind": node.aggregate.kind,
                    "value": node.value,
                    "witnesses": [[_premise(premise, number) for premise in witness] for witness in node.witnesses],
                    "passedOver": list(node.passed_over),
                }
            }


def rule_document(rule: Rule) -> dict[str, Any]:
    """Give the text of a rule and where it is written."""
    return {"file": rule.span.file, "line": rule.span.line, "text": format_rule(rule)}


def _source(fact: Fact) -> dict[str, Any]:
    """Give the object and field of a fact."""
    source = fact.source
    return {
        "kind": source.kind,
        "namespace": source.namespace,
        "name": source.name,
        "uid": source.uid,
        "resourceVersion": source.resource_version,
        "field": fact.field,
        "value": fact.value,
    }
