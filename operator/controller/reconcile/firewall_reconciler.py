"""Reconciles one FirewallConfiguration: writes what its policy wants, or removes it.

Everything is recomputed from the state and nothing is consumed, so a reconcile that is interrupted anywhere is simply
repeated. Which object is written or removed is derived by the rules.
"""

from typing import Final, NamedTuple

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import (
    FIREWALL,
    POLICY,
    Counts,
    StoredFirewall,
    StoredPolicy,
)
from liqo_connectivity.operator.controller.reconcile.result import Result
from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.controller.state.ownership import Ownership, Target
from liqo_connectivity.operator.controller.state.state import Changes, State
from liqo_connectivity.operator.controller.writing import orphans, policy_status
from liqo_connectivity.operator.controller.writing.deletion import FirewallDeleter
from liqo_connectivity.operator.controller.writing.events import EventRecorder
from liqo_connectivity.operator.controller.writing.firewall_body import is_as_desired
from liqo_connectivity.operator.controller.writing.firewall_writer import (
    FirewallWriter,
    OperationResult,
    read_firewall,
)
from liqo_connectivity.operator.controller.writing.object_client import ObjectClient

BEHIND: Final = 1.0
"""Seconds until an object is looked at again that the watches seem not to have caught up with."""
ENDING: Final = 5.0
"""Seconds until an object that is being deleted is looked at again, should its watch miss the end."""


class WrittenFor(NamedTuple):
    """The policy and its generation that a FirewallConfiguration was last found up to date for, and what it held."""

    uid: str
    generation: int
    counts: Counts


class Recorder:
    """Takes what the API server answered over into the state, and keeps what that changed: ``changes``."""

    def __init__(self, state: State) -> None:
        self.changes: list[Changes] = []
        self._state = state

    def stored(self, view: StoredFirewall) -> None:
        """A FirewallConfiguration is stored like this."""
        self.changes.append(self._state.record_firewall(view))

    def gone(self, key: ObjectKey) -> None:
        """A FirewallConfiguration is gone."""
        self.changes.append(self._state.apply({(FIREWALL, key): None}))


class FirewallReconciler:
    """Reconciles FirewallConfigurations, one at a time."""

    def __init__(
        self, client: ObjectClient, state: State, ownership: Ownership, settings: Settings, events: EventRecorder
    ) -> None:
        self._client = client
        self._state = state
        self._ownership = ownership
        self._events = events
        self._writer = FirewallWriter(client)
        self._deleter = FirewallDeleter(client, settings.agent_settle, settings.agent_timeout)
        self._unsure: set[ObjectKey] = set()
        # The digest and counts of what is desired, until its chain changes.
        self._desired: dict[ObjectKey, tuple[str, Counts]] = {}
        self._written_for: dict[ObjectKey, WrittenFor] = {}

    # ---- What the policies ask ----

    def written_for(self, key: ObjectKey) -> WrittenFor | None:
        """What an object was last found up to date for; None if that is not known."""
        return self._written_for.get(key)

    def has_given_up(self, key: ObjectKey, now: float) -> bool:
        """Whether an object has been deleted for so long that its policy should not wait any more."""
        return self._deleter.has_given_up(key, now)

    # ---- Following the state ----

    def follow(self, changes: Changes) -> None:
        """Forget what a change of the state made out of date."""
        for key in self._ownership.firewalls_of(changes.peerings):
            self._desired.pop(key, None)

    def distrust(self, key: ObjectKey) -> None:
        """The state may be wrong about an object, as after a write of unknown outcome: read it before the next write."""
        self._unsure.add(key)

    # ---- Reconciling ----

    def reconcile(self, key: ObjectKey, now: float, recorder: Recorder) -> Result:
        """Reconcile one object. Raises ApiError, WriteBlocked and ChainError."""
        target, removal = self._ownership.target(key), self._ownership.removal(key)
        if removal is None:
            self._deleter.forget(key)
        if target is not None:
            return self._write(key, target, recorder)
        if removal is not None:
            return self._remove(key, now, recorder, drain=removal == orphans.DRAIN)
        # Its policy is pending, or it has none: it stays as it is.
        self._unsure.discard(key)
        if key in self._state.firewalls:
            return Result()
        self._forget(key)
        return Result(gone=True)

    def _write(self, key: ObjectKey, target: Target, recorder: Recorder) -> Result:
        policy = self._state.policies.get(target.policy)
        if policy is None or policy.deleting:
            return Result(problem=None)
        stored = self._read(key, recorder)
        if stored is not None and stored.deleting:
            problem = f"{FIREWALL} {key.namespace}/{key.name} is still being deleted and is created again afterwards"
            return Result(related=frozenset({target.policy}), requeue_after=ENDING, problem=problem)
        known = self._desired.get(key)
        if stored is not None and known is not None and is_as_desired(stored, known[0], policy):
            return self._up_to_date(key, policy, known[1])
        desired = self._state.desired.firewall(target.peering)
        self._desired[key] = desired.digest, desired.counts
        if policy_status.FINALIZER not in policy.finalizers:
            self._state.record_policy(policy_status.add_finalizer(self._client, policy))
        operation, view = self._writer.write(desired, policy, stored)
        if operation != "unchanged":
            recorder.stored(view)
        return self._up_to_date(key, policy, desired.counts, operation)

    def _up_to_date(
        self, key: ObjectKey, policy: StoredPolicy, counts: Counts, operation: OperationResult | None = None
    ) -> Result:
        self._written_for[key] = WrittenFor(policy.uid, policy.generation, counts)
        written = operation in ("created", "updated")
        return Result(related=frozenset({policy.key}), written=written, operation=operation)

    def _remove(self, key: ObjectKey, now: float, recorder: Recorder, *, drain: bool) -> Result:
        stored = self._read(key, recorder)
        if stored is None or not stored.managed:
            return Result(gone=True)
        owner = ObjectKey(POLICY, key.namespace, stored.owner)
        policy = self._state.policies.get(owner)
        going = policy is not None and policy.deleting
        if not going and not stored.deleting and not orphans.is_orphan(self._client, stored, policy):
            return Result(requeue_after=BEHIND, problem=None)
        step = self._deleter.step(stored, self._state.agents.values(), now, drain=drain)
        gone = step.stored is None or not step.stored.managed
        if step.stored is None or not step.stored.managed:
            self._deleter.forget(key)
            self._forget(key)
            recorder.gone(key)
        elif step.stored != stored:
            recorder.stored(step.stored)
        self._written_for.pop(key, None)
        if step.overdue and policy is not None:
            note = f"{FIREWALL} {key.namespace}/{key.name}: {step.overdue}"
            self._events.record(policy, "Warning", "DeletionOverdue", note)
        return Result(related=frozenset({owner}), requeue_after=None if gone else step.wait, gone=gone)

    def _read(self, key: ObjectKey, recorder: Recorder) -> StoredFirewall | None:
        """The object from the state, or from the API server if the state may be wrong or does not have it."""
        known = self._state.firewalls.get(key)
        if known is not None and key not in self._unsure:
            return known
        found = read_firewall(self._client, key)
        self._unsure.discard(key)
        if found is not None and found.managed:
            recorder.stored(found)
        elif known is not None:
            recorder.gone(key)
        return found

    def _forget(self, key: ObjectKey) -> None:
        self._writer.forget(key)
        self._desired.pop(key, None)
        self._written_for.pop(key, None)
