"""The status that a policy is to show: its conditions, composed from what rules derive and what came of writing.

Which reason makes which condition False is said by ``rules/conditions.dl``; here are only sentences. This module must not
know how a status is written.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from liqo_connectivity.operator.controller.objects.agent_reports import ConditionState
from liqo_connectivity.operator.controller.objects.stored import Condition
from liqo_connectivity.operator.controller.state.policy_outcome import PolicyOutcome
from liqo_connectivity.operator.explain.reasons import sentence

ACCEPTED: Final = "Accepted"
PROGRAMMED: Final = "Programmed"
ENFORCED: Final = "Enforced"
READY: Final = "Ready"
TYPES: Final = (ACCEPTED, PROGRAMMED, ENFORCED, READY)
FABRIC_SYNCED: Final = "FabricSynced"
FABRIC_SYNC_FAILED: Final = "FabricSyncFailed"
DELETION_FAILED: Final = "DeletionFailed"
_SHOWN: Final = 5
_MESSAGE: Final = 2000
"""Characters of a message; Kubernetes allows 32,768, nobody reads them."""


@dataclass(frozen=True, slots=True)
class StoredChain:
    """What came of storing a policy's chain.

    ``name`` is that of the object. ``problem`` says why it cannot be stored, empty if it is. ``stays`` says that an
    object is there and enforces some chain, this one or an earlier one. ``agents`` is what Liqo's agents say of it.
    """

    name: str
    problem: str
    stays: bool
    agents: ConditionState


def conditions(
    outcome: PolicyOutcome, storage: StoredChain
) -> tuple[ConditionState, ConditionState, ConditionState, ConditionState]:
    """The conditions of ``TYPES``, in that order, without generation and time."""
    accepted = _accepted(outcome)
    programmed = _programmed(outcome, storage, accepted)
    enforced = storage.agents
    if programmed.status != "True":
        enforced = ConditionState(
            "Unknown", "NotProgrammed", "what this policy says is not stored, so no agent can report it"
        )
    ready = next(
        (each for each in (accepted, programmed, enforced) if each.status != "True"),
        ConditionState("True", FABRIC_SYNCED, "the policy is enforced"),
    )
    return accepted, programmed, enforced, ready


def _accepted(outcome: PolicyOutcome) -> ConditionState:
    if outcome.refused:
        others = [sentence(*why) for why in outcome.refused if why[0] != "InvalidPolicy"]
        return ConditionState("False", outcome.refused[0][0], _joined([*outcome.invalid, *others]))
    message = f"it governs peering {outcome.peering}" if outcome.peering else "it is well formed"
    return ConditionState("True", ACCEPTED, _joined([message, *outcome.warnings]))


def _programmed(outcome: PolicyOutcome, storage: StoredChain, accepted: ConditionState) -> ConditionState:
    stays = "; the chain that was enforced last stays" if storage.stays else ""
    if accepted.status != "True":
        governs = bool(outcome.peering)
        return ConditionState("False", accepted.reason, "the policy is not accepted" + (stays if governs else ""))
    if outcome.waiting:
        lines = _joined([sentence(*why) for why in outcome.waiting])
        return ConditionState("False", outcome.waiting[0][0], lines + stays)
    if storage.problem:
        return ConditionState("False", FABRIC_SYNC_FAILED, storage.problem[:_MESSAGE] + stays)
    return ConditionState("True", PROGRAMMED, f"FirewallConfiguration {storage.name} holds its chain")


def _joined(lines: Sequence[str]) -> str:
    more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return "; ".join([*lines[:_SHOWN], *more])[:_MESSAGE]


def dated(
    reports: Sequence[ConditionState], before: Sequence[Condition], generation: int, now: str
) -> tuple[Condition, ...]:
    """Conditions with generation and time: the time moves only when the status of the condition of that type does."""
    known = {condition.type: condition for condition in before}
    made: list[Condition] = []
    for kind, report in zip(TYPES, reports, strict=True):
        old = known.get(kind)
        since = old.last_transition_time if old is not None and old.status == report.status else now
        made.append(Condition(kind, report.status, report.reason, report.message, generation, since or now))
    return tuple(made)


def deletion_failed(before: Sequence[Condition], problem: str, generation: int, now: str) -> tuple[Condition, ...]:
    """The conditions of a policy whose deletion is held up: those it had, with Ready False."""
    ready = next((each for each in before if each.type == READY), None)
    since = ready.last_transition_time if ready is not None and ready.status == "False" else now
    failed = Condition(READY, "False", DELETION_FAILED, problem[:_MESSAGE], generation, since)
    kept = [
        replace(each, observed_generation=generation) for each in before if each.type in TYPES and each is not ready
    ]
    return (*kept, failed)
