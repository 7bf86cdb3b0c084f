"""The answer to ``why`` as data: the verdict, what decided it at each peering, the proofs, and what is unknown."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from liqo_connectivity.engine import Absence, Aggregated, Explainer, Model, Proof, pattern, proofs, why_not
from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.explain.decisions import (
    Decision,
    PeeringAnswer,
    decisions_on,
    peerings_of,
    unknown_about,
)
from liqo_connectivity.operator.explain.endpoints import Endpoint, Port, UnknownEndpointError
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
_OTHER_PAIRS = 7
"""With more pairs of addresses beside the one that decides, only their verdicts are part of an answer."""
WORST: Final = ("denied", "unknown", "allowed")
"""The verdicts, in the order in which one of several counts."""


class FlowAnswer(NamedTuple):
    """The verdict on a flow, and what decided it, by peering. ``unknown`` is as in `Answer`. ``peerings`` are filled if requested."""

    flow: Flow
    verdict: str
    decisions: tuple[tuple[str, str, str, Decision | None], ...]
    """The peering, its policy, its verdict, and what decided."""
    unknown: tuple[tuple[str, str, str], ...]
    peerings: tuple[PeeringAnswer, ...] = ()


class PortsAnswer(NamedTuple):
    """The answer about a class of ports of a pair of addresses."""

    ports: Ports
    answer: FlowAnswer


class PairAnswer(NamedTuple):
    """The answer about a pair of addresses: ``answer`` is about its worst ports, and ``by_ports`` is as in `Answer`.

    ``port`` is the one at which chains see it, if it is known.
    """

    answer: FlowAnswer
    port: int | None
    by_ports: tuple[PortsAnswer, ...]


class Answer(NamedTuple):
    """The whole answer about ``flow``, the pair of addresses with the worst verdict, and of its ports those with the worst.

    ``pairs`` counts the verdicts of all pairs asked about, and ``verdicts`` has that of each. ``by_ports`` has the verdict
    on each class of ports that rules tell apart; it is empty if there was one question about the pair. ``others`` are all other
    pairs; it is empty if an end is a group or there are too many. ``unknown`` lists (object, reason, detail) of what keeps the
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
    others: tuple[PairAnswer, ...] = ()
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
    others = [q for q in worst if q is not chosen]
    if len(others) > _OTHER_PAIRS or "group" in (source.kind, destination.kind):
        others = []
    return Answer(
        source,
        destination,
        port,
        flow,
        verdicts[flow.flow],
        {verdict: counts[verdict] for verdict in ("allowed", "denied", "unknown")},
        peerings_of(explainer, flow.flow),
        unknown_about(model, flow.flow),
        base,
        spots,
        each_pair,
        _by_ports(model, pairs[chosen.pair], verdicts),
        tuple(
            PairAnswer(
                _about(model, q, verdicts),
                q.port.port if port is not None and q.port is not None else None,
                _by_ports(model, pairs[q.pair], verdicts),
            )
            for q in others
        ),
    )


def _rank(asked: Question, verdicts: Mapping[str, str]) -> tuple[int, bool]:
    """Rank a question of a pair: the worst verdict first, and of equal ones that on the traffic of no named port."""
    return WORST.index(verdicts[asked.flow.flow]), asked.ports is not None and asked.ports.protocol != OTHER


def _about(model: Model, asked: Question, verdicts: Mapping[str, str]) -> FlowAnswer:
    name = asked.flow.flow
    return FlowAnswer(asked.flow, verdicts[name], decisions_on(model, name), unknown_about(model, name))


def _by_ports(model: Model, asked: Sequence[Question], verdicts: Mapping[str, str]) -> tuple[PortsAnswer, ...]:
    return tuple(PortsAnswer(q.ports, _about(model, q, verdicts)) for q in asked if q.ports is not None)


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


def with_every_proof(found: Answer, explainer: Explainer) -> Answer:
    """Add the proofs of each class of ports, and of each other pair of addresses."""

    def proved(answer: FlowAnswer) -> FlowAnswer:
        return answer._replace(peerings=peerings_of(explainer, answer.flow.flow))

    def by_ports(some: tuple[PortsAnswer, ...]) -> tuple[PortsAnswer, ...]:
        return tuple(each._replace(answer=proved(each.answer)) for each in some)

    others = tuple(pair._replace(answer=proved(pair.answer), by_ports=by_ports(pair.by_ports)) for pair in found.others)
    return found._replace(by_ports=by_ports(found.by_ports), others=others)


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


def is_rewritten(found: Answer, address: str) -> bool:
    """Whether nodes rewrite the destination to an address: it is a Service, or an address of one, and that is an endpoint."""
    if found.destination.kind == "service":
        return True
    return found.destination.kind == "ip" and address not in (found.destination.name, "")


def further_proofs(found: Answer) -> list[Proof]:
    """List the proofs of classes of ports, and of other pairs of addresses."""
    parts = [*found.by_ports, *(part for pair in found.others for part in pair.by_ports)]
    answers = [*(part.answer for part in parts), *(pair.answer for pair in found.others)]
    return [peering.proof for each in answers for peering in each.peerings]


def proofs_of(found: Answer) -> list[Proof]:
    """List the proofs of an answer, each peering's alternatives after its first, and those of other flows last."""
    own = [proof for peering in found.peerings for proof in (peering.proof, *peering.alternatives)]
    return [*own, *further_proofs(found)]


def relations_used(found: Answer) -> set[str]:
    """Give the relations that the proofs and explanations of an answer rest on."""
    absences = (absence for peering in found.peerings for absence in peering.passed_over)
    names: set[str] = set()
    return names.union(*map(relations_of, proofs_of(found)), *(absence.relations() for absence in absences))
