"""The answer to ``why`` as a document: the published form, described by ``why.schema.json``."""

from collections.abc import Callable
from typing import Any, Final

from liqo_connectivity.engine import Proof
from liqo_connectivity.operator.explain.answer import (
    Answer,
    FlowAnswer,
    PairAnswer,
    PortsAnswer,
    further_proofs,
    is_rewritten,
)
from liqo_connectivity.operator.explain.decisions import PeeringAnswer
from liqo_connectivity.operator.explain.document.proof import SharedSteps, proof_document
from liqo_connectivity.operator.explain.endpoints import Endpoint
from liqo_connectivity.operator.sources.input import LIQO

SCHEMA_VERSION: Final = 2
"""Raised by every change that a reader of the document would notice."""

_Write = Callable[[Proof], dict[str, Any]]
"""Writes a proof."""


def answer_document(found: Answer) -> dict[str, Any]:
    """Give the answer in its published form."""
    destination = _end(found.destination, found.flow.destination)
    if found.port is not None:
        destination |= {"port": found.port.number} if found.port.number else {}
        destination |= {"protocol": found.port.protocol}
    (port,) = [q.port for q, _ in found.verdicts if q.flow == found.flow and found.port is not None] or [None]
    destination |= _target_port(found, found.flow.destination, port.port if port else None)
    shared = SharedSteps(further_proofs(found), found.base)
    return {
        "schemaVersion": SCHEMA_VERSION,
        "source": _end(found.source, found.flow.source),
        "destination": destination,
        "state": found.flow.state,
        **({"enforcer": found.enforcer} if found.enforcer != LIQO else {}),
        "verdict": found.verdict,
        "pairs": found.pairs,
        "peerings": [_peering(each, lambda proof: proof_document(proof, found.base)) for each in found.peerings],
        "unknown": _unknown(found.unknown),
        **_ports(found.by_ports, shared.proof),
        **({"otherPairs": [_pair(each, found, shared.proof) for each in found.others]} if found.others else {}),
        **({"steps": shared.steps} if shared.steps else {}),
    }


def _pair(pair: PairAnswer, found: Answer, write: _Write) -> dict[str, Any]:
    flow = pair.answer.flow
    return {
        "source": flow.source,
        "destination": flow.destination,
        **_target_port(found, flow.destination, pair.port),
        **_about(pair.answer, write),
        **_ports(pair.by_ports, write),
    }


def _ports(parts: tuple[PortsAnswer, ...], write: _Write) -> dict[str, Any]:
    entries = [
        {
            "protocol": each.ports.protocol,
            "first": each.ports.first,
            "last": each.ports.last,
            **_about(each.answer, write),
        }
        for each in parts
    ]
    return {"ports": entries} if entries else {}


def _about(found: FlowAnswer, write: _Write) -> dict[str, Any]:
    return {
        "verdict": found.verdict,
        "peerings": [_peering(peering, write) for peering in found.peerings],
        "unknown": _unknown(found.unknown),
    }


def _unknown(rows: tuple[tuple[str, str, str], ...]) -> list[dict[str, str]]:
    return [{"object": o, "reason": reason, "detail": detail} for o, reason, detail in rows]


def _target_port(found: Answer, address: str, port: int | None) -> dict[str, int]:
    """Give the port of the endpoint, if nodes rewrite the destination to it."""
    return {"targetPort": port} if port and is_rewritten(found, address) else {}


def _end(endpoint: Endpoint, address: str) -> dict[str, Any]:
    # A pod by its namespace and name, whatever -n was: the answer is read elsewhere.
    text = endpoint.name if endpoint.kind == "pod" else endpoint.text
    return {"endpoint": text, "address": address or None}


def _peering(peering: PeeringAnswer, write: _Write) -> dict[str, Any]:
    decided = peering.decision
    others = {
        "alternatives": [write(proof) for proof in peering.alternatives],
        "alternativesComplete": peering.complete,
    }
    return {
        "peering": peering.peering,
        "namespace": peering.namespace,
        "policy": peering.policy,
        "verdict": peering.verdict,
        "decidedBy": decided and {"kind": decided.kind, "index": decided.rule, "action": decided.action},
        "proof": write(peering.proof),
        **(others if peering.alternatives else {}),
    }
