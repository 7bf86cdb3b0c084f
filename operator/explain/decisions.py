"""What decided a flow at each peering that governs it, and with which proof: the parts of which an answer to ``why`` is made."""

from typing import NamedTuple

from liqo_connectivity.engine import Absence, Explainer, Model, Proof, prove
from liqo_connectivity.operator.explain.parties import SIDES


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


def decisions_on(model: Model, flow: str) -> tuple[tuple[str, str, str, Decision | None], ...]:
    """Give each peering that governs a flow, with its policy, its verdict, and what decided."""
    return tuple(
        (str(peering), str(policy), *_verdict(model, str(peering), flow))
        for peering, policy, named in model.rows("governs")
        if named == flow
    )


def peerings_of(explainer: Explainer, flow: str) -> tuple[PeeringAnswer, ...]:
    """Prove the verdict of each peering that governs a flow."""
    return tuple(
        _peering(explainer, peering, policy, flow, verdict, decision)
        for peering, policy, verdict, decision in decisions_on(explainer.model, flow)
    )


def unknown_about(model: Model, flow: str) -> tuple[tuple[str, str, str], ...]:
    """Give what leaves the verdict on a flow open: (object, reason, detail)."""
    return tuple(
        (f"{kind} {found}".strip(), str(reason), str(detail))
        for named, reason, kind, found, detail in model.rows("unknown_because")
        if named == flow
    )


def _verdict(model: Model, peering: str, flow: str) -> tuple[str, Decision | None]:
    ((verdict,),) = [row[2:] for row in model.rows("peering_verdict") if row[:2] == (peering, flow)]
    decided = [row[2:] for row in model.rows("decided_by") if row[:2] == (peering, flow)]
    if not decided:
        return str(verdict), None
    kind, index, action = decided[0]
    return str(verdict), Decision(str(kind), int(index) if kind == "rule" else None, str(action))


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
