"""Work queue: turns changes of the state into scheduled reconciles of FirewallConfigurations and policies."""

from collections.abc import Collection
from typing import Final

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import FIREWALL
from liqo_connectivity.operator.controller.reconcile.delaying_queue import DelayingQueue
from liqo_connectivity.operator.controller.reconcile.rate_limiter import RateLimiter
from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.controller.state.ownership import Ownership
from liqo_connectivity.operator.controller.state.state import Changes
from liqo_connectivity.operator.kube.backoff import Backoff


class WorkQueue:
    """The keys of the objects to reconcile; times are in seconds of one clock."""

    def __init__(self, ownership: Ownership, settings: Settings) -> None:
        self._ownership = ownership
        self._firewalls: Final = _queue(settings)
        self._policies: Final = _queue(settings)
        self._limiter = RateLimiter(settings.write_rate)
        # Whether the next object is simply the one that waits longest.
        self._turn = False

    # ---- Adding ----

    def add(self, key: ObjectKey, now: float) -> None:
        """Reconcile an object when it may be written again."""
        self._of(key).add(key, now)

    def add_after(self, key: ObjectKey, now: float, seconds: float) -> None:
        """Reconcile an object in some seconds, or when it changes."""
        self._of(key).add_after(key, now, seconds)

    def add_rate_limited(self, key: ObjectKey, now: float, at_least: float = 0.0) -> float:
        """Reconcile a failed object after its back-off; returns the seconds until then."""
        return self._of(key).add_rate_limited(key, now, at_least)

    def add_everything(self, now: float) -> None:
        """Reconcile every object."""
        firewalls, policies = self._ownership.everything()
        for key in firewalls | policies:
            self._of(key).add(key, now)

    def add_policy_of(self, firewall: ObjectKey, now: float) -> None:
        """Reconcile the policy whose status reports on a FirewallConfiguration."""
        policy = self._ownership.policy_of(firewall)
        if policy is not None:
            self._policies.add(policy, now)

    def add_changes(self, changes: Changes, now: float, waited: float = 0.0) -> None:
        """Reconcile what a change of the state concerns; the change came at most ``waited`` seconds ago."""
        for key, count in self._ownership.firewalls_of(changes.peerings).items():
            self._firewalls.add(key, now, count, waited)
        for key in changes.firewalls:
            self._firewalls.add(self._ownership.lead(key), now)
            self.add_policy_of(key, now)
        for key in changes.policies - changes.edited:
            self._policies.add(key, now)
        for key in changes.edited:
            self._policies.add_now(key, now)
            firewall = self._ownership.firewall_of(key)
            if firewall is not None:
                # The edit may fix what made the write fail.
                self._firewalls.add_now(firewall, now)
        if changes.agents:
            self.add_everything(now)

    # ---- Outcomes ----

    def written(self, key: ObjectKey, now: float) -> None:
        """An object was written: its write interval begins, and of FirewallConfigurations the rate is spent."""
        self._of(key).written(key, now)
        if key.kind == FIREWALL:
            self._limiter.spend(now)

    def forget_failures(self, key: ObjectKey) -> None:
        """An object was reconciled: its back-off begins again with the shortest wait."""
        self._of(key).forget_failures(key)

    def remove(self, key: ObjectKey) -> None:
        """Drop an object that there is nothing left to reconcile of, unless something about it changed again."""
        queue = self._of(key)
        if not queue.is_waiting(key):
            queue.remove(key)

    # ---- Taking ----

    def take_firewall(self, now: float) -> ObjectKey | None:
        """Take the FirewallConfiguration to reconcile now; None if none is due or the rate is spent.

        Every other time, one that a policy wants comes first: somebody who may write in one tenant namespace could make thousands
        there that are to be removed, and no other peering should wait for those.
        """
        if now < self._limiter.ready_at():
            return None
        return self._firewalls.take(now, lambda key: self._turn or self._ownership.target(key) is not None)

    def take_policy(self, now: float) -> ObjectKey | None:
        """Take the policy to reconcile now; None if none is due. Every other time, one that governs comes first."""
        self._turn = not self._turn
        return self._policies.take(now, lambda key: self._turn or self._ownership.firewall_of(key) is not None)

    def next_due(self) -> float:
        """When the next object can be taken; infinity if none is waiting."""
        firewall, policy = self._firewalls.next_due(), self._policies.next_due()
        never = float("inf")
        return min(
            max(firewall, self._limiter.ready_at()) if firewall is not None else never,
            policy if policy is not None else never,
        )

    def is_settled(self, failing: Collection[ObjectKey]) -> bool:
        """Whether nothing is waiting but objects that are known to fail."""
        firewalls, policies = self._ownership.everything()
        return not any(self._of(key).is_waiting(key) and key not in failing for key in firewalls | policies)

    def _of(self, key: ObjectKey) -> DelayingQueue[ObjectKey]:
        return self._firewalls if key.kind == FIREWALL else self._policies


def _queue(settings: Settings) -> DelayingQueue[ObjectKey]:
    return DelayingQueue(
        settings.write_interval,
        settings.write_interval_limit,
        lambda: Backoff(settings.retry_backoff, settings.retry_backoff_limit),
    )
