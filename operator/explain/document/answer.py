"""The answer to ``why`` as a document: the published form, described by ``why.schema.json``."""

from typing import Any, Final

from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.explain.answer import Answer, PeeringAnswer
from liqo_connectivity.operator.explain.document.proof import proof_document
from liqo_connectivity.operator.explain.endpoints import Endpoint

SCHEMA_VERSION: Final = 2
"""Raised by every change that a reader of the document would notice."""


def answer_document(found: Answer) -> dict[str, Any]:
    """Give the answer in its published form."""
    destination = _end(found.destination, found.flow.destination)
    if found.port is not None:
        destination |= {"port": found.port.number, "protocol": found.port.protocol}
    return {
        "schemaVersion": SCHEMA_VERSION,
        "source": _end(found.source, found.flow.source),
        "destination": destination,
        "state": found.flow.state,
        "verdict": found.verdict,
        "pairs": found.pairs,
        "peerings": [_peering(peering, found.base) for peering in found.peerings],
        "unknown": [{"object": o, "reason": reason, "detail": detail} for o, reason, detail in found.unknown],
    }


def _end(endpoint: Endpoint, address: str) -> dict[str, Any]:
    # A pod by its namespace and name, whatever -n was: the answer is read elsewhere.
    text = endpoint.name if endpoint.kind == "pod" else endpoint.text
    return {"endpoint": text, "address": address or None}


def _peering(peering: PeeringAnswer, base: FactBase) -> dict[str, Any]:
    decided = peering.decision
    others = {
        "alternatives": [proof_document(proof, base) for proof in peering.alternatives],
        "alternativesComplete": peering.complete,
    }
    return {
        "peering": peering.peering,
        "namespace": peering.namespace,
        "policy": peering.policy,
        "verdict": peering.verdict,
        "decidedBy": decided and {"kind": decided.kind, "index": decided.index, "action": decided.action},
        "proof": proof_document(peering.proof, base),
        **(others if peering.alternatives else {}),
    }
