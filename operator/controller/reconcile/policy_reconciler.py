"""Reconciles one policy: its status and the event about it, or the finalizer of one that is being deleted."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.agent_reports import (
    AGENTS_FAILED,
    AGENTS_PENDING,
    ConditionState,
    retried,
    summarize,
)
from liqo_connectivity.operator.controller.objects.stored import Condition, Counts, StoredFirewall, StoredPolicy
from liqo_connectivity.operator.controller.reconcile.chain_keeper import Enforcement
from liqo_connectivity.operator.controller.reconcile.firewall_reconciler import FirewallReconciler
from liqo_connectivity.operator.controller.reconcile.result import Result
from liqo_connectivity.operator.controller.state.policy_outcome import PolicyOutcome, PolicyOutcomes
from liqo_connectivity.operator.controller.state.state import Changes, State
from liqo_connectivity.operator.controller.writing import conditions, policy_status
from liqo_connectivity.operator.controller.writing.events import EventRecorder
from liqo_connectivity.operator.controller.writing.object_client import ObjectClient

COUNTING: Final = 30.0
"""Seconds between two writes of a status of which only the number of members changed."""


class PolicyReconciler:
    """Reconciles policies, one at a time.

    ``firewalls`` knows what was stored for them, ``problems`` what keeps a FirewallConfiguration from being as desired.
    ``wall`` is the clock that a status shows. Agents have ``grace`` seconds to report that they applied new members, and to
    succeed with a new object.
    """

    def __init__(
        self,
        client: ObjectClient,
        state: State,
        firewalls: FirewallReconciler,
        problems: Mapping[ObjectKey, str],
        events: EventRecorder,
        wall: Callable[[], datetime],
        grace: float,
    ) -> None:
        self._client = client
        self._state = state
        self._firewalls = firewalls
        self._problems = problems
        self._events = events
        self._wall = wall
        self._grace = grace
        # The uid of the FirewallConfiguration that all agents reported last, and since when some have not again.
        self._enforced: dict[ObjectKey, str] = {}
        self._unreported: dict[ObjectKey, float] = {}
        # The uid of the FirewallConfiguration that agents failed with before all applied it, and since when.
        self._failing: dict[ObjectKey, tuple[str, float]] = {}
        self._outcomes: PolicyOutcomes | None = None
        self._written_at: dict[ObjectKey, float] = {}

    def follow(self, changes: Changes) -> None:
        """Forget what a change of the state made out of date."""
        if changes.derived:
            self._outcomes = None

    def reconcile(self, key: ObjectKey, now: float) -> Result:
        """Reconcile one policy. Raises ApiError."""
        policy = self._state.policies.get(key)
        if policy is None:
            for known in (self._written_at, self._enforced, self._unreported, self._failing):
                known.pop(key, None)
            return Result(gone=True)
        if self._outcomes is None:
            self._outcomes = PolicyOutcomes(self._state)
        outcome = self._outcomes.of(key)
        if policy.deleting:
            return self._finalize(policy, outcome, now)
        agents, wait = self._agents(policy, outcome, now)
        desired = self._conditions(policy, outcome, agents)
        if desired is None:
            return Result()
        result = self._show(policy, desired, self._counts(policy, outcome), now)
        waits = [seconds for seconds in (wait, result.requeue_after) if seconds is not None]
        return replace(result, requeue_after=min(waits, default=None))

    def _finalize(self, policy: StoredPolicy, outcome: PolicyOutcome, now: float) -> Result:
        if policy_status.FINALIZER not in policy.finalizers:
            return Result()
        holding = [key for key in outcome.draining if not self._firewalls.has_given_up(key, now)]
        if not holding:
            policy_status.release(self._client, policy)
            return Result(written=True)
        problems = [self._problems[key] for key in holding if key in self._problems]
        if not problems:
            return Result()
        when = _time(self._wall())
        desired = conditions.deletion_failed(policy.conditions, problems[0], policy.generation, when)
        return self._show(policy, desired, policy.counts, now)

    def _agents(self, policy: StoredPolicy, outcome: PolicyOutcome, now: float) -> tuple[ConditionState, float | None]:
        """What the agents report, and in how many seconds to look at it again.

        Pods come and go all the time, and an agent needs a moment for each change: until the grace is over, the policy
        stays enforced. That is not so after an edit of the policy, nor for an object that was created again.
        """
        stored = self._in_force(outcome).stored
        found = summarize(self._state.agents.values(), stored.hosts if stored is not None else ())
        shown = next((each for each in policy.conditions if each.type == conditions.ENFORCED), None)
        if found.status == "True" and stored is not None:
            self._enforced[policy.key] = stored.uid
        if found.reason == AGENTS_FAILED and stored is not None:
            self._unreported.pop(policy.key, None)
            left = self._retrying(policy, stored, shown, now)
            return (retried(found), left) if left > 0 else (found, None)
        if (
            found.reason != AGENTS_PENDING
            or stored is None
            or self._enforced.get(policy.key) != stored.uid
            or shown is None
            or (shown.status, shown.observed_generation) != ("True", policy.generation)
        ):
            self._unreported.pop(policy.key, None)
            return found, None
        left = self._unreported.setdefault(policy.key, now) + self._grace - now
        return (ConditionState(shown.status, shown.reason, shown.message), left) if left > 0 else (found, None)

    def _retrying(self, policy: StoredPolicy, stored: StoredFirewall, shown: Condition | None, now: float) -> float:
        """For how many seconds more a failure with a new object may be the first attempt's."""
        if self._enforced.get(policy.key) == stored.uid:
            return 0.0
        if shown is not None and (shown.reason, shown.observed_generation) == (AGENTS_FAILED, policy.generation):
            # It was shown before, perhaps by an earlier process.
            return 0.0
        uid, since = self._failing.get(policy.key, ("", now))
        if uid != stored.uid:
            since = now
            self._failing[policy.key] = stored.uid, since
        return since + self._grace - now

    def _in_force(self, outcome: PolicyOutcome) -> Enforcement:
        return self._firewalls.in_force(outcome.firewall) if outcome.firewall is not None else Enforcement(None)

    def _conditions(
        self, policy: StoredPolicy, outcome: PolicyOutcome, agents: ConditionState
    ) -> tuple[Condition, ...] | None:
        """The conditions to show; None while it is not known yet what comes of a write."""
        key = outcome.firewall
        stored, replacing = self._in_force(outcome)
        problem = self._problems.get(key, "") if key is not None else ""
        if not (outcome.refused or outcome.waiting or problem) and not self._is_written(policy, key):
            return None
        chain = conditions.StoredChain(
            name=f"{stored.key.namespace}/{stored.key.name}" if stored is not None else "",
            problem=problem,
            stays=stored is not None and not stored.empty and not stored.deleting,
            replacing=replacing,
            agents=agents,
        )
        states = conditions.conditions(outcome, chain)
        return conditions.dated(states, policy.conditions, policy.generation, _time(self._wall()))

    def _is_written(self, policy: StoredPolicy, key: ObjectKey | None) -> bool:
        written = self._firewalls.written_for(key) if key is not None else None
        return written is not None and (written.uid, written.generation) == (policy.uid, policy.generation)

    def _counts(self, policy: StoredPolicy, outcome: PolicyOutcome) -> Counts | None:
        """What the stored object of the policy holds; None if there is none."""
        key = outcome.firewall
        stored = self._in_force(outcome).stored
        if key is None or stored is None or stored.owner_uid != policy.uid:
            return None
        written = self._firewalls.written_for(key)
        return written.counts if written is not None and written.uid == policy.uid else policy.counts

    def _show(self, policy: StoredPolicy, desired: tuple[Condition, ...], counts: Counts | None, now: float) -> Result:
        if policy_status.is_shown(policy, desired):
            if counts == policy.counts:
                return Result()
            left = self._written_at.get(policy.key, float("-inf")) + COUNTING - now
            if counts is not None and policy.counts is not None and left > 0:
                return Result(requeue_after=left)
        after = policy_status.write_status(self._client, policy, desired, counts)
        self._written_at[policy.key] = now
        self._state.record_policy(after)
        before = {condition.type: condition for condition in policy.conditions}.get(conditions.READY)
        ready = desired[-1]
        if before is None or (before.status, before.reason) != (ready.status, ready.reason):
            self._events.record(policy, "Normal" if ready.status == "True" else "Warning", ready.reason, ready.message)
        return Result(written=True)


def _time(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
