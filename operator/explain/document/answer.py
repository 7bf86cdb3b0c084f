"""The answer to ``why`` as a document: the published form, described by ``why.schema.json``."""

from typing import Any, Final

from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.explain.answer import Answer, PeeringAnswer, PortsAnswer, is_rewritten
from liqo_connectivity.operator.explain.document.proof import proof_document
from liqo_connectivity.operator.explain.endpoints import Endpoint
from liqo_connectivity.operator.sources.input import LIQO

SCHEMA_VERSION: Final = 2
"""Raised by every change that a reader of the document would notice."""


def answer_document(found: Answer) -> dict[str, Any]:
    """Give the answer in its published form."""
    destination = _end(found.destination, found.flow.destination)
    if found.port is not None:
        destination |= {"port": found.port.number} if found.port.number else {}
        destination |= {"protocol": found.port.protocol}
    destination |= _target_port(found)
    return {
        "schemaVersion": SCHEMA_VERSION,
        "source": _end(found.source, found.flow.source),
        "destination": destination,
        "state": found.flow.state,
        **({"enforcer": found.enforcer} if found.enforcer != LIQO else {}),
        "verdict": found.verdict,
        "pairs": found.pairs,
        "peerings": [_peering(peering, found.base) for peering in found.peerings],
        "unknown": _unknown(found.unknown),
        **({"ports": [_ports(each, found.base) for each in found.by_ports]} if found.by_ports else {}),
    }


def _ports(found: PortsAnswer, base: FactBase) -> dict[str, Any]:
    return {
        "protocol": found.ports.protocol,
        "first": found.ports.first,
        "last": found.ports.last,
        "verdict": found.verdict,
        "peerings": [_peering(peering, base) for peering in found.peerings],
        "unknown": _unknown(found.unknown),
    }


def _unknown(rows: tuple[tuple[str, str, str], ...]) -> list[dict[str, str]]:
    return [{"object": o, "reason": reason, "detail": detail} for o, reason, detail in rows]


def _target_port(found: Answer) -> dict[str, int]:
    """Give the port of the endpoint, if nodes rewrite the destination to it."""
    (port,) = [q.port for q, _ in found.verdicts if q.flow == found.flow and found.port is not None] or [None]
    return {"targetPort": port.port} if port is not None and is_rewritten(found) else {}


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
        "decidedBy": decided and {"kind": decided.kind, "index": decided.rule, "action": decided.action},
        "proof": proof_document(peering.proof, base),
        **(others if peering.alternatives else {}),
    }
