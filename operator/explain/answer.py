"""The answer to ``why`` as data: the verdict, what decided it at each peering, the proofs, and what is not known.

``to_json`` gives the published form (why.schema.json). Everything is read from derived tuples; this module must not
decide anything, nor lay anything out.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from liqo_connectivity.engine import Aggregated, Model, Proof, prove
from liqo_connectivity.engine.proofs.enumeration import proofs
from liqo_connectivity.engine.why_not.failures import Absence, pattern, why_not
from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.explain.endpoints import Endpoint, Service, UnknownEndpointError
from liqo_connectivity.operator.explain.proof_json import proof_json
from liqo_connectivity.rules.relations import Flow

SCHEMA_VERSION = 2
_PASSED_OVER = 3
_DEPTH = 8
_WORST = ("denied", "unknown", "allowed")


@dataclass(frozen=True, slots=True)
class Decision:
    """What decided: ``established`` and ``default`` are built in, a ``rule`` has its index in the policy."""

    kind: str
    index: int | None
    action: str


@dataclass(frozen=True, slots=True)
class PeeringAnswer:
    """The verdict of one governing peering; ``decision`` is ``None`` while it is unknown.

    ``passed_over`` says of each rule before the one that decided why it does not match, the nearest few only.
    ``alternatives`` are further proofs of the same verdict, if they were asked for; ``complete`` says that there are no
    others.
    """

    peering: str
    namespace: str
    policy: str
    verdict: str
    decision: Decision | None
    proof: Proof
    passed_over: tuple[Absence, ...]
    alternatives: tuple[Proof, ...] = ()
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The whole answer. ``pairs`` counts the verdicts of all pairs of addresses that were asked about.

    ``unknown`` lists objects with the reason and detail that leave the verdict open; ``base`` says where facts come from.
    """

    source: Endpoint
    destination: Endpoint
    service: Service | None
    flow: Flow
    verdict: str
    pairs: dict[str, int]
    peerings: tuple[PeeringAnswer, ...]
    unknown: tuple[tuple[str, str, str], ...]
    base: FactBase


def make(
    model: Model,
    base: FactBase,
    flows: Sequence[Flow],
    source: Endpoint,
    destination: Endpoint,
    service: Service | None,
) -> Answer:
    """Read the answer from a model in which the flows were asked about; of several the worst decides."""
    verdicts = {str(flow): str(verdict) for flow, verdict in model.rows("flow_verdict")}
    pairs = Counter(verdicts.values())
    flow = min(flows, key=lambda f: _WORST.index(verdicts[f.flow]))
    peerings = tuple(
        _peering(model, str(peering), str(policy), flow.flow)
        for peering, policy, asked in model.rows("governs")
        if asked == flow.flow
    )
    unknown = tuple(
        (f"{kind} {found}".strip(), str(reason), str(detail))
        for asked, reason, kind, found, detail in model.rows("unknown_because")
        if asked == flow.flow
    )
    counted = {verdict: pairs[verdict] for verdict in ("allowed", "denied", "unknown")}
    return Answer(source, destination, service, flow, verdicts[flow.flow], counted, peerings, unknown, base)


def _peering(model: Model, peering: str, policy: str, flow: str) -> PeeringAnswer:
    ((verdict,),) = [row[2:] for row in model.rows("peering_verdict") if row[:2] == (peering, flow)]
    decided = [row[2:] for row in model.rows("decided_by") if row[:2] == (peering, flow)]
    decision = None
    if decided:
        kind, index, action = decided[0]
        decision = Decision(str(kind), int(index) if kind == "rule" else None, str(action))
    proof = prove(model, "peering_verdict", (peering, flow, verdict))
    if proof is None:
        raise AssertionError("a derived tuple has a proof")
    return PeeringAnswer(
        peering, policy.split("/")[0], policy, str(verdict), decision, proof, _passed_over(model, proof)
    )


def _passed_over(model: Model, proof: Proof) -> tuple[Absence, ...]:
    missing = [absent for node in proof.walk() if isinstance(node, Aggregated) for absent in node.missing()]
    explained = (why_not(model, pattern(absent.relation, absent.pattern), _DEPTH) for absent in missing[-_PASSED_OVER:])
    return tuple(absence for absence in explained if absence is not None)


def with_alternatives(found: Answer, model: Model, count: int) -> Answer:
    """Add further proofs of each peering's verdict, up to ``count`` with the one that it has."""
    several = [(p, proofs(model, p.proof.relation, p.proof.row, count)) for p in found.peerings]
    peerings = tuple(replace(p, alternatives=some.found[1:], complete=some.complete) for p, some in several)
    return replace(found, peerings=peerings)


def unresolved(
    source: Endpoint, destination: Endpoint, service: Service | None, state: str, error: UnknownEndpointError
) -> Answer:
    """Make the answer about an endpoint whose address is not known."""
    unknown = ((error.object, error.reason, error.detail),)
    counted = {"allowed": 0, "denied": 0, "unknown": 1}
    return Answer(source, destination, service, Flow("", "", "", state), "unknown", counted, (), unknown, FactBase())


def to_json(found: Answer) -> dict[str, Any]:
    """Give the answer in its published form."""
    destination = _end(found.destination, found.flow.destination)
    if found.service is not None:
        destination |= {"port": found.service.port, "protocol": found.service.protocol}
    return {
        "schemaVersion": SCHEMA_VERSION,
        "source": _end(found.source, found.flow.source),
        "destination": destination,
        "state": found.flow.state,
        "verdict": found.verdict,
        "pairs": found.pairs,
        "peerings": [_peering_json(peering, found.base) for peering in found.peerings],
        "unknown": [{"object": o, "reason": reason, "detail": detail} for o, reason, detail in found.unknown],
    }


def _end(endpoint: Endpoint, address: str) -> dict[str, Any]:
    return {"endpoint": endpoint.text, "address": address or None}


def _peering_json(peering: PeeringAnswer, base: FactBase) -> dict[str, Any]:
    decided = peering.decision
    others = {
        "alternatives": [proof_json(proof, base) for proof in peering.alternatives],
        "alternativesComplete": peering.complete,
    }
    return {
        "peering": peering.peering,
        "namespace": peering.namespace,
        "policy": peering.policy,
        "verdict": peering.verdict,
        "decidedBy": decided and {"kind": decided.kind, "index": decided.index, "action": decided.action},
        "proof": proof_json(peering.proof, base),
        **(others if peering.alternatives else {}),
    }
