"""What drifted, as a document."""

from collections.abc import Iterable
from typing import Any

from liqo_connectivity.engine import Explainer, Model, prove
from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.explain.document.proof import proof_document
from liqo_connectivity.operator.explain.drift import Comparison, rule_index
from liqo_connectivity.operator.explain.text.drift import rows_of, sentence


def drift_document(
    verdict: str, compared: Iterable[Comparison], model: Model, base: FactBase, explainer: Explainer | None
) -> dict[str, Any]:
    """Give all comparisons, those without a difference too; with an ``explainer``, the proofs of what is wanted."""
    return {
        "verdict": verdict,
        "comparisons": [
            {
                "peering": each.peering,
                "policy": each.policy,
                "wanted": each.wanted,
                "found": each.found,
                "lastWritten": each.since or None,
                "pending": each.waits,
                "differences": [
                    _difference(each, number, model, base, explainer) for number in range(len(each.differences))
                ],
            }
            for each in compared
        ],
    }


def _difference(
    compared: Comparison, number: int, model: Model, base: FactBase, explainer: Explainer | None
) -> dict[str, Any]:
    difference = compared.differences[number]
    rule = rule_index(difference) if difference.part == "rule" else None
    document: dict[str, Any] = {
        "part": difference.part,
        "change": difference.change,
        "name": difference.name,
        "text": difference.text,
        "chain": difference.chain or None,
        "rule": rule[1] if rule is not None and rule[0] == "rule" else None,
        "sentence": sentence(difference, compared, base),
    }
    if explainer is not None:
        held = [(name, row) for name, row in rows_of(difference, compared, model) if model.contains(name, row)]
        proofs = [prove(explainer, name, row) for name, row in held]
        document["proofs"] = [proof_document(proof, base) for proof in proofs if proof is not None]
    return document
