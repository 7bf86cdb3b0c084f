"""Who governs a cluster's peerings, which CIDRs they have, and which pods live, in plain Python, from the cluster's description.

Like the interpreter, which decides by it, it shares no code with facts/, rules/, engine/ or chains/.
"""

from collections.abc import Collection, Iterator
from functools import cached_property
from ipaddress import ip_network

from tests.support.addresses import Address, Cidr, is_cidr, parsed, union, usable_cidr
from tests.support.descriptions import (
    Cluster,
    Configuration,
    Network,
    Node,
    Pod,
    Policy,
)

ENDED = ("Succeeded", "Failed")


class Membership:
    """The tenants, peerings, CIDRs and live pods of a cluster.

    ``nft`` says that nft loads the chains, of both families; else Liqo's agents do, which match IPv4 only. ``agent`` says that
    an agent does, as nft, and that it judges established connections and what nodes receive too. ``unfit`` are
    the policies, as namespace/name, whose chains do not fit; which those are has tests that load them.
    """

    def __init__(
        self, cluster: Cluster, *, nft: bool = False, agent: bool = False, unfit: Collection[str] = ()
    ) -> None:
        self.cluster = cluster
        self.nft = nft or agent
        self.agent = agent
        self.unfit = unfit

    # ---- Who governs ----

    @cached_property
    def claims(self) -> dict[str, str]:
        """The peering that each namespace claims to be the tenant's of: by its labels, else by its name."""
        labelled = {n.name: n.cluster for n in self.cluster.namespaces if n.tenant and n.cluster}
        found = dict(labelled)
        for policy in self.cluster.policies:
            peering = policy.namespace.removeprefix("liqo-tenant-")
            is_named = peering != policy.namespace and not policy.malformed
            if is_named and policy.namespace not in labelled and peering not in labelled.values():
                found[policy.namespace] = peering
        return found

    @cached_property
    def given(self) -> dict[str, str]:
        """The peering of each namespace that a ForeignCluster names."""
        return {foreign.tenant: foreign.cluster for foreign in self.cluster.foreign_clusters if foreign.tenant}

    @cached_property
    def places(self) -> dict[str, str]:
        """The peering of each namespace that is its tenant namespace, or may be because several claim it."""
        known = set(self.given.values())
        open_claims = {n: p for n, p in self.claims.items() if p not in known and n not in self.given}
        return self.given | open_claims

    @cached_property
    def contested(self) -> set[str]:
        """The peerings that several namespaces claim, while no ForeignCluster says which is right."""
        claimed = list(self.places.values())
        return {peering for peering in claimed if claimed.count(peering) > 1}

    @cached_property
    def tenants(self) -> dict[str, str]:
        """The peering of each tenant namespace."""
        return {name: peering for name, peering in self.places.items() if peering not in self.contested}

    @cached_property
    def governing(self) -> dict[str, Policy]:
        """The oldest policy of each peering; one that was never stored is the youngest, then the smaller name counts."""
        found: dict[str, Policy] = {}
        usable = (policy for policy in self.cluster.policies if not policy.terminating and not policy.malformed)
        for policy in sorted(usable, key=lambda p: (p.created is None, p.created, f"{p.namespace}/{p.name}")):
            if policy.namespace in self.tenants:
                found.setdefault(self.tenants[policy.namespace], policy)
        return found

    @cached_property
    def peerings(self) -> set[str]:
        networks = {network.cluster for network in self.cluster.networks if network.cluster}
        nodes = {node.cluster for node in self.cluster.virtual_nodes}
        return {*self.claims.values(), *networks, *nodes, *(found.cluster for found in self.cluster.foreign_clusters)}

    # ---- CIDRs ----

    @cached_property
    def _local_cidrs(self) -> list[Cidr]:
        written = [n.status for n in self.cluster.networks if n.cluster is None and n.kind == "pod-cidr"]
        return [cidr for cidr in map(usable_cidr, written) if cidr]

    def _is_in_place(self, one: Network | Configuration, peering: str) -> bool:
        """Whether an object counts for the peering of its label: in its tenant namespace, or where no one's is known."""
        known = [name for name, found in self.places.items() if found == peering]
        return one.cluster == peering and (one.namespace in known or (not known and one.namespace not in self.places))

    def _networks(self, peering: str) -> list[Network]:
        return [network for network in self.cluster.networks if self._is_in_place(network, peering)]

    def _configurations(self, peering: str) -> list[Configuration]:
        return [one for one in self.cluster.configurations if self._is_in_place(one, peering)]

    def _assigned(self, peering: str) -> Iterator[tuple[str, Cidr]]:
        for network in self._networks(peering):
            cidr = usable_cidr(network.status)
            if cidr and not network.terminating:
                yield network.kind, cidr

    @cached_property
    def _sound_cidrs(self) -> dict[str, list[Cidr]]:
        """The CIDRs of each peering; none of one whose CIDRs are not all known and sound."""
        found = {peering: list(self._assigned(peering)) for peering in self.peerings}
        return {
            peering: [cidr for _, cidr in assigned]
            if any(kind == "pod" and self.is_written(cidr) for kind, cidr in assigned)
            and self._is_sound(peering, found)
            else []
            for peering, assigned in found.items()
        }

    def is_written(self, found: Address | Cidr) -> bool:
        """Whether chains match the family of an address or a CIDR."""
        return self.nft or found.version == 4

    def _is_sound(self, peering: str, found: dict[str, list[tuple[str, Cidr]]]) -> bool:
        foreign = [cidr for other in found if other != peering for _, cidr in found[other]] + self._local_cidrs
        return (
            not self._has_bad_network(peering)
            and not any(own.overlaps(cidr) for _, own in found[peering] for cidr in foreign)
            and (self.is_settled(peering) or not self.asks_for_more(peering))
        )

    def _has_bad_network(self, peering: str) -> bool:
        return self.misses_cidrs(peering) or any(
            network.status and not is_cidr(network.status) for network in self._networks(peering)
        )

    def misses_cidrs(self, peering: str) -> bool:
        """Whether IPAM may have assigned a CIDR to a peering that could not be read."""
        broken = [one.namespace for one in self.cluster.malformed if one.kind == "Network"]
        return any(self._concerns(namespace, peering) for namespace in broken)

    def is_settled(self, peering: str) -> bool:
        """Whether every CIDR that Liqo uses for a peering is known, of those that chains match."""
        used = [(kind, usable_cidr(cidr)) for one in self._configurations(peering) for kind, cidr in one.used]
        matched = [(kind, cidr) for kind, cidr in used if cidr is None or self.is_written(cidr)]
        assigned = set(self._assigned(peering))
        return any(kind == "pod" for kind, _ in matched) and all(each in assigned for each in matched)

    def asks_for_more(self, peering: str) -> bool:
        """Whether a peering may have CIDRs that it has not been assigned, or that are about to go."""
        return self._awaits_cidrs(peering) or any(network.terminating for network in self._networks(peering))

    def _awaits_cidrs(self, peering: str) -> bool:
        networks = self._networks(peering)
        asked = {(network.kind, ip_network(network.spec)) for network in networks}
        named = [c for made in self._configurations(peering) for c in made.cidrs]
        broken = [one.namespace for one in self.cluster.malformed if one.kind == "Configuration"]
        return (
            any(self._concerns(namespace, peering) for namespace in broken)
            or any(not network.status for network in networks)
            or any((kind, ip_network(cidr)) not in asked for kind, cidr in named)
        )

    def _concerns(self, namespace: str, peering: str) -> bool:
        """Whether an object that could not be read may be a peering's: in its tenant namespace, or in no tenant's."""
        return self.places.get(namespace, peering) == peering

    # ---- Pods ----

    def clusters_of(self, pod: Pod) -> set[str]:
        """The clusters that a Pod's node stands for: none when it is a physical one, or not known."""
        return self._virtual.get(pod.node or "", set())

    @cached_property
    def _virtual(self) -> dict[str, set[str]]:
        """The clusters of each virtual node: by a VirtualNode in its place, or without one by the Node's label."""
        placed = [(n.name, n.cluster) for n in self.cluster.virtual_nodes if self.tenants.get(n.namespace) == n.cluster]
        seen = {node.name for node in self.cluster.nodes}
        seen |= {one.name for one in self.cluster.malformed if one.kind == "Node"}
        found: dict[str, set[str]] = {}
        for node in filter(_is_virtual, self.cluster.nodes):
            named = {cluster for name, cluster in placed if name == node.name}
            label = {node.cluster} if node.cluster else set[str]()
            found[node.name] = (named & label) or named or label
        for name, cluster in placed:
            if name not in seen:
                found.setdefault(name, set()).add(cluster)
        return {name: clusters for name, clusters in found.items() if clusters}

    @cached_property
    def _providers(self) -> set[str]:
        """The peerings with a virtual node, to which namespaces can be offloaded."""
        return set[str]().union(*self._virtual.values())

    def _is_physical(self, pod: Pod) -> bool:
        return any(node.name == pod.node and not _is_virtual(node) for node in self.cluster.nodes)

    def is_unplaced(self, pod: Pod) -> bool:
        """Whether a Pod that has not ended may be on a physical node or on a virtual one."""
        return pod.phase not in ENDED and not self._is_physical(pod) and not self.clusters_of(pod)

    @cached_property
    def _unplaced(self) -> frozenset[Address]:
        return union(addresses_of(pod) for pod in self._readable if self.is_unplaced(pod))

    @cached_property
    def _readable(self) -> list[Pod]:
        return [pod for pod in self.cluster.pods if not pod.malformed]

    @cached_property
    def _on_physical_nodes(self) -> set[Address]:
        pods = (pod for pod in self._readable if pod.phase not in ENDED and self._is_physical(pod))
        return {address for pod in pods for address in addresses_of(pod)}

    def _local(self, pod: Pod) -> set[Address]:
        """The addresses of a live Pod on a physical node."""
        live = pod.phase not in ENDED and not pod.host_network and self._is_physical(pod)
        return addresses_of(pod) if live else set()

    def _shadow(self, pod: Pod, peering: str) -> set[Address]:
        """The addresses of a Pod as a live shadow pod of a peering."""
        live = pod.phase not in ENDED and peering in self.clusters_of(pod)
        return {a for a in addresses_of(pod) if any(a in c for c in self._sound_cidrs[peering])} if live else set()

    def _live(self, pod: Pod) -> set[Address]:
        return self._local(pod).union(*(self._shadow(pod, peering) for peering in self.clusters_of(pod)))


def _is_virtual(node: Node) -> bool:
    return node.virtual or node.tainted


def addresses_of(pod: Pod) -> set[Address]:
    return {parsed(text) for text in pod.addresses}
