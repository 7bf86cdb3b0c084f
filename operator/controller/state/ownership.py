"""Ownership: which policy each FirewallConfiguration is written for, and which ones are to be removed.

A view of what the rules derive and of what is stored. The work queue and the reconcilers ask it; only the control loop
brings it up to date.
"""

from collections.abc import Mapping
from typing import NamedTuple, cast

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.keys import firewall_key, object_key, policy_key, stood_in_for
from liqo_connectivity.operator.controller.objects.stored import FIREWALL, POLICY
from liqo_connectivity.operator.controller.state.state import Changes, State


class Target(NamedTuple):
    """What a FirewallConfiguration is to hold: the chain of a peering, on behalf of the policy that governs it."""

    peering: str
    policy: ObjectKey


class Ownership:
    """Who is written for whom; call ``follow`` with every change of the state."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._targets: Mapping[ObjectKey, Target] = {}
        self._removals: Mapping[ObjectKey, str] = {}
        self._governors: Mapping[ObjectKey, ObjectKey] = {}
        self._governed: Mapping[ObjectKey, ObjectKey] = {}

    def follow(self, changes: Changes) -> None:
        """Take over what a change of the state changed."""
        if not changes.derived:
            return
        state = self._state
        self._targets = {
            firewall_key(namespace, peering): Target(peering, policy_key(policy))
            for peering, namespace, policy in cast("list[tuple[str, str, str]]", state.rows("writable"))
        }
        self._removals = {object_key(FIREWALL, firewall): str(how) for firewall, how in state.rows("removal")}
        governing = [(peering, policy_key(policy)) for peering, policy in state.rows("governing")]
        self._governors = {firewall_key(policy.namespace, peering): policy for peering, policy in governing}
        self._governed = {policy: firewall_key(policy.namespace, peering) for peering, policy in governing}

    # ---- One object ----

    def target(self, firewall: ObjectKey) -> Target | None:
        """What a FirewallConfiguration is to hold; None if it is not to be written."""
        return self._targets.get(firewall)

    def removal(self, firewall: ObjectKey) -> str | None:
        """How a FirewallConfiguration is to be removed, ``drain`` or ``delete``; None if it is not."""
        return self._removals.get(firewall)

    def lead(self, firewall: ObjectKey) -> ObjectKey:
        """The object that one is reconciled with: of a stand-in the one that it stands in for, while that is written."""
        first = stood_in_for(firewall)
        return first if first is not None and first in self._targets else firewall

    def policy_of(self, firewall: ObjectKey) -> ObjectKey | None:
        """The policy whose status reports on a FirewallConfiguration: its governor, or else the stored owner."""
        governor = self._governors.get(stood_in_for(firewall) or firewall)
        if governor is not None:
            return governor
        stored = self._state.firewalls.get(firewall)
        return ObjectKey(POLICY, firewall.namespace, stored.owner) if stored is not None and stored.owner else None

    def firewall_of(self, policy: ObjectKey) -> ObjectKey | None:
        """The FirewallConfiguration of the peering that a policy governs; None if it governs none."""
        return self._governed.get(policy)

    # ---- Many objects ----

    def firewalls_of(self, peerings: Mapping[str, int]) -> dict[ObjectKey, int]:
        """The FirewallConfigurations to be written for some peerings, each with the number given for its peering."""
        return {key: peerings[target.peering] for key, target in self._targets.items() if target.peering in peerings}

    def everything(self) -> tuple[set[ObjectKey], set[ObjectKey]]:
        """All FirewallConfigurations and all policies that may have to be reconciled."""
        return {*self._targets, *map(self.lead, self._state.firewalls)}, set(self._state.policies)
