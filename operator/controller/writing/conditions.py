"""The conditions of a policy, composed from what the rules derive and what came of the write.

``rules/conditions.dl`` decides which reason makes which condition False; here are only sentences.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from liqo_connectivity.operator.controller.objects.agent_reports import ConditionState
from liqo_connectivity.operator.controller.objects.stored import Condition
from liqo_connectivity.operator.controller.state.policy_outcome import PolicyOutcome
from liqo_connectivity.operator.explain.reasons import sentences

ACCEPTED: Final = "Accepted"
PROGRAMMED: Final = "Programmed"
ENFORCED: Final = "Enforced"
READY: Final = "Ready"
TYPES: Final = (ACCEPTED, PROGRAMMED, ENFORCED, READY)
FABRIC_SYNCED: Final = "FabricSynced"
REPLACING_CHAIN: Final = "ReplacingChain"
FABRIC_SYNC_FAILED: Final = "FabricSyncFailed"
DELETION_FAILED: Final = "DeletionFailed"
_SHOWN: Final = 5
_MESSAGE: Final = 2000
"""Characters of a message; Kubernetes allows 32,768, which nobody reads."""


@dataclass(frozen=True, slots=True)
class StoredChain:
    """Whether a policy's chain is stored and applied.

    ``name`` is that of the FirewallConfiguration. ``problem`` says why the chain is not stored, empty if it is. ``stays``
    says that the object exists and holds some chain, this one or an earlier one. ``replacing`` says that an earlier one is
    in force beside this one. ``agents`` sums up what Liqo's agents report.
    """

    name: str
    problem: str
    stays: bool
    agents: ConditionState
    replacing: bool = False


def conditions(
    outcome: PolicyOutcome, storage: StoredChain
) -> tuple[ConditionState, ConditionState, ConditionState, ConditionState]:
    """The conditions of ``TYPES``, in that order, without generation and time."""
    accepted = _accepted(outcome)
    programmed = _programmed(outcome, storage, accepted)
    enforced = _replacing(storage.agents) if storage.replacing else storage.agents
    if programmed.status != "True":
        enforced = ConditionState(
            "Unknown", "NotProgrammed", "the chain is not stored yet, so no agent can have applied it"
        )
    ready = next(
        (each for each in (accepted, programmed, enforced) if each.status != "True"),
        ConditionState("True", FABRIC_SYNCED, "the policy is enforced"),
    )
    return accepted, programmed, enforced, ready


def _replacing(agents: ConditionState) -> ConditionState:
    """What the reports about a chain mean while an earlier one is in force beside it."""
    both = "meanwhile only what both allow passes"
    if agents.status != "True":
        return ConditionState(
            agents.status, agents.reason, f"{agents.message}; the chain before stays until then, and {both}"
        )
    return ConditionState(
        "Unknown", REPLACING_CHAIN, f"{agents.message}, and the chain before is being removed; {both}"
    )


def _accepted(outcome: PolicyOutcome) -> ConditionState:
    if outcome.refused:
        others = sentences(why for why in outcome.refused if why[0] != "InvalidPolicy")
        return ConditionState("False", outcome.refused[0][0], _joined([*outcome.invalid, *others]))
    message = f"the policy governs peering {outcome.peering}" if outcome.peering else "the policy is valid"
    return ConditionState("True", ACCEPTED, _joined([message, *outcome.warnings]))


def _programmed(outcome: PolicyOutcome, storage: StoredChain, accepted: ConditionState) -> ConditionState:
    stays = "; the last enforced chain stays in place" if storage.stays else ""
    if accepted.status != "True":
        governs = bool(outcome.peering)
        return ConditionState("False", accepted.reason, "the policy is not accepted" + (stays if governs else ""))
    if outcome.waiting:
        lines = _joined(sentences(outcome.waiting))
        return ConditionState("False", outcome.waiting[0][0], lines + stays)
    if storage.problem:
        return ConditionState("False", FABRIC_SYNC_FAILED, storage.problem[:_MESSAGE] + stays)
    return ConditionState("True", PROGRAMMED, f"FirewallConfiguration {storage.name} holds the policy's chain")


def _joined(lines: Sequence[str]) -> str:
    more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return "; ".join([*lines[:_SHOWN], *more])[:_MESSAGE]


def dated(
    states: Sequence[ConditionState], before: Sequence[Condition], generation: int, now: str
) -> tuple[Condition, ...]:
    """Conditions with generation and time; the time changes only with the status of a condition."""
    known = {condition.type: condition for condition in before}
    made: list[Condition] = []
    for kind, state in zip(TYPES, states, strict=True):
        old = known.get(kind)
        since = old.last_transition_time if old is not None and old.status == state.status else now
        made.append(Condition(kind, state.status, state.reason, state.message, generation, since or now))
    return tuple(made)


def deletion_failed(before: Sequence[Condition], problem: str, generation: int, now: str) -> tuple[Condition, ...]:
    """The conditions of a policy whose deletion fails: those it had, with Ready False."""
    ready = next((each for each in before if each.type == READY), None)
    since = ready.last_transition_time if ready is not None and ready.status == "False" else now
    failed = Condition(READY, "False", DELETION_FAILED, problem[:_MESSAGE], generation, since)
    kept = [
        replace(each, observed_generation=generation) for each in before if each.type in TYPES and each is not ready
    ]
    return (*kept, failed)
