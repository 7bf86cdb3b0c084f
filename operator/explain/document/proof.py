"""A proof for machines: a flat list of steps, each tuple once, so that the list is as long as the proof has tuples.

A nested form repeats what is shared, up to 2^height times, and is as deep as the proof is high. This module must not
decide anything.
"""

from collections.abc import Mapping
from typing import Any

from liqo_connectivity.engine import Absent, Aggregated, Holds, Premise, Proof, Rule, format_rule
from liqo_connectivity.facts import Fact, FactBase
from liqo_connectivity.operator.explain.proof_steps import proofs_below, sources, top_down


def proof_document(root: Proof, base: FactBase) -> dict[str, Any]:
    """Give a proof in its published form.

    Step 0 is the tuple that is proved. A step names its premises by their numbers, which are greater than its own: the
    steps are in the order of a walk that goes down into each premise in turn, and a step that several share stands
    below the last of them.
    """
    steps = top_down(root, proofs_below)
    number = {id(node): position for position, node in enumerate(steps)}
    return {"minimal": root.minimal, "steps": [_step(node, number, base) for node in steps]}


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
    """Give a rule, and where it is written."""
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
