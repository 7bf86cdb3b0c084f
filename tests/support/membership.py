"""Who governs a cluster's peerings, and which addresses belong to what, in plain Python, from the cluster's description.

Like the interpreter, which decides by it, it shares no code with facts/, rules/, engine/ or chains/.
"""

from collections.abc import Iterator
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network, ip_network

from tests.support.addresses import Members, ipv4, is_cidr, union, usable_cidr
from tests.support.descriptions import Cluster, Configuration, Network, Node, Offloading, Party, Pod, Policy
from tests.support.node_selectors import is_readable, is_selected, may_match

RFC1918 = tuple(IPv4Network(cidr) for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
ENDED = ("Succeeded", "Failed")
GROUPS = ("local-cluster", "remote-cluster", "offloaded", "vc-local", "vc-remote", "private-subnets")


class Membership:
    """The tenants, peerings, groups and scopes of a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

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
    def _local_cidrs(self) -> list[IPv4Network]:
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

    def _assigned(self, peering: str) -> Iterator[tuple[str, IPv4Network]]:
        for network in self._networks(peering):
            cidr = usable_cidr(network.status)
            if cidr and not network.terminating:
                yield network.kind, cidr

    @cached_property
    def _sound_cidrs(self) -> dict[str, list[IPv4Network]]:
        """The CIDRs of each peering; none of one whose CIDRs are not all known and sound."""
        found = {peering: list(self._assigned(peering)) for peering in self.peerings}
        return {
            peering: [cidr for _, cidr in assigned]
            if any(kind == "pod" for kind, _ in assigned) and self._is_sound(peering, found)
            else []
            for peering, assigned in found.items()
        }

    def _is_sound(self, peering: str, found: dict[str, list[tuple[str, IPv4Network]]]) -> bool:
        foreign = [cidr for other in found if other != peering for _, cidr in found[other]] + self._local_cidrs
        broken = [one.namespace for one in self.cluster.malformed if one.kind == "Network"]
        return (
            not any(self._concerns(namespace, peering) for namespace in broken)
            and all(not network.status or is_cidr(network.status) for network in self._networks(peering))
            and not any(own.overlaps(cidr) for _, own in found[peering] for cidr in foreign)
            and (self.is_settled(peering) or not self.asks_for_more(peering))
        )

    def is_settled(self, peering: str) -> bool:
        """Whether every CIDR that Liqo uses for a peering is known."""
        used = [(kind, usable_cidr(cidr)) for one in self._configurations(peering) for kind, cidr in one.used]
        assigned = set(self._assigned(peering))
        return any(kind == "pod" for kind, _ in used) and all(each in assigned for each in used)

    def asks_for_more(self, peering: str) -> bool:
        """Whether a peering may have CIDRs that it has not been assigned, or that are about to go."""
        networks = self._networks(peering)
        asked = {(network.kind, ip_network(network.spec)) for network in networks}
        named = [c for made in self._configurations(peering) for c in made.cidrs]
        broken = [one.namespace for one in self.cluster.malformed if one.kind == "Configuration"]
        return (
            any(self._concerns(namespace, peering) for namespace in broken)
            or any(not network.status or network.terminating for network in networks)
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
    def _unplaced(self) -> frozenset[IPv4Address]:
        return union(addresses_of(pod) for pod in self._readable if self.is_unplaced(pod))

    @cached_property
    def _readable(self) -> list[Pod]:
        return [pod for pod in self.cluster.pods if not pod.malformed]

    @cached_property
    def _on_physical_nodes(self) -> set[IPv4Address]:
        pods = (pod for pod in self._readable if pod.phase not in ENDED and self._is_physical(pod))
        return {address for pod in pods for address in addresses_of(pod)}

    def _local(self, pod: Pod) -> set[IPv4Address]:
        """The addresses of a live Pod on a physical node."""
        live = pod.phase not in ENDED and not pod.host_network and self._is_physical(pod)
        return addresses_of(pod) if live else set()

    def _shadow(self, pod: Pod, peering: str) -> set[IPv4Address]:
        """The addresses of a Pod as a live shadow pod of a peering."""
        live = pod.phase not in ENDED and peering in self.clusters_of(pod)
        return {a for a in addresses_of(pod) if any(a in c for c in self._sound_cidrs[peering])} if live else set()

    def _live(self, pod: Pod) -> set[IPv4Address]:
        return self._local(pod).union(*(self._shadow(pod, peering) for peering in self.clusters_of(pod)))

    # ---- Groups and scope ----

    def _mapped(self, peering: str) -> set[str]:
        """The namespaces that this cluster offloads to a peering: those that select one of its virtual nodes."""
        return {o.namespace for o in self.cluster.offloadings if not o.terminating and self._selects(o, peering)}

    def _selects(self, offloading: Offloading, peering: str) -> bool:
        nodes = [name for name, clusters in self._virtual.items() if peering in clusters]
        known = {name: self._labels(name, peering) for name in nodes}
        return bool(nodes) and is_selected(offloading.terms, known)

    def _labels(self, name: str, peering: str) -> dict[str, str]:
        """The labels of a virtual node; which cluster it is, its own labels do not say."""
        nodes = [node for node in self.cluster.nodes if node.name == name]
        placed = [n for n in self.cluster.virtual_nodes if n.name == name and n.cluster == peering]
        made = [n.labels for n in nodes] or [n.labels for n in placed if self.tenants.get(n.namespace) == peering]
        labels = {key: value for found in made for key, value in found}
        kind = {"liqo.io/type": "virtual-node"} if any(node.virtual for node in nodes) else {}
        return labels | kind | {"liqo.io/remote-cluster-id": peering}

    def _maybe_mapped(self, peering: str) -> set[str]:
        """The namespaces of which it is not known whether they are offloaded to a peering."""
        if not self.may_be_provider(peering):
            return set()
        found = [o for o in self.cluster.offloadings if not o.terminating]
        doubtful = {o.namespace for o in found if not all(map(is_readable, o.terms))}
        if self._unplaced:
            # Of a node that is not known, only the cluster would be: the one in question.
            doubtful |= {o.namespace for o in found if not o.terms or any(may_match(t, peering) for t in o.terms)}
        return doubtful - self._mapped(peering)

    def may_be_provider(self, peering: str) -> bool:
        """Whether a peering has a virtual node, or may have because a node is not known."""
        return peering in self._providers or bool(self._unplaced)

    def _offloaded_namespaces(self, peering: str) -> set[str]:
        """The namespaces that Liqo made for a peering: labelled as such, or annotated with a map of its tenant's."""
        labelled = {n.name for n in self.cluster.namespaces if n.cluster == peering and not n.tenant}
        managed = {n.name: n.managed_by.split("/")[0] for n in self.cluster.namespaces if n.managed_by}
        return labelled | {name for name, tenant in managed.items() if self.tenants.get(tenant) == peering}

    @cached_property
    def groups(self) -> dict[str, dict[str, Members]]:
        return {peering: self._groups_of(peering) for peering in self.peerings}

    def _groups_of(self, peering: str) -> dict[str, Members]:
        mapped, made = self._mapped(peering), self._offloaded_namespaces(peering)
        guests = [pod for pod in self._readable if pod.origin == peering and pod.namespace in made]
        return {
            "local-cluster": Members(cidrs=tuple(self._local_cidrs)),
            "remote-cluster": Members(cidrs=tuple(self._sound_cidrs[peering])),
            "offloaded": Members(union(map(self._live, guests))),
            "vc-local": Members(union(self._local(pod) for pod in self._readable if pod.namespace in mapped)),
            "vc-remote": Members(union(self._shadow(pod, peering) for pod in self._readable)),
            "private-subnets": Members(cidrs=RFC1918),
        }

    @cached_property
    def _namespaces(self) -> dict[str, Members]:
        names = {pod.namespace for pod in self._readable}
        return {n: Members(union(self._live(pod) for pod in self._readable if pod.namespace == n)) for n in names}

    def _party(self, peering: str, party: Party) -> Members:
        if party.group is not None:
            return self.groups[peering].get(party.group, Members())
        return self._namespaces.get(str(party.namespace), Members())

    def _named(self, peering: str) -> set[str]:
        parties = [p for rule in self.governing[peering].rules for p in (rule.source, rule.destination) if p]
        return {party.namespace for party in parties if party.namespace is not None}

    @cached_property
    def scope(self) -> dict[str, Members]:
        found: dict[str, Members] = {}
        for peering in self.governing:
            owned = [self.groups[peering][group].addresses for group in ("offloaded", "vc-local", "vc-remote")]
            named = [self._namespaces.get(name, Members()).addresses for name in self._named(peering)]
            found[peering] = Members(union([*owned, *named]), tuple(self._sound_cidrs[peering]))
        return found


def _is_virtual(node: Node) -> bool:
    return node.virtual or node.tainted


def addresses_of(pod: Pod) -> set[IPv4Address]:
    return {address for text in pod.addresses if (address := ipv4(text))}
