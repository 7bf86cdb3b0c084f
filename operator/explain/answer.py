"""The answer to ``why`` as data: the verdict, what decided it at each peering, the proofs, and what is unknown."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from liqo_connectivity.engine import Absence, Aggregated, Explainer, Model, Proof, pattern, proofs, prove, why_not
from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.explain.endpoints import Endpoint, Port, UnknownEndpointError
from liqo_connectivity.operator.explain.proof_steps import relations_of
from liqo_connectivity.rules.relations import Flow

RELATIONS: Final = (
    "flow_verdict",
    "peering_verdict",
    "decided_by",
    "governs",
    "unknown_because",
    "blind_spot",
    "rule",
    "side_matches",
    "policy",
)
"""The relations that an answer is read from."""
SIDES: Final = ("source", "destination")
_PASSED_OVER = 3
_DEPTH = 8
WORST: Final = ("denied", "unknown", "allowed")
"""The verdicts, in the order in which one of several counts."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What decided: the built-in ``established`` or ``default``, or a ``rule`` with its index in the policy."""

    kind: str
    index: int | None
    action: str


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A rule of a policy that does not match a flow: its index, its action, and the sides that do not match."""

    index: int
    action: str
    sides: tuple[str, ...]


class PeeringAnswer(NamedTuple):
    """The verdict of one governing peering. ``decision`` is ``None`` while it is unknown.

    ``mismatches`` are the rules before the deciding one, in their order. If requested, ``passed_over`` explains why the
    last few of them do not match, and ``alternatives`` are further proofs of the same verdict; ``complete`` tells that no
    others exist.
    """

    peering: str
    namespace: str
    policy: str
    verdict: str
    decision: Decision | None
    proof: Proof
    mismatches: tuple[Mismatch, ...]
    passed_over: tuple[Absence, ...] = ()
    alternatives: tuple[Proof, ...] = ()
    complete: bool = False


class Answer(NamedTuple):
    """The whole answer about ``flow``, the pair of addresses with the worst verdict.

    ``pairs`` counts the verdicts of all pairs asked about, and ``verdicts`` has that of each. ``unknown`` lists (object, reason, detail) of what keeps the
    verdict unknown, and ``blind_spots`` (code, kind, object, detail) of what the verdict does not cover. ``base`` tells
    where facts come from.
    """

    source: Endpoint
    destination: Endpoint
    port: Port | None
    flow: Flow
    verdict: str
    pairs: dict[str, int]
    peerings: tuple[PeeringAnswer, ...]
    unknown: tuple[tuple[str, str, str], ...]
    base: FactBase
    blind_spots: tuple[tuple[str, str, str, str], ...] = ()
    verdicts: tuple[tuple[Flow, str], ...] = ()


def make(
    explainer: Explainer,
    base: FactBase,
    flows: Sequence[Flow],
    source: Endpoint,
    destination: Endpoint,
    port: Port | None,
) -> Answer:
    """Read the answer from a model that holds the flows as questions. The worst verdict of several is the answer."""
    model = explainer.model
    verdicts = {str(flow): str(verdict) for flow, verdict in model.rows("flow_verdict")}
    pairs = Counter(verdicts.values())
    flow = min(flows, key=lambda f: WORST.index(verdicts[f.flow]))
    peerings = tuple(
        _peering(explainer, str(peering), str(policy), flow.flow)
        for peering, policy, asked in model.rows("governs")
        if asked == flow.flow
    )
    unknown = tuple(
        (f"{kind} {found}".strip(), str(reason), str(detail))
        for asked, reason, kind, found, detail in model.rows("unknown_because")
        if asked == flow.flow
    )
    spots = tuple(
        (str(code), str(kind), str(found), str(detail))
        for asked, code, kind, found, detail in model.rows("blind_spot")
        if asked == flow.flow
    )
    each = tuple((asked, verdicts[asked.flow]) for asked in flows)
    counted = {verdict: pairs[verdict] for verdict in ("allowed", "denied", "unknown")}
    return Answer(source, destination, port, flow, verdicts[flow.flow], counted, peerings, unknown, base, spots, each)


def _peering(explainer: Explainer, peering: str, policy: str, flow: str) -> PeeringAnswer:
    model = explainer.model
    ((verdict,),) = [row[2:] for row in model.rows("peering_verdict") if row[:2] == (peering, flow)]
    decided = [row[2:] for row in model.rows("decided_by") if row[:2] == (peering, flow)]
    decision = None
    if decided:
        kind, index, action = decided[0]
        decision = Decision(str(kind), int(index) if kind == "rule" else None, str(action))
    proof = prove(explainer, "peering_verdict", (peering, flow, verdict))
    if proof is None:
        raise AssertionError("a derived tuple has a proof")
    mismatches = _mismatches(model, peering, flow, decision)
    return PeeringAnswer(peering, policy.split("/")[0], policy, str(verdict), decision, proof, mismatches)


def _mismatches(model: Model, peering: str, flow: str, decision: Decision | None) -> tuple[Mismatch, ...]:
    """List the rules that do not match, up to the one that decides; none if no rule was consulted."""
    if decision is None or decision.kind == "established":
        return ()
    matching = {(row[1], str(row[2])) for row in model.rows("side_matches") if (row[0], row[3]) == (peering, flow)}
    rules = sorted((int(index), str(action)) for owner, index, action in model.rows("rule") if owner == peering)
    return tuple(
        Mismatch(index, action, tuple(side for side in SIDES if (index, side) not in matching))
        for index, action in rules
        if decision.index is None or index < decision.index
    )


def _passed_over(explainer: Explainer, proof: Proof) -> tuple[Absence, ...]:
    missing = [absent for node in proof.walk() if isinstance(node, Aggregated) for absent in node.missing()]
    explained = (
        why_not(explainer, pattern(absent.relation, absent.pattern), _DEPTH) for absent in missing[-_PASSED_OVER:]
    )
    return tuple(absence for absence in explained if absence is not None)


def with_passed_over(found: Answer, explainer: Explainer) -> Answer:
    """Add, for each peering, why the last few rules before the deciding one do not match."""
    peerings = tuple(p._replace(passed_over=_passed_over(explainer, p.proof)) for p in found.peerings)
    return found._replace(peerings=peerings)


def with_alternatives(found: Answer, explainer: Explainer, count: int) -> Answer:
    """Add further proofs of each peering's verdict, up to ``count`` including the first."""
    several = [(p, proofs(explainer, p.proof.relation, p.proof.row, count)) for p in found.peerings]
    peerings = tuple(p._replace(alternatives=some.found[1:], complete=some.complete) for p, some in several)
    return found._replace(peerings=peerings)


def unresolved(
    source: Endpoint, destination: Endpoint, port: Port | None, state: str, error: UnknownEndpointError
) -> Answer:
    """Make the answer for an endpoint whose address is unknown."""
    unknown = ((error.object, error.reason, error.detail),)
    counted = {"allowed": 0, "denied": 0, "unknown": 1}
    return Answer(source, destination, port, Flow("", "", "", state), "unknown", counted, (), unknown, FactBase())


def proofs_of(found: Answer) -> list[Proof]:
    """List the proofs of an answer, each peering's alternatives after its first."""
    return [proof for peering in found.peerings for proof in (peering.proof, *peering.alternatives)]


def relations_used(found: Answer) -> set[str]:
    """Give the relations that the proofs and explanations of an answer rest on."""
    absences = (absence for peering in found.peerings for absence in peering.passed_over)
    names: set[str] = set()
    return names.union(*map(relations_of, proofs_of(found)), *(absence.relations() for absence in absences))
