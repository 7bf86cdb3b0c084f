"""A cluster of a federation as its own API server describes it: what the operator reads, and the interpreter.

This module must not know what a policy means.
"""

from tests.dataplane.federation import DNS, NAMESPACES, OWN_EXTERNAL, WORKERS, Federation, Member, RealPod
from tests.support.descriptions import (
    Cluster,
    ForeignCluster,
    Namespace,
    NamespaceMap,
    Network,
    Node,
    Offloading,
    Pod,
    Requirement,
    Service,
    Slice,
    VirtualNode,
)


def described(whole: Federation, name: str) -> Cluster:
    """The cluster with a name, as it sees itself and its peers."""
    member = whole.member(name)
    peers = [whole.member(peer) for peer in member.sees]
    dns = [a for pod in member.pods if pod.namespace == DNS for a in pod.addresses]
    return Cluster(
        namespaces=tuple(_namespaces(member, peers)),
        nodes=(
            *(Node(worker, addresses=found) for worker, found in member.node_addresses.items()),
            *(Node(peer.name, virtual=True, cluster=peer.name, tainted=True) for peer in peers),
        ),
        virtual_nodes=tuple(VirtualNode(_tenant(peer), peer.name, peer.name) for peer in peers),
        networks=tuple(_networks(member, peers)),
        maps=tuple(_maps(member, peers)),
        offloadings=tuple(_offloading(namespace, taken) for namespace, taken in member.offloads.items()),
        foreign_clusters=tuple(ForeignCluster(p.name, "ConsumerAndProvider", _tenant(p)) for p in peers),
        pods=(*(_pod(pod) for pod in member.pods), *_shadows(whole, member, peers)),
        policies=member.policies,
        firewall_fields=frozenset({"sets", "ctstate"}),
        services=tuple(_services(member)),
        slices=tuple(Slice(DNS, f"dns-{number}", (address,)) for number, address in enumerate(dns)),
    )


def _tenant(peer: Member) -> str:
    return f"liqo-tenant-{peer.name}"


def _namespaces(member: Member, peers: list[Member]) -> list[Namespace]:
    found = [Namespace("default"), *(Namespace(_tenant(peer), peer.name, tenant=True) for peer in peers)]
    for namespace, labels in member.labels.items():
        owner = next((peer for peer in peers if namespace.endswith(f"-{peer.name}")), None)
        managed_by = f"{_tenant(owner)}/theirs" if owner else None
        found.append(Namespace(namespace, owner.name if owner else None, managed_by=managed_by, labels=labels))
    return found


def _networks(member: Member, peers: list[Member]) -> list[Network]:
    found = [Network("liqo", f"pod-cidr-{n}", None, "pod-cidr", cidr, cidr) for n, cidr in enumerate(member.cidrs)]
    found.append(Network("liqo", "external-cidr", None, "external-cidr", OWN_EXTERNAL, OWN_EXTERNAL))
    if member.services:
        found += [
            Network("liqo", f"service-cidr-{n}", None, "service-cidr", c, c) for n, c in enumerate(member.service_cidrs)
        ]
    for peer in peers:
        for number, (real, seen) in enumerate(zip(peer.cidrs, member.sees[peer.name], strict=True)):
            found.append(Network(_tenant(peer), f"cfg-pod-{number}", peer.name, "pod", real, seen))
        external = member.external[peer.name]
        found.append(Network(_tenant(peer), "cfg-external", peer.name, "external", OWN_EXTERNAL, external))
    return found


def _maps(member: Member, peers: list[Member]) -> list[NamespaceMap]:
    found: list[NamespaceMap] = []
    for peer in peers:
        given = [ns for ns, taken in member.offloads.items() if peer.name in taken]
        taken = [ns for ns, providers in peer.offloads.items() if member.name in providers]
        ours = tuple((ns, f"{ns}-{member.name}", "Accepted") for ns in given)
        theirs = tuple((ns, f"{ns}-{peer.name}", "Accepted") for ns in taken)
        found.append(NamespaceMap(_tenant(peer), peer.name, peer.name, ours=True, origin=member.name, entries=ours))
        found.append(NamespaceMap(_tenant(peer), "theirs", peer.name, ours=False, origin=peer.name, entries=theirs))
    return found


def _offloading(namespace: str, taken: tuple[str, ...]) -> Offloading:
    chosen = Requirement("liqo.io/remote-cluster-id", "In", taken or ("nobody",))
    return Offloading(namespace, ((chosen,),), tuple((peer, True) for peer in taken))


def _services(member: Member) -> list[Service]:
    return [
        Service(
            NAMESPACES[0],
            service.name,
            (service.address,),
            service.endpoints,
            service.node_port,
            service.protocol.upper(),
            service.port,
            service.target,
            service.local,
        )
        for service in member.services
    ]


def _pod(pod: RealPod) -> Pod:
    assert pod.node in WORKERS
    return Pod(pod.namespace, pod.name, pod.node, addresses=pod.addresses, labels=pod.labels, origin=pod.origin)


def _shadows(whole: Federation, member: Member, peers: list[Member]) -> list[Pod]:
    """The pods that this cluster offloaded, as Liqo shows them here."""
    found: list[Pod] = []
    for peer in peers:
        for pod in peer.pods:
            if pod.origin == member.name:
                known = tuple(whole.known_as(member.name, peer.name, address) for address in pod.addresses)
                name = f"{pod.name}-{peer.name}"
                found.append(Pod(pod.home, name, peer.name, addresses=known, shadow="true", labels=pod.labels))
    return found
