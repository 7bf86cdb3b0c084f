"""The turn of one object: what is done, once, about one FirewallConfiguration or one policy.

Everything is recomputed from the state, nothing is consumed: a turn that is interrupted anywhere is simply taken again.
What rules derive is carried out here, not judged. This module must not know when a turn is, nor what follows an error.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from liqo_connectivity.facts.base.fact import ObjectKey
from liqo_connectivity.operator.controller.objects.agent_reports import fold
from liqo_connectivity.operator.controller.objects.keys import firewall_key, policy_key
from liqo_connectivity.operator.controller.objects.stored import (
    FIREWALL,
    POLICY,
    Condition,
    Counts,
    StoredFirewall,
    StoredPolicy,
)
from liqo_connectivity.operator.controller.serving.metrics import Metrics
from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.controller.state.policy_outcome import PolicyOutcome, PolicyOutcomes
from liqo_connectivity.operator.controller.state.state import Changes, State
from liqo_connectivity.operator.controller.writing import conditions, events, orphans, policy_status
from liqo_connectivity.operator.controller.writing.deletion import FirewallDeleter
from liqo_connectivity.operator.controller.writing.firewall_writer import FirewallWriter, is_as_wanted, read_firewall
from liqo_connectivity.operator.controller.writing.object_client import ObjectClient

COUNTING: Final = 30.0
"""Seconds between two writes of a status of which only the number of members changed."""
BEHIND: Final = 1.0
"""Seconds until an object is looked at again that the watches seem not to have caught up with."""
_NEVER: Final = ("", 0, Counts(0, 0))
ENDING: Final = 5.0
"""Seconds until it is looked at again whether the object of a former policy is gone, should its watch not tell."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a turn came to.

    ``policies`` may have something new to show. ``wrote`` says that the object was written, ``wait`` in how many seconds
    to look again, None for when something changes. ``over`` says that there is nothing to look at any more.
    """

    policies: frozenset[ObjectKey] = frozenset()
    wrote: bool = False
    wait: float | None = None
    over: bool = False


class Reconciler:
    """Takes turns. ``problems`` are what keeps objects from being as wanted, by key, as told in a status."""

    def __init__(
        self,
        calls: ObjectClient,
        state: State,
        settings: Settings,
        metrics: Metrics,
        wall: Callable[[], datetime],
        instance: str,
    ) -> None:
        self.problems: dict[ObjectKey, str] = {}
        self._calls = calls
        self._state = state
        self._metrics = metrics
        self._wall = wall
        self._instance = instance
        self._writer = FirewallWriter(calls)
        self._remover = FirewallDeleter(calls, settings.agent_settle, settings.agent_timeout)
        self._judge: PolicyOutcomes | None = None
        self._writable: Mapping[ObjectKey, tuple[str, ObjectKey]] = {}
        self._removals: Mapping[ObjectKey, str] = {}
        self._governors: Mapping[ObjectKey, ObjectKey] = {}
        self._stale: set[ObjectKey] = set()
        self._digests: dict[ObjectKey, tuple[str, Counts]] = {}
        self._stored_for: dict[ObjectKey, tuple[str, int, Counts]] = {}
        self._shown: dict[ObjectKey, float] = {}
        self._told: list[Changes] = []

    # ---- Following the state ----

    def follow(self, changes: Changes) -> None:
        """Forget what a change of the state made untrue."""
        if changes.judged:
            self._judge = None
            self._writable = {
                firewall_key(namespace, peering): (peering, policy_key(policy))
                for peering, namespace, policy in cast("list[tuple[str, str, str]]", self._state.rows("writable"))
            }
            self._removals = orphans.removals(self._state.rows("removal"))
            self._governors = {
                firewall_key(policy_key(policy).namespace, peering): policy_key(policy)
                for peering, policy in self._state.rows("governing")
            }
        for key in self.firewalls_of(changes.peerings):
            self._digests.pop(key, None)

    def told(self) -> list[Changes]:
        """Take what answers of the API server changed in the state since this was asked last."""
        told, self._told = self._told, []
        return told

    def firewalls_of(self, peerings: Mapping[str, int]) -> dict[ObjectKey, int]:
        """The objects to be written for some peerings, with the number of each."""
        return {key: peerings[peering] for key, (peering, _) in self._writable.items() if peering in peerings}

    def policy_of(self, firewall: ObjectKey) -> ObjectKey | None:
        """The policy that shows what became of an object: the one that governs, or else the one it was written for."""
        governor = self._governors.get(firewall)
        if governor is not None:
            return governor
        stored = self._state.firewalls.get(firewall)
        return ObjectKey(POLICY, firewall.namespace, stored.owner) if stored is not None and stored.owner else None

    def firewall_of(self, policy: ObjectKey) -> ObjectKey | None:
        """The object of the peering that a policy governs."""
        return self._judging().of(policy).firewall

    def everything(self) -> tuple[set[ObjectKey], set[ObjectKey]]:
        """All FirewallConfigurations and all policies that may need a turn."""
        return {*self._writable, *self._state.firewalls}, set(self._state.policies)

    def distrust(self, key: ObjectKey) -> None:
        """What is known of an object may be wrong, as after a write of unknown outcome: read it before its next turn."""
        self._stale.add(key)

    # ---- FirewallConfigurations ----

    def firewall(self, key: ObjectKey, now: float) -> Result:
        """Take the turn of a FirewallConfiguration. Raises ApiError, WriteBlocked and ChainError."""
        target, manner = self._writable.get(key), self._removals.get(key)
        if manner is None:
            self._remover.forget(key)
        if target is not None:
            return self._write(key, *target)
        if manner is not None:
            return self._remove(key, manner, now)
        # It stays as it is: its policy is pending, or there is neither.
        self.problems.pop(key, None)
        self._stale.discard(key)
        if key in self._state.firewalls:
            return Result()
        self._forget(key)
        return Result(over=True)

    def _write(self, key: ObjectKey, peering: str, governor: ObjectKey) -> Result:
        policy = self._state.policies.get(governor)
        if policy is None or policy.deleting:
            return Result()
        stored = self._read(key)
        if stored is not None and stored.deleting:
            self.problems[key] = f"{FIREWALL} {key.namespace}/{key.name} is still being deleted: it is made anew then"
            return Result(frozenset({governor}), wait=ENDING)
        known = self._digests.get(key)
        if stored is not None and known is not None and is_as_wanted(stored, known[0], policy):
            return self._is_stored(key, policy, known[1])
        wanted = self._state.desired.firewall(peering)
        self._digests[key] = wanted.digest, wanted.counts
        if policy_status.FINALIZER not in policy.finalizers:
            self._state.record_policy(policy_status.add_finalizer(self._calls, policy))
        result, view = self._writer.write(wanted, policy, stored)
        self._metrics.applies.labels(result).inc()
        if result != "unchanged":
            self._record(view)
        return self._is_stored(key, policy, wanted.counts, wrote=result != "unchanged")

    def _is_stored(self, key: ObjectKey, policy: StoredPolicy, counts: Counts, *, wrote: bool = False) -> Result:
        self.problems.pop(key, None)
        self._stored_for[key] = policy.uid, policy.generation, counts
        return Result(frozenset({policy.key}), wrote=wrote)

    def _remove(self, key: ObjectKey, manner: str, now: float) -> Result:
        stored = self._read(key)
        if stored is None or not stored.managed:
            self.problems.pop(key, None)
            return Result(over=True)
        owner = ObjectKey(POLICY, key.namespace, stored.owner)
        known = self._state.policies.get(owner)
        going = known is not None and known.deleting
        if not going and not stored.deleting and not orphans.is_orphan(self._calls, stored, known):
            return Result(wait=BEHIND)
        step = self._remover.step(stored, self._state.agents.values(), now, drain=manner == orphans.DRAIN)
        gone = step.stored is None or not step.stored.managed
        if step.stored is None or not step.stored.managed:
            self._remover.forget(key)
            self._forget(key)
            self._gone(key)
        elif step.stored != stored:
            self._record(step.stored)
        self.problems.pop(key, None)
        self._stored_for.pop(key, None)
        if step.overdue and known is not None:
            self._tell(known, "Warning", "DeletionOverdue", f"{FIREWALL} {key.namespace}/{key.name}: {step.overdue}")
        return Result(frozenset({owner}), wait=None if gone else step.wait, over=gone)

    def _read(self, key: ObjectKey) -> StoredFirewall | None:
        """The object as far as it is known, read anew if that is not to be trusted."""
        known = self._state.firewalls.get(key)
        if known is not None and key not in self._stale:
            return known
        found = read_firewall(self._calls, key)
        self._stale.discard(key)
        if found is not None and found.managed:
            self._record(found)
        elif known is not None:
            self._gone(key)
        return found

    def _record(self, view: StoredFirewall) -> None:
        self._tell_of(self._state.record_firewall(view))

    def _gone(self, key: ObjectKey) -> None:
        self._tell_of(self._state.apply({(FIREWALL, key): None}))

    def _tell_of(self, changes: Changes) -> None:
        self.follow(changes)
        self._told.append(changes)

    def _forget(self, key: ObjectKey) -> None:
        self._writer.forget(key)
        self._digests.pop(key, None)
        self._stored_for.pop(key, None)

    # ---- Policies ----

    def policy(self, key: ObjectKey, now: float) -> Result:
        """Take the turn of a policy: its status, or its release. Raises ApiError."""
        policy = self._state.policies.get(key)
        if policy is None:
            self.problems.pop(key, None)
            self._shown.pop(key, None)
            return Result(over=True)
        outcome = self._judging().of(key)
        if policy.deleting:
            return self._end(policy, outcome, now)
        wanted = self._conditions(policy, outcome)
        return self._show(policy, wanted, self._counts(policy, outcome), now) if wanted is not None else Result()

    def _end(self, policy: StoredPolicy, outcome: PolicyOutcome, now: float) -> Result:
        if policy_status.FINALIZER not in policy.finalizers:
            return Result()
        holding = [key for key in outcome.draining if not self._remover.has_given_up(key, now)]
        if not holding:
            policy_status.release(self._calls, policy)
            return Result(wrote=True)
        problems = [self.problems[key] for key in holding if key in self.problems]
        if not problems:
            return Result()
        when = _time(self._wall())
        wanted = conditions.deletion_failed(policy.conditions, problems[0], policy.generation, when)
        return self._show(policy, wanted, policy.counts, now)

    def _conditions(self, policy: StoredPolicy, outcome: PolicyOutcome) -> tuple[Condition, ...] | None:
        """The conditions to show; None while it is not known yet what comes of a write."""
        key = outcome.firewall
        stored = self._state.firewalls.get(key) if key is not None else None
        problem = self.problems.get(key, "") if key is not None else ""
        decided = outcome.refused or outcome.waiting or problem
        if not decided and (key is None or self._stored_for.get(key, _NEVER)[:2] != (policy.uid, policy.generation)):
            return None
        storage = conditions.StoredChain(
            name=f"{key.namespace}/{key.name}" if key is not None else "",
            problem=problem,
            stays=stored is not None and not stored.empty and not stored.deleting,
            agents=fold(self._state.agents.values(), stored.hosts if stored is not None else ()),
        )
        reports = conditions.conditions(outcome, storage)
        return conditions.dated(reports, policy.conditions, policy.generation, _time(self._wall()))

    def _counts(self, policy: StoredPolicy, outcome: PolicyOutcome) -> Counts | None:
        """What the stored object of the policy holds; None if there is none."""
        key = outcome.firewall
        stored = self._state.firewalls.get(key) if key is not None else None
        if key is None or stored is None or stored.owner_uid != policy.uid:
            return None
        uid, _, counts = self._stored_for.get(key, _NEVER)
        return counts if uid == policy.uid else policy.counts

    def _show(self, policy: StoredPolicy, wanted: tuple[Condition, ...], counts: Counts | None, now: float) -> Result:
        if policy_status.is_shown(policy, wanted):
            if counts == policy.counts:
                return Result()
            left = self._shown.get(policy.key, float("-inf")) + COUNTING - now
            if counts is not None and policy.counts is not None and left > 0:
                return Result(wait=left)
        after = policy_status.write_status(self._calls, policy, wanted, counts)
        self._shown[policy.key] = now
        self._state.record_policy(after)
        before = {condition.type: condition for condition in policy.conditions}.get(conditions.READY)
        ready = wanted[-1]
        if before is None or (before.status, before.reason) != (ready.status, ready.reason):
            self._tell(policy, "Normal" if ready.status == "True" else "Warning", ready.reason, ready.message)
        return Result(wrote=True)

    def _tell(self, policy: StoredPolicy, severity: events.Severity, reason: str, note: str) -> None:
        events.emit(self._calls, policy, severity, reason, note, self._wall(), self._instance)

    def _judging(self) -> PolicyOutcomes:
        if self._judge is None:
            self._judge = PolicyOutcomes(self._state)
        return self._judge


def _time(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
