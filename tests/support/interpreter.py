"""What the policies of a cluster mean, in plain Python, read from the description of the cluster.

It shares no code with facts/, rules/, engine/ or chains/: it follows the semantics as the design states them, so that a
disagreement with the rules is a defect of one of the two. ``Meaning.decide`` is the decision itself; the rest says what
cannot be known.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address
from typing import Literal

from tests.support.addresses import Members, ipv4, is_cidr
from tests.support.descriptions import Policy, Rule
from tests.support.membership import ENDED, GROUPS, Membership, addresses_of

Flow = tuple[str, str, str]
"""Source, destination, and the state of the connection: new or established."""
Decision = tuple[str, int, str]
"""What decided (established, rule or default), the index of the rule, and the action."""


@dataclass(frozen=True)
class Answer:
    """``decisions`` by governing peering; None where the policy is pending."""

    verdict: Literal["allowed", "denied", "unknown"]
    decisions: dict[str, Decision | None]


class Meaning(Membership):
    """The meaning of a cluster's policies."""

    # ---- The decision ----

    def decide(self, flow: Flow) -> Answer:
        source, destination, state = flow
        ends = ipv4(source), ipv4(destination)
        decisions: dict[str, Decision | None] = {}
        for peering, policy in self.governing.items():
            if not any(end in self.scope[peering] for end in ends):
                continue
            if state == "established":
                decisions[peering] = ("established", 0, "allow")
            else:
                decisions[peering] = None if self.pending[peering] else self._first_match(peering, policy, ends)
        if any(decision and decision[2] == "deny" for decision in decisions.values()):
            return Answer("denied", decisions)
        open_ended = state == "new" and any(self._may_govern(peering, end) for peering in self.doubts for end in ends)
        unknown = None in decisions.values() or open_ended
        return Answer("unknown" if unknown else "allowed", decisions)

    def _first_match(self, peering: str, policy: Policy, ends: tuple[IPv4Address | None, ...]) -> Decision:
        for index, rule in enumerate(policy.rules):
            parties = (rule.source, rule.destination)
            if all(p is None or end in self._party(peering, p) for p, end in zip(parties, ends, strict=True)):
                return "rule", index, str(rule.action)
        return "default", 0, "allow"

    def _may_govern(self, peering: str, end: IPv4Address | None) -> bool:
        """Whether an address may be in the unknown part of a peering's scope."""
        doubt = self.doubts[peering]
        if end is None or doubt == "anything":
            return end is not None
        if end in self._on_physical_nodes:
            return False
        elsewhere = [cidr for other in self.peerings if other != peering for cidr in self._sound_cidrs[other]]
        return doubt == "pods" or end not in Members(cidrs=(*self._local_cidrs, *elsewhere))

    # ---- What cannot be known ----

    @cached_property
    def pending(self) -> dict[str, bool]:
        """Whether the policy that governs a peering has no chain: its rules are wrong, or something is not known."""
        fields = self.cluster.firewall_fields
        return {
            peering: peering in self.doubts
            or (fields is not None and fields < {"sets", "ctstate"})
            or not all(map(is_valid, policy.rules))
            or not self._knows_local(policy.rules)
            for peering, policy in self.governing.items()
        }

    def _knows_local(self, rules: Iterable[Rule]) -> bool:
        local = [n.status for n in self.cluster.networks if n.cluster is None and n.kind == "pod-cidr"]
        named = any(p and p.group == "local-cluster" for rule in rules for p in (rule.source, rule.destination))
        assigned = all(is_cidr(status) for status in local if status)
        return assigned and (not named or (all(local) and bool(self._local_cidrs)))

    @cached_property
    def doubts(self) -> dict[str, str]:
        """The peerings whose scope is not fully known, and what may be in it.

        "CIDRs": addresses of CIDRs or shadow pods that are not known, which are no one else's. "pods": any address but
        that of another live Pod, since a Pod could not be read. "anything": an object that says who is a member could not be read, or a policy.
        """
        found: dict[str, str] = {}
        for peering in self.peerings:
            if any(
                policy.malformed and self._concerns(policy.namespace, peering) for policy in self.cluster.policies
            ) or (peering in self.governing and self._is_in_doubt_who_is_a_member(peering)):
                found[peering] = "anything"
            elif peering in self.governing and self._may_hold_unreadable_pod(peering):
                found[peering] = "pods"
            elif peering in self.governing and (not self._sound_cidrs[peering] or self._awaits_other(peering)):
                found[peering] = "CIDRs"
        return found

    def _is_in_doubt_who_is_a_member(self, peering: str) -> bool:
        kinds = {one.kind for one in self.cluster.malformed if self._concerns(one.namespace, peering)}
        doubtful = kinds & {"Namespace", "Node", "NamespaceMap", "VirtualNode"}
        listed = {here for m in self._maps_of(peering) if m.ours for here, _, _ in m.entries}
        return bool(doubtful or listed.intersection(self.cluster.malformed_offloadings))

    def _may_hold_unreadable_pod(self, peering: str) -> bool:
        concerned = self._mapped(peering) | self._offloaded_namespaces(peering) | self._named(peering)
        return any(pod.malformed and pod.namespace in concerned for pod in self.cluster.pods)

    def _awaits_other(self, peering: str) -> bool:
        """Whether a possible member is a shadow pod of another peering, whose CIDRs are not known."""
        concerned = self._named(peering) | self._offloaded_namespaces(peering)
        return any(
            pod.namespace in concerned
            and pod.shadow == "true"
            and pod.phase not in ENDED
            and addresses_of(pod)
            and any(other != peering and not self._sound_cidrs[other] for other in self._clusters_of(pod))
            for pod in self._readable
        )


def is_valid(rule: Rule) -> bool:
    parties = [party for party in (rule.source, rule.destination) if party is not None]
    named = all((party.group is None) != (party.namespace is None) for party in parties)
    return named and rule.action in ("allow", "deny") and all(p.group is None or p.group in GROUPS for p in parties)
