"""The answer to ``why-not`` as a document."""

from typing import Any, Final

from liqo_connectivity.operator.explain.answer import Answer
from liqo_connectivity.operator.explain.denial import Denial
from liqo_connectivity.operator.explain.document.absence import absence_document
from liqo_connectivity.operator.explain.document.answer import answer_document

SCHEMA_VERSION: Final = 2
"""Raised by every change that a reader of the document would notice."""


def denials_document(found: Answer, denials: tuple[Denial, ...]) -> dict[str, Any]:
    """Give the explanation; its field ``why`` holds the answer of ``why``."""
    return {
        "schemaVersion": SCHEMA_VERSION,
        "expected": "allowed",
        "verdict": found.verdict,
        "denials": [
            {
                "peering": denial.peering.peering,
                "policy": denial.peering.policy,
                "allowRules": [
                    {
                        "index": rule.index,
                        "source": rule.parties[0],
                        "destination": rule.parties[1],
                        "beforeTheDecision": rule.first,
                        "misses": [
                            {"side": side, "whyNot": absence_document(absence, found.base)}
                            for side, absence in rule.misses
                        ],
                        "failedClauses": [
                            {
                                "side": side,
                                "clause": clause.kind,
                                "object": clause.object,
                                "wanted": clause.wanted,
                                "found": clause.found,
                            }
                            for side, clause in rule.clauses
                        ],
                    }
                    for rule in denial.rules
                ],
            }
            for denial in denials
        ],
        "why": answer_document(found),
    }
