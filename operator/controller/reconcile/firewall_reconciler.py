"""Reconciles one FirewallConfiguration: writes what its policy wants, or removes it.

Everything is recomputed from the state and nothing is consumed, so a reconcile that is interrupted anywhere is simply
repeated. Which object is written or removed is derived by the rules.
"""

from typing import Final

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.keys import standin_key, stood_in_for
from liqo_connectivity.operator.controller.objects.stored import FIREWALL, POLICY
from liqo_connectivity.operator.controller.reconcile.chain_keeper import ChainKeeper, Enforcement, WrittenFor
from liqo_connectivity.operator.controller.reconcile.result import Result
from liqo_connectivity.operator.controller.reconcile.stored_objects import Recorder, StoredObjects
from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.controller.state.ownership import Ownership
from liqo_connectivity.operator.controller.state.state import Changes, State
from liqo_connectivity.operator.controller.writing import orphans
from liqo_connectivity.operator.controller.writing.deletion import FirewallDeleter
from liqo_connectivity.operator.controller.writing.events import EventRecorder
from liqo_connectivity.operator.controller.writing.object_client import ObjectClient

BEHIND: Final = 1.0
"""Seconds until an object is looked at again that the watches seem not to have caught up with."""


class FirewallReconciler:
    """Reconciles FirewallConfigurations, one at a time; a stand-in with the one that it stands in for."""

    def __init__(
        self, client: ObjectClient, state: State, ownership: Ownership, settings: Settings, events: EventRecorder
    ) -> None:
        self._client = client
        self._state = state
        self._ownership = ownership
        self._events = events
        self._objects = StoredObjects(client, state)
        self._deleter = FirewallDeleter(client, settings.agent_settle, settings.agent_timeout)
        self._keeper = ChainKeeper(client, state, self._objects, self._deleter, settings, events)

    # ---- What the policies ask ----

    def written_for(self, key: ObjectKey) -> WrittenFor | None:
        """What the chain of a peering was last found up to date for; None if that is not known."""
        return self._keeper.written_for(key)

    def in_force(self, key: ObjectKey) -> Enforcement:
        """What is stored for a peering, whose first object has this key."""
        return self._keeper.in_force(key)

    def has_given_up(self, key: ObjectKey, now: float) -> bool:
        """Whether an object has been deleted for so long that its policy should not wait any more."""
        return self._deleter.has_given_up(key, now)

    # ---- Following the state ----

    def follow(self, changes: Changes) -> None:
        """Forget what a change of the state made out of date."""
        for key in self._ownership.firewalls_of(changes.peerings):
            self._keeper.outdate(key)

    def distrust(self, key: ObjectKey) -> None:
        """The state may be wrong about an object, as after a write of unknown outcome: read it before the next write."""
        self._objects.distrust(key)
        if self._ownership.target(key) is not None:
            self._objects.distrust(standin_key(key))

    # ---- Reconciling ----

    def reconcile(self, key: ObjectKey, now: float, recorder: Recorder) -> Result:
        """Reconcile one object. Raises ApiError, WriteBlocked and ChainError."""
        first = stood_in_for(key)
        if first is not None and self._ownership.target(first) is not None:
            return Result(gone=True)
        target, removal = self._ownership.target(key), self._ownership.removal(key)
        if target is not None:
            return self._keeper.step(key, target, now, recorder)
        if removal is not None:
            return self._remove(key, now, recorder, drain=removal == orphans.DRAIN)
        # Its policy is pending, or it has none: it stays as it is.
        self._deleter.forget(key)
        self._objects.trust(key)
        if key in self._state.firewalls:
            return Result()
        self._keeper.forget(key)
        return Result(gone=True)

    def _remove(self, key: ObjectKey, now: float, recorder: Recorder, *, drain: bool) -> Result:
        stored = self._objects.known_or_read(key, recorder)
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
            self._keeper.forget(key)
            recorder.gone(key)
        elif step.stored != stored:
            recorder.stored(step.stored)
        self._keeper.is_removing(key)
        if step.overdue and policy is not None:
            note = f"{FIREWALL} {key.namespace}/{key.name}: {step.overdue}"
            self._events.record(policy, "Warning", "DeletionOverdue", note)
        return Result(related=frozenset({owner}), requeue_after=None if gone else step.wait, gone=gone)
