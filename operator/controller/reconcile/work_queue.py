"""Whose turn it is: what changes of the state mean for when each FirewallConfiguration and each policy is looked at.

This module must not know what is done in a turn, nor what follows it.
"""

from typing import Final

from liqo_connectivity.facts.base.fact import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import FIREWALL
from liqo_connectivity.operator.controller.reconcile.delaying_queue import DelayingQueue
from liqo_connectivity.operator.controller.reconcile.rate_limiter import RateLimiter
from liqo_connectivity.operator.controller.reconcile.reconciler import Reconciler
from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.controller.state.state import Changes
from liqo_connectivity.operator.kube.backoff import Backoff


class WorkQueue:
    """The turns to come of FirewallConfigurations and of policies; times are seconds of one clock."""

    def __init__(self, turns: Reconciler, settings: Settings) -> None:
        self._turns = turns
        self._firewalls: Final = _schedule(settings)
        self._policies: Final = _schedule(settings)
        self._pace = RateLimiter(settings.write_rate)

    def of(self, key: ObjectKey) -> DelayingQueue[ObjectKey]:
        """The schedule that an object's turns are in."""
        return self._firewalls if key.kind == FIREWALL else self._policies

    # ---- What changes ----

    def mark_everything(self, now: float) -> None:
        """Anything may be otherwise than it should be."""
        firewalls, policies = self._turns.everything()
        for key in firewalls | policies:
            self.of(key).mark(key, now)

    def mark(self, changes: Changes, now: float, waited: float = 0.0) -> None:
        """The state changed, by what came ``waited`` seconds ago at most."""
        for key, count in self._turns.firewalls_of(changes.peerings).items():
            self._firewalls.mark(key, now, count, waited)
        for key in changes.firewalls:
            self._firewalls.mark(key, now)
            self.mark_policy_of(key, now)
        for key in changes.policies - changes.edited:
            self._policies.mark(key, now)
        for key in changes.edited:
            self._policies.reset(key, now)
            firewall = self._turns.firewall_of(key)
            if firewall is not None:
                # An edit may mend what made the write fail.
                self._firewalls.reset(firewall, now)
        if changes.agents:
            self.mark_everything(now)

    def mark_policy_of(self, firewall: ObjectKey, now: float) -> None:
        """The policy that shows what became of an object may have something new to show."""
        policy = self._turns.policy_of(firewall)
        if policy is not None:
            self._policies.mark(policy, now)

    def wrote(self, key: ObjectKey, now: float) -> None:
        """An object was written."""
        self.of(key).wrote(key, now)
        if key.kind == FIREWALL:
            self._pace.spend(now)

    # ---- Whose turn it is ----

    def take_firewall(self, now: float) -> ObjectKey | None:
        """Take the FirewallConfiguration whose turn it is."""
        return self._firewalls.take(now) if now >= self._pace.ready() else None

    def take_policy(self, now: float) -> ObjectKey | None:
        """Take the policy whose turn it is."""
        return self._policies.take(now)

    def next(self) -> float:
        """When the next turn is."""
        firewall, policy = self._firewalls.next(), self._policies.next()
        never = float("inf")
        return min(
            max(firewall, self._pace.ready()) if firewall is not None else never,
            policy if policy is not None else never,
        )

    def is_settled(self) -> bool:
        """Whether there are no turns to come but of what failed and was told."""
        firewalls, policies = self._turns.everything()
        return not any(self.of(key).waiting(key) and key not in self._turns.problems for key in firewalls | policies)


def _schedule(settings: Settings) -> DelayingQueue[ObjectKey]:
    return DelayingQueue(
        settings.write_interval,
        settings.write_interval_limit,
        lambda: Backoff(settings.retry_backoff, settings.retry_backoff_limit),
    )
