"""The status that a policy is to show: its conditions, composed from what rules derive and what came of writing.

Which reason makes which condition False is said by ``rules/conditions.dl``; here are only sentences. This module must not
know how a status is written.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from liqo_connectivity.operator.controller.objects.agents import Report
from liqo_connectivity.operator.controller.objects.stored import Condition
from liqo_connectivity.operator.controller.state.judgement import Judgement
from liqo_connectivity.operator.explain.report import sentence

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
class Storage:
    """What came of storing a policy's chain.

    ``name`` is that of the object. ``problem`` says why it cannot be stored, empty if it is. ``stays`` says that an
    object is there and enforces some chain, this one or an earlier one. ``agents`` is what Liqo's agents say of it.
    """

    name: str
    problem: str
    stays: bool
    agents: Report


def conditions(judgement: Judgement, storage: Storage) -> tuple[Report, Report, Report, Report]:
    """The conditions of ``TYPES``, in that order, without generation and time."""
    accepted = _accepted(judgement)
    programmed = _programmed(judgement, storage, accepted)
    enforced = storage.agents
    if programmed.status != "True":
        enforced = Report("Unknown", "NotProgrammed", "what this policy says is not stored, so no agent can report it")
    ready = next(
        (each for each in (accepted, programmed, enforced) if each.status != "True"),
        Report("True", FABRIC_SYNCED, "the policy is enforced"),
    )
    return accepted, programmed, enforced, ready


def _accepted(judgement: Judgement) -> Report:
    if judgement.refused:
        others = [sentence(*why) for why in judgement.refused if why[0] != "InvalidPolicy"]
        return Report("False", judgement.refused[0][0], _joined([*judgement.invalid, *others]))
    message = f"it governs peering {judgement.peering}" if judgement.peering else "it is well formed"
    return Report("True", ACCEPTED, _joined([message, *judgement.warnings]))


def _programmed(judgement: Judgement, storage: Storage, accepted: Report) -> Report:
    stays = "; the chain that was enforced last stays" if storage.stays else ""
    if accepted.status != "True":
        governs = bool(judgement.peering)
        return Report("False", accepted.reason, "the policy is not accepted" + (stays if governs else ""))
    if judgement.waiting:
        lines = _joined([sentence(*why) for why in judgement.waiting])
        return Report("False", judgement.waiting[0][0], lines + stays)
    if storage.problem:
        return Report("False", FABRIC_SYNC_FAILED, storage.problem[:_MESSAGE] + stays)
    return Report("True", PROGRAMMED, f"FirewallConfiguration {storage.name} holds its chain")


def _joined(lines: Sequence[str]) -> str:
    more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return "; ".join([*lines[:_SHOWN], *more])[:_MESSAGE]


def dated(reports: Sequence[Report], before: Sequence[Condition], generation: int, now: str) -> tuple[Condition, ...]:
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
