"""The answer to ``why`` as data: the verdict, what decided it at each peering, the proofs, and what is unknown."""

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from liqo_connectivity.engine import Absence, Aggregated, Explainer, Model, Proof, pattern, proofs, prove, why_not
from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.explain.endpoints import Endpoint, Port, UnknownEndpointError
from liqo_connectivity.operator.explain.parties import SIDES
from liqo_connectivity.operator.explain.proof_steps import relations_of
from liqo_connectivity.operator.sources.input import LIQO
from liqo_connectivity.operator.sources.question import OTHER, Ports, Question
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
    "sides_match",
    "matches",
    "policy",
)
"""The relations that an answer is read from."""
_PASSED_OVER = 3
_DEPTH = 8
WORST: Final = ("denied", "unknown", "allowed")
"""The verdicts, in the order in which one of several counts."""


class Decision(NamedTuple):
    """What decided: the built-in ``established`` or ``default``, or a rule, by its index in the policy."""

    kind: str
    rule: int | None
    action: str


class Mismatch(NamedTuple):
    """A rule of a policy, by its index, that does not match a flow: its action, and the sides that do not match.

    If both sides match, its ports do not.
    """

    rule: int
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


class PortsAnswer(NamedTuple):
    """The verdict on a class of ports of the pair of addresses, and what decided it, by peering.

    ``unknown`` is as in `Answer`. ``peerings`` are filled if requested.
    """

    ports: Ports
    flow: Flow
    verdict: str
    decisions: tuple[tuple[str, str, str, Decision | None], ...]
    """The peering, its policy, its verdict, and what decided."""
    unknown: tuple[tuple[str, str, str], ...]
    peerings: tuple[PeeringAnswer, ...] = ()


class Answer(NamedTuple):
    """The whole answer about ``flow``, the pair of addresses with the worst verdict, and of its ports those with the worst.

    ``pairs`` counts the verdicts of all pairs asked about, and ``verdicts`` has that of each. ``by_ports`` has the verdict
    on each class of ports that rules tell apart; it is empty if there was one question about the pair. ``unknown`` lists (object, reason, detail) of what keeps the
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
    verdicts: tuple[tuple[Question, str], ...] = ()
    by_ports: tuple[PortsAnswer, ...] = ()
    enforcer: str = LIQO


def make(
    explainer: Explainer,
    base: FactBase,
    asked: Sequence[Question],
    source: Endpoint,
    destination: Endpoint,
    port: Port | None,
) -> Answer:
    """Read the answer from a model that holds the questions. The worst verdict of several is the answer."""
    model = explainer.model
    verdicts = {str(flow): str(verdict) for flow, verdict in model.rows("flow_verdict")}
    pairs: dict[str, list[Question]] = {}
    for each in asked:
        pairs.setdefault(each.pair, []).append(each)
    worst = [min(some, key=lambda q: _rank(q, verdicts)) for some in pairs.values()]
    chosen = min(worst, key=lambda q: WORST.index(verdicts[q.flow.flow]))
    flow = chosen.flow
    spots = tuple(
        (str(code), str(kind), str(found), str(detail))
        for named, code, kind, found, detail in model.rows("blind_spot")
        if named == flow.flow
    )
    each_pair = tuple((q, verdicts[q.flow.flow]) for q in worst)
    counts = Counter(verdict for _, verdict in each_pair)
    return Answer(
        source,
        destination,
        port,
        flow,
        verdicts[flow.flow],
        {verdict: counts[verdict] for verdict in ("allowed", "denied", "unknown")},
        _peerings(explainer, flow.flow),
        _unknown(model, flow.flow),
        base,
        spots,
        each_pair,
        tuple(
            PortsAnswer(
                q.ports, q.flow, verdicts[q.flow.flow], _decisions(model, q.flow.flow), _unknown(model, q.flow.flow)
            )
            for q in pairs[chosen.pair]
            if q.ports is not None
        ),
    )


def _rank(asked: Question, verdicts: dict[str, str]) -> tuple[int, bool]:
    """Rank a question of a pair: the worst verdict first, and of equal ones that on the traffic of no named port."""
    return WORST.index(verdicts[asked.flow.flow]), asked.ports is not None and asked.ports.protocol != OTHER


def _unknown(model: Model, flow: str) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (f"{kind} {found}".strip(), str(reason), str(detail))
        for named, reason, kind, found, detail in model.rows("unknown_because")
        if named == flow
    )


def _decisions(model: Model, flow: str) -> tuple[tuple[str, str, str, Decision | None], ...]:
    return tuple(
        (str(peering), str(policy), *_verdict(model, str(peering), flow))
        for peering, policy, named in model.rows("governs")
        if named == flow
    )


def _verdict(model: Model, peering: str, flow: str) -> tuple[str, Decision | None]:
    ((verdict,),) = [row[2:] for row in model.rows("peering_verdict") if row[:2] == (peering, flow)]
    decided = [row[2:] for row in model.rows("decided_by") if row[:2] == (peering, flow)]
    if not decided:
        return str(verdict), None
    kind, index, action = decided[0]
    return str(verdict), Decision(str(kind), int(index) if kind == "rule" else None, str(action))


def _peerings(explainer: Explainer, flow: str) -> tuple[PeeringAnswer, ...]:
    return tuple(
        _peering(explainer, peering, policy, flow, verdict, decision)
        for peering, policy, verdict, decision in _decisions(explainer.model, flow)
    )


def _peering(
    explainer: Explainer, peering: str, policy: str, flow: str, verdict: str, decision: Decision | None
) -> PeeringAnswer:
    proof = prove(explainer, "peering_verdict", (peering, flow, verdict))
    if proof is None:
        raise AssertionError("a derived tuple has a proof")
    mismatches = _mismatches(explainer.model, peering, flow, decision)
    return PeeringAnswer(peering, policy.split("/")[0], policy, verdict, decision, proof, mismatches)


def _mismatches(model: Model, peering: str, flow: str, decision: Decision | None) -> tuple[Mismatch, ...]:
    """List the rules that do not match, up to the one that decides; none if no rule was consulted."""
    if decision is None or decision.kind == "established":
        return ()
    matching = {(row[1], str(row[2])) for row in model.rows("side_matches") if (row[0], row[3]) == (peering, flow)}
    whole = {row[1] for row in model.rows("matches") if (row[0], row[2]) == (peering, flow)}
    rules = sorted((int(index), str(action)) for owner, index, action in model.rows("rule") if owner == peering)
    return tuple(
        Mismatch(index, action, tuple(side for side in SIDES if (index, side) not in matching))
        for index, action in rules
        if (decision.rule is None or index < decision.rule) and index not in whole
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


def with_port_proofs(found: Answer, explainer: Explainer) -> Answer:
    """Add the proofs of each class of ports."""
    by_ports = tuple(p._replace(peerings=_peerings(explainer, p.flow.flow)) for p in found.by_ports)
    return found._replace(by_ports=by_ports)


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


def is_rewritten(found: Answer) -> bool:
    """Whether nodes rewrite the destination: it is a Service, or an address of one, and the flow is about an endpoint."""
    if found.destination.kind == "service":
        return True
    return found.destination.kind == "ip" and found.flow.destination not in (found.destination.name, "")


def proofs_of(found: Answer) -> list[Proof]:
    """List the proofs of an answer, each peering's alternatives after its first, and those of classes of ports last."""
    peerings = [*found.peerings, *(peering for each in found.by_ports for peering in each.peerings)]
    return [proof for peering in peerings for proof in (peering.proof, *peering.alternatives)]


def relations_used(found: Answer) -> set[str]:
    """Give the relations that the proofs and explanations of an answer rest on."""
    absences = (absence for peering in found.peerings for absence in peering.passed_over)
    names: set[str] = set()
    return names.union(*map(relations_of, proofs_of(found)), *(absence.relations() for absence in absences))
