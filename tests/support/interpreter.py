"""What the policies of a cluster mean, in plain Python, read from the description of the cluster.

It shares no code with facts/, rules/, engine/ or chains/: it follows the semantics as the design states them, so that a
disagreement with the rules is a defect of one of the two. ``Meaning.decide`` is the decision itself; the rest says what
cannot be known.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from tests.support.addresses import Address, Members, is_cidr, parsed, union
from tests.support.data_path import DataPath
from tests.support.descriptions import Party, Policy, Rule, Traffic
from tests.support.groups import is_selection
from tests.support.membership import ENDED, addresses_of
from tests.support.policy_checks import beyond_liqo, is_unclear, is_valid

Decision = tuple[str, int, str]
"""What decided (established, rule or default), the index of the rule, and the action."""


@dataclass(frozen=True)
class Answer:
    """``decisions`` by governing peering; None where the policy is pending, or ports decide and none is given."""

    verdict: Literal["allowed", "denied", "unknown"]
    decisions: dict[str, Decision | None]


@dataclass(frozen=True)
class Seen:
    """An address as a peering's policy sees it: the rules that match it as source and as destination.

    ``may_join`` says that it is a pod's of a namespace that may turn out to be offloaded to the peering.
    """

    in_scope: bool
    may_join: bool
    from_it: frozenset[int]
    to_it: frozenset[int]


class Meaning(DataPath):
    """The meaning of a cluster's policies."""

    # ---- The decision ----

    def decide(self, flow: Traffic) -> Answer:
        ends = parsed(flow.source), parsed(flow.destination)
        decisions: dict[str, Decision | None] = {}
        for peering, policy in self.governing.items():
            seen = self._seen(peering, flow.source), self._seen(peering, flow.destination)
            if not any(end.in_scope for end in seen):
                continue
            if flow.state == "established" and not self.agent:
                decisions[peering] = ("established", 0, "allow")
            else:
                is_open = self.pending[peering] or any(end.may_join for end in seen)
                decisions[peering] = None if is_open else self._first_match(peering, policy, flow)
        if any(decision and decision[2] == "deny" for decision in decisions.values()):
            unseen = self.is_out_of_sight(flow) or not self.is_written(ends[0])
            return Answer("unknown" if unseen else "denied", decisions)
        if flow.state == "established" and not self.agent:
            return Answer("allowed", decisions)
        open_ended = (
            any(self._may_govern(peering, end) for peering in self.open_ends for end in ends)
            or any(self._seen(peering, end).may_join for peering in self.governing for end in flow[:2])
            or (bool(self.governing) and (any(map(self.is_rewritten, ends)) or self.is_node_port(flow)))
        )
        unknown = None in decisions.values() or open_ended
        return Answer("unknown" if unknown else "allowed", decisions)

    def _first_match(self, peering: str, policy: Policy, flow: Traffic) -> Decision | None:
        """What decides a flow; None if it stands for all ports, and a rule for some decides unlike what decides the rest."""
        source, destination = self._seen(peering, flow.source), self._seen(peering, flow.destination)
        parts: set[str] = set()
        taken: set[tuple[str, int]] = set()
        found: Decision = "default", 0, policy.default or "allow"
        for index in sorted(source.from_it & destination.to_it):
            rule = policy.rules[index]
            if rule.ports is None or (flow.protocol and has_port(rule, flow)):
                found = "rule", index, str(rule.action)
                break
            if not flow.protocol:
                own = every_port(rule)
                if own - taken:
                    parts.add(str(rule.action))
                taken |= own
        return None if parts - {found[2]} else found

    def _seen(self, peering: str, end: str) -> Seen:
        """How the policy of a peering sees an address: much is asked about few of them."""
        if (peering, end) not in self._seen_found:
            self._seen_found[peering, end] = self._looked_at(peering, parsed(end))
        return self._seen_found[peering, end]

    @cached_property
    def _seen_found(self) -> dict[tuple[str, str], Seen]:
        return {}

    def _looked_at(self, peering: str, end: Address) -> Seen:
        def takes(party: Party | None) -> bool:
            return party is None or end in self.party(peering, party)

        rules = [*enumerate(self.governing[peering].rules)]
        return Seen(
            end in self.scope[peering],
            end in self._joining[peering],
            frozenset(index for index, rule in rules if takes(rule.source)),
            frozenset(index for index, rule in rules if takes(rule.destination)),
        )

    def _may_govern(self, peering: str, end: Address) -> bool:
        """Whether an address may be in the unknown part of a peering's scope."""
        doubt = self.open_ends[peering]
        if doubt == "anything":
            return True
        shadows = [p for p in self._readable if p.phase not in ENDED and peering in self.clusters_of(p)]
        if end in self._on_physical_nodes and end not in union(map(addresses_of, shadows)):
            return False
        if end in self._unplaced:
            return True
        elsewhere = [cidr for other in self.peerings if other != peering for cidr in self._sound_cidrs[other]]
        return doubt == "pods" or end not in Members(cidrs=(*self._local_cidrs, *elsewhere))

    @cached_property
    def _joining(self) -> dict[str, frozenset[Address]]:
        """By peering, the addresses of pods of namespaces that may turn out to be offloaded to it."""
        found: dict[str, frozenset[Address]] = {}
        for peering in self.governing:
            namespaces = self._maybe_mapped(peering)
            pods = [pod for pod in self._readable if pod.namespace in namespaces]
            unplaced = (addresses_of(pod) for pod in pods if self.is_unplaced(pod))
            found[peering] = union([*map(self._local, pods), *unplaced])
        return found

    # ---- What cannot be known ----

    @cached_property
    def pending(self) -> dict[str, bool]:
        """Whether the policy that governs a peering has no chain: its rules are wrong, or something is not known.

        While Liqo's agents enforce, also because they cannot match something that it says, or lack what every chain needs.
        """
        fields = self.cluster.firewall_fields
        agents_lack = fields is not None and fields < {"sets", "ctstate"}
        return {
            peering: peering in self.doubts
            or f"{policy.namespace}/{policy.name}" in self.unfit
            or (not self.nft and (agents_lack or beyond_liqo(policy)))
            or not is_valid(policy)
            or not self._knows_local(peering)
            or (self._names(peering, "nameserver") and self._misses_slices)
            or (self._names(peering, "internet") and any(map(self.misses_cidrs, self.peerings)))
            for peering, policy in self.governing.items()
        }

    def _names(self, peering: str, *groups: str) -> bool:
        return any(party.group in groups for party in self._parties(peering))

    def _knows_local(self, peering: str) -> bool:
        local = [n.status for n in self.cluster.networks if n.cluster is None and n.kind == "pod-cidr"]
        assigned = all(is_cidr(status) for status in local if status)
        if not self._names(peering, "local-cluster", "internet"):
            return assigned
        return assigned and all(local) and any(map(self.is_written, self._local_cidrs))

    @property
    def _misses_slices(self) -> bool:
        return any(one.kind == "EndpointSlice" and one.namespace == "kube-system" for one in self.cluster.malformed)

    @cached_property
    def doubts(self) -> dict[str, str]:
        """The peerings whose scope is not fully known, and what may be in it.

        "CIDRs": addresses of CIDRs or shadow pods that are not known, which are no one else's. "pods": any address but
        that of another live Pod, since a Pod could not be read. "anything": an object that says who is a member could not be read, or a policy.
        """
        found: dict[str, str] = {}
        for peering in self.peerings:
            claimed = any(
                policy.malformed and self._concerns(policy.namespace, peering) for policy in self.cluster.policies
            )
            if (
                claimed
                or self._is_contended(peering)
                or self._may_have_hidden_tenant(peering)
                or (peering in self.governing and is_unclear(self.governing[peering]))
                or (peering in self.governing and self._misses_labels(peering))
                or (peering in self.governing and self._is_in_doubt_who_is_a_member(peering))
            ):
                found[peering] = "anything"
            elif peering in self.governing and self._may_hold_unreadable_pod(peering):
                found[peering] = "pods"
            elif peering in self.governing and (
                not self._sound_cidrs[peering] or self._awaits_other(peering) or self._may_have_unplaced_member(peering)
            ):
                found[peering] = "CIDRs"
        return found

    @cached_property
    def open_ends(self) -> dict[str, str]:
        """The doubts, and those that hold no policy up: CIDRs that a peering may get beside those that Liqo uses for it."""
        more = [peering for peering in self.governing if self.is_settled(peering) and self.asks_for_more(peering)]
        return dict.fromkeys(more, "CIDRs") | self.doubts

    def _is_contended(self, peering: str) -> bool:
        """Whether a policy would govern a contested peering if its namespace were the tenant namespace."""
        usable = [policy for policy in self.cluster.policies if not policy.terminating and not policy.malformed]
        return peering in self.contested and any(self.claims.get(policy.namespace) == peering for policy in usable)

    @cached_property
    def _unread_namespaces(self) -> set[str]:
        return {one.name for one in self.cluster.malformed if one.kind == "Namespace"}

    def _may_have_hidden_tenant(self, peering: str) -> bool:
        """Whether the tenant namespace of a peering may be one that could not be read."""
        if peering in self.tenants.values():
            return False
        places = {policy.namespace for policy in self.cluster.policies if not policy.malformed}
        return any(name not in self.tenants for name in places & self._unread_namespaces)

    def _misses_labels(self, peering: str) -> bool:
        """Whether a policy asks for labels of namespaces of which one is not known."""
        known = {namespace.name for namespace in self.cluster.namespaces}
        missing = any(pod.namespace not in known for pod in self._readable) or bool(self._unread_namespaces)
        return missing and any(is_selection(p) and p.namespaces is not None for p in self._parties(peering))

    def _is_in_doubt_who_is_a_member(self, peering: str) -> bool:
        unread = [pod for pod in self.cluster.pods if pod.namespace in self.cluster.malformed_offloadings]
        counted = [p for p in unread if p.malformed or self._local(p) or (self.is_unplaced(p) and addresses_of(p))]
        if counted and self.may_be_provider(peering):
            return True
        placed = {name for name, found in self.places.items() if found == peering}
        nodes = {node.name for node in self.cluster.nodes}
        named = {n.name for n in self.cluster.virtual_nodes if self.tenants.get(n.namespace) == n.cluster == peering}
        for one in self.cluster.malformed:
            if one.kind == "Node" and one.name in named:
                return True
            if one.kind == "VirtualNode" and one.namespace in placed and one.name not in nodes:
                return True
        if self._unread_namespaces & placed and peering not in self.given.values():
            return True
        return any(pod.origin == peering and pod.namespace in self._unread_namespaces for pod in self._readable)

    def _may_have_unplaced_member(self, peering: str) -> bool:
        """Whether a Pod on an unknown node may be a member: by its namespace, or by its address."""
        sound = [cidr for other in self.peerings for cidr in self._sound_cidrs[other]]
        concerned, made = self._mapped(peering) | self._named(peering), self._offloaded_namespaces(peering)
        for pod in filter(self.is_unplaced, self._readable):
            found = addresses_of(pod)
            if any(address in Members(cidrs=tuple(self._sound_cidrs[peering])) for address in found):
                return True
            is_guest = pod.namespace in made and pod.origin == peering
            counts = not pod.host_network or any(address in Members(cidrs=tuple(sound)) for address in found)
            if found and counts and (pod.namespace in concerned or is_guest or self._takes(peering, pod)):
                return True
        return False

    def _may_hold_unreadable_pod(self, peering: str) -> bool:
        concerned = self._mapped(peering) | self._offloaded_namespaces(peering) | self._named(peering)
        concerned |= self._selecting(peering)
        return any(pod.malformed and pod.namespace in concerned for pod in self.cluster.pods)

    def _awaits_other(self, peering: str) -> bool:
        """Whether a possible member is a shadow pod of another peering, whose CIDRs are not known."""
        concerned = self._named(peering) | self._offloaded_namespaces(peering)
        return any(
            (pod.namespace in concerned or self._takes(peering, pod))
            and pod.phase not in ENDED
            and addresses_of(pod)
            and any(other != peering and not self._sound_cidrs[other] for other in self.clusters_of(pod))
            for pod in self._readable
        )


def every_port(rule: Rule) -> set[tuple[str, int]]:
    """Each port that a rule is for, with its protocol; 0 to 65535 of a protocol without ports."""
    found: set[tuple[str, int]] = set()
    for port in rule.ports or ():
        first = 0 if port.first is None else port.first
        last = 65535 if port.first is None else port.last or port.first
        found.update((str(port.protocol), number) for number in range(first, last + 1))
    return found


def has_port(rule: Rule, flow: Traffic) -> bool:
    """Whether a rule is for the protocol and port of a flow."""
    for port in rule.ports or ():
        first = 0 if port.first is None else port.first
        last = 65535 if port.first is None else port.last or port.first
        if str(port.protocol).lower() == flow.protocol and first <= flow.port <= last:
            return True
    return False
