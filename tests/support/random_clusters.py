"""Small random clusters with all the oddities that Liqo, or its users, have been seen to produce, and flows to ask about.

Everything is drawn from the generator that is passed in, so a seed names a cluster and hypothesis can shrink one. What
is rare is drawn when the generator's number is large, so that shrinking leads to the plain case. This module does not
know what a policy means.
"""

from dataclasses import replace
from ipaddress import ip_network
from random import Random

from tests.support.addresses import usable_cidr
from tests.support.descriptions import (
    Cluster,
    Configuration,
    ForeignCluster,
    Malformed,
    Namespace,
    NamespaceMap,
    Network,
    Node,
    Offloading,
    Pod,
    VirtualNode,
)
from tests.support.draws import address_inside, canonical_address, chance, is_cidr
from tests.support.random_flows import ELSEWHERE, known_addresses
from tests.support.random_labels import pod_labels
from tests.support.random_policies import random_policies
from tests.support.random_selectors import random_labels, random_term
from tests.support.random_services import random_services, random_slices

PEERINGS: tuple[str, ...] = ("milan", "naples", "rome-1")
NAMESPACES = ("shop", "batch", "infra")
WORKERS = ("worker-1", "worker-2")
# Everybody's pod CIDR is the same: each cluster sees the others remapped.
REAL = "10.244.0.0/16"
ASSIGNED: tuple[str, ...] = (
    "10.71.0.0/16",
    "10.72.0.0/17",
    "10.73.16.0/20",
    "172.20.0.0/24",
    "100.64.0.0/16",
    "10.74.0.0/16",
)
EXTERNAL = ("10.81.0.0/16", "10.82.0.0/24", "192.168.80.0/24")
LOCAL6 = "fd00:1::/64"
ASSIGNED6 = ("fd00:71::/64", "2001:db8:72::/64", "fd00:73::/64")
EXTERNAL6 = "fd00:81::/64"
SERVICES = ("10.99.0.0/16", "198.18.0.0/16", "2001:db8:99::/112")


def cluster(rng: Random) -> Cluster:
    """A cluster with one to three peerings; about half of them are peerings that nothing is wrong with."""
    odd = chance(rng, 0.5)
    peerings = rng.sample(PEERINGS, rng.randint(1, 3))
    tenants = {peering: _tenant_name(rng, peering) for peering in peerings}
    networks, configurations = _local_networks(rng, odd), list[Configuration]()
    free = rng.sample(ASSIGNED, len(ASSIGNED))
    for peering in peerings:
        found = _remote_networks(rng, peering, tenants[peering], free, odd)
        if odd and chance(rng, 0.3):
            cidrs = [(network.kind, network.spec) for network in found] + [("pod", "10.60.0.0/16")]
            dropped = cidrs[-1] if chance(rng, 0.5) else None
            kept = tuple(cidr for cidr in cidrs if cidr != dropped)
            assigned = [(network.kind, network.status) for network in found if usable_cidr(network.status)]
            used = tuple((kind, str(status)) for kind, status in assigned if not chance(rng, 0.1))
            stale = (("pod", "10.59.0.0/16"),) if chance(rng, 0.1) else ()
            configurations.append(Configuration(tenants[peering], "cfg", peering, kept, (*used, *stale)))
        networks += found
    namespaces = [Namespace(name, labels=pod_labels(rng)) for name in ("default", "kube-system", *NAMESPACES)]
    for peering, tenant in tenants.items():
        labelled = not (tenant == f"liqo-tenant-{peering}" and chance(rng, 0.2))
        namespaces.append(Namespace(tenant, peering if labelled else None, labelled))
    if odd and chance(rng, 0.15):
        namespaces.append(Namespace("second-tenant", peerings[0], tenant=True))
    for peering in peerings:
        if chance(rng, 0.7):
            owner = peering if chance(rng, 0.7) else None
            managed_by = f"{tenants[peering]}/theirs" if chance(rng, 0.7) else None
            labels = pod_labels(rng)
            namespaces.append(Namespace(f"from-{peering}", owner, managed_by=managed_by, labels=labels))
    nodes, virtual_nodes = _nodes(rng, tenants)
    names = [namespace.name for namespace in namespaces]
    made = Cluster(
        namespaces=tuple(namespaces),
        nodes=tuple(nodes),
        virtual_nodes=tuple(virtual_nodes),
        networks=tuple(networks),
        configurations=tuple(configurations),
        maps=tuple(_maps(rng, tenants)),
        offloadings=tuple(_offloading(rng, name, peerings) for name in NAMESPACES if not chance(rng, 0.2)),
        foreign_clusters=tuple(_foreign_cluster(rng, peering, tenant) for peering, tenant in tenants.items()),
        firewall_fields=rng.choice((None, frozenset({"sets", "ctstate"}))),
    )
    if odd and chance(rng, 0.1) and made.offloadings:
        unread = made.offloadings[0].namespace
        made = replace(made, offloadings=made.offloadings[1:], malformed_offloadings=(unread,))
    if odd and chance(rng, 0.2):
        made = _with_malformed(rng, made, list(tenants.values()))
    if odd and chance(rng, 0.05):
        made = replace(made, firewall_fields=frozenset({"sets"}))
    hosts = [*WORKERS, *WORKERS, *(node.name for node in virtual_nodes), *(node.name for node in nodes if node.virtual)]
    made = replace(made, pods=tuple(_pods(rng, made, hosts, peerings, odd)))
    made = replace(made, services=tuple(random_services(rng, made)), slices=tuple(random_slices(rng, made)))
    policies = random_policies(rng, names, tenants, [*known_addresses(rng, made), *rng.sample(ELSEWHERE, 3)], odd)
    made = replace(made, policies=tuple(policies))
    if odd and chance(rng, 0.1):
        unlisted = rng.choice(NAMESPACES)
        made = replace(made, namespaces=tuple(n for n in made.namespaces if n.name != unlisted))
    return made


def _offloading(rng: Random, namespace: str, peerings: list[str]) -> Offloading:
    """Liqo names every remote cluster in the status; what it says there may be anything, because maps decide it."""
    required = tuple((peering, chance(rng, 0.5)) for peering in peerings if not chance(rng, 0.2))
    terms = tuple(random_term(rng) for _ in range(rng.choice((0, 1, 1, 2))))
    return Offloading(namespace, terms, required, terminating=chance(rng, 0.1))


def _foreign_cluster(rng: Random, peering: str, tenant: str) -> ForeignCluster:
    role = rng.choice(("Provider", "Consumer", "ConsumerAndProvider"))
    return ForeignCluster(peering, role, tenant if chance(rng, 0.4) else None)


def _with_malformed(rng: Random, made: Cluster, tenants: list[str]) -> Cluster:
    """The cluster with an object that cannot be read, perhaps in place of one that could."""
    cluster_wide = ("Namespace", "Node", "ForeignCluster")
    kinds = ("Network", "Network", "Configuration", "NamespaceMap", "VirtualNode", "EndpointSlice", *cluster_wide)
    kind, name = rng.choice(kinds), "broken"
    scoped = kind not in cluster_wide
    place = rng.choice([*tenants, "liqo", *(("kube-system",) * 3 if kind == "EndpointSlice" else ())]) if scoped else ""
    if kind == "Namespace":
        name = rng.choice([namespace.name for namespace in made.namespaces])
        made = replace(made, namespaces=tuple(namespace for namespace in made.namespaces if namespace.name != name))
    elif kind == "Node":
        name = rng.choice([node.name for node in made.nodes])
        made = replace(made, nodes=tuple(node for node in made.nodes if node.name != name))
    return replace(made, malformed=(Malformed(kind, place, name),))


def _tenant_name(rng: Random, peering: str) -> str:
    return f"liqo-tenant-{peering}" if not chance(rng, 0.3) else f"{peering}-tenant"


def _local_networks(rng: Random, odd: bool) -> list[Network]:
    cidrs = [REAL, "10.245.0.0/16"][: rng.randint(1, 2)]
    found = [Network("liqo", f"pod-cidr-{n}", None, "pod-cidr", cidr, cidr) for n, cidr in enumerate(cidrs)]
    found.append(Network("liqo", "external-cidr", None, "external-cidr", "10.70.0.0/16", "10.70.0.0/16"))
    if chance(rng, 0.2):
        cidr = rng.choice(SERVICES)
        found.append(Network("liqo", "service-cidr", None, "service-cidr", cidr, None if chance(rng, 0.2) else cidr))
    if chance(rng, 0.4):
        found.append(Network("liqo", "pod-cidr-6", None, "pod-cidr", LOCAL6, LOCAL6))
    if odd and chance(rng, 0.1):
        found[0] = replace(found[0], status=rng.choice((None, "", "nonsense", "0.0.0.0/0")))
    return found


def _remote_networks(rng: Random, peering: str, tenant: str, free: list[str], odd: bool) -> list[Network]:
    found: list[Network] = []
    for number in range(rng.randint(1, 2)):
        assigned = free.pop()
        if chance(rng, 0.2):
            # Liqo's CRD does not refuse host bits.
            assigned = str(ip_network(assigned)[5]) + "/" + assigned.split("/")[1]
        found.append(
            Network(tenant, f"cfg-pod-{number}", peering, "pod", REAL if not number else "10.60.0.0/16", assigned)
        )
    if chance(rng, 0.8):
        assigned = EXTERNAL[PEERINGS.index(peering)]
        found.append(Network(tenant, "cfg-external", peering, "external", "10.70.0.0/16", assigned))
    if chance(rng, 0.4):
        found.append(Network(tenant, "cfg-pod-6", peering, "pod", LOCAL6, ASSIGNED6[PEERINGS.index(peering)]))
        if chance(rng, 0.2):
            # A peering without IPv4.
            found = [network for network in found if ":" in str(network.status)]
    if odd and chance(rng, 0.05):
        found.append(Network(tenant, "cfg-external-6", peering, "external", EXTERNAL6, EXTERNAL6))
    if odd and chance(rng, 0.35):
        at = rng.randrange(len(found))
        wrong = rng.choice(
            (
                None,
                None,
                "",
                "10.71.0.0",
                "10.71.0.0/255.255.0.0",
                "0.0.0.0/0",
                "10.244.128.0/17",
                "10.71.128.0/17",
                "fe80::/64",
                "gone",
            )
        )
        if wrong == "gone":
            found[at] = replace(found[at], terminating=True)
        else:
            found[at] = replace(found[at], status=wrong)
    if odd and chance(rng, 0.07):
        found = []
    return found


def _nodes(rng: Random, tenants: dict[str, str]) -> tuple[list[Node], list[VirtualNode]]:
    nodes = [Node(name, addresses=_node_addresses(rng, number)) for number, name in enumerate(WORKERS)]
    virtual_nodes: list[VirtualNode] = []
    for peering, tenant in tenants.items():
        names = [peering, f"pool-{peering}"][: rng.randint(1, 2)]
        for name in names:
            kind = rng.choice(("both", "labels", "VirtualNode"))
            if kind != "VirtualNode":
                lies = kind == "both" and chance(rng, 0.15)
                label = rng.choice((*PEERINGS, None)) if lies else peering
                is_labelled = not (lies and chance(rng, 0.5))
                nodes.append(Node(name, is_labelled, label, tainted=kind == "both", labels=random_labels(rng)))
            if kind != "labels":
                virtual_nodes.append(VirtualNode(tenant, name, peering, random_labels(rng)))
        if chance(rng, 0.1):
            # One with the name of a physical node, or where Liqo makes none.
            virtual_nodes.append(VirtualNode(*rng.choice(((tenant, WORKERS[0]), ("shop", f"odd-{peering}"))), peering))
    return nodes, virtual_nodes


def _node_addresses(rng: Random, number: int) -> tuple[str, ...]:
    """The addresses of a physical node. On some clouds they are in the pod CIDR."""
    own = f"172.18.0.{11 + number}"
    return rng.choice(((), (own,), (own, "fd00:9::1"), (address_inside(rng, REAL),)))


def _maps(rng: Random, tenants: dict[str, str]) -> list[NamespaceMap]:
    found: list[NamespaceMap] = []
    for peering, tenant in tenants.items():
        if chance(rng, 0.8):
            mapped = rng.sample(NAMESPACES, rng.randint(0, 2))
            phases = ("Accepted", "Accepted", "Terminating", "CreationLoopBackOff")
            entries = tuple((name, f"{name}-here", rng.choice(phases)) for name in mapped)
            found.append(NamespaceMap(tenant, peering, peering, ours=True, origin="here", entries=entries))
        if chance(rng, 0.5):
            entries = (("shop", f"from-{peering}", "Accepted"),)
            found.append(NamespaceMap(tenant, "theirs", peering, ours=False, origin=peering, entries=entries))
        if chance(rng, 0.1):
            # The remote cluster may write any map into its own tenant namespace.
            victim, ours = rng.choice(PEERINGS), chance(rng, 0.5)
            entries = (("infra", f"from-{victim}", "Accepted"), ("shop", "infra", "Accepted"))
            found.append(NamespaceMap(tenant, "forged", victim, ours=ours, origin=victim, entries=entries))
    return found


def _pods(rng: Random, made: Cluster, hosts: list[str], peerings: list[str], odd: bool) -> list[Pod]:
    namespaces = [namespace.name for namespace in made.namespaces if not namespace.tenant]
    local = [n.status for n in made.networks if n.kind == "pod-cidr" and n.status and is_cidr(n.status)]
    remote = [n.status for n in made.networks if n.cluster and n.status and is_cidr(n.status)]
    owner: dict[str, str | None] = {node.name: node.cluster for node in made.nodes}
    owner |= {node.name: node.cluster for node in made.virtual_nodes if node.name not in WORKERS}
    own = {p: [n.status for n in made.networks if n.cluster == p and n.status and is_cidr(n.status)] for p in peerings}
    found: list[Pod] = []
    for number in range(rng.randint(3, 14)):
        node = rng.choice(hosts)
        peering = owner.get(node)
        both = own.get(peering, []) if peering else local
        current = [cidr for cidr in both if ":" not in cidr] or [REAL]
        address = address_inside(rng, rng.choice(current))
        second = address_inside(rng, rng.choice([cidr for cidr in both if ":" in cidr] or [LOCAL6]))
        if chance(rng, 0.12):
            # A stale address, one of another peering, or one that this cluster gave to a local pod.
            address = address_inside(rng, rng.choice([*remote, "10.71.0.0/16", "10.99.0.0/24", REAL]))
        if chance(rng, 0.12) and found and found[-1].addresses:
            address = canonical_address(found[-1].addresses[0])
        addresses = rng.choice(
            ((address,), (address,), (address,), (address, second), (address, second), (second, address), (second,), ())
        )
        if chance(rng, 0.04):
            addresses = rng.choice((("fd00::9",), (f"::ffff:{address}",) if "." in address else ()))
        phase = rng.choice(("Running",) * 7 + ("Pending", "Succeeded", "Failed", "Unknown"))
        namespace = rng.choice(namespaces)
        pod = Pod(namespace, f"pod-{number}", node, phase, addresses, host_network=chance(rng, 0.12))
        pod = replace(pod, labels=pod_labels(rng))
        if peering and not chance(rng, 0.1):
            pod = replace(pod, shadow="true")
        elif chance(rng, 0.08):
            pod = replace(pod, shadow=rng.choice(("true", "false")))
        if namespace.startswith("from-") and not chance(rng, 0.1):
            pod = replace(pod, origin=namespace.removeprefix("from-"))
        elif chance(rng, 0.08):
            pod = replace(pod, origin=rng.choice(PEERINGS))
        if odd:
            pod = replace(pod, malformed=chance(rng, 0.02))
            pod = replace(pod, node=rng.choice((None, "unheard-of"))) if chance(rng, 0.04) else pod
        found.append(pod)
    return found
