"""A whole federation: the nodes of every cluster, a gateway for each peering, and what Liqo and a CNI put between them.

As in Liqo v1.2 a node sends what is for a peer through a tunnel to the gateway of the peering, a pod of one of the nodes. The
gateway gives the destination the address that the peer's pods really have; through another tunnel the packet comes to the
peer's gateway, which gives the source the address by which its cluster knows it, and sends it on to the pod's node. Both
tunnels are VXLAN here, where Liqo has Geneve and WireGuard. Their packets cross the chains of the nodes like all others.
"""

from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from itertools import combinations
from random import Random
from typing import Any, Final

from tests.dataplane.federation import OUTSIDE, OWN_EXTERNAL, UNKNOWN_AT, WORKERS, Federation, Member
from tests.dataplane.flows import services
from tests.dataplane.frames import packed
from tests.dataplane.hosts import TUNNEL
from tests.dataplane.nodes import Fabric, Node, fences_of, link_address, next_hop, routes
from tests.dataplane.paths import REST, Paths, host_of, kube_proxy, port_of
from tests.dataplane.shots import Flow
from tests.dataplane.topology import Asked, Outer, Place, Topology
from tests.support.descriptions import Cluster
from tests.support.namespaces import path

EVERYWHERE: Final = ("0.0.0.0/0", "::/0")
_TUNNEL: Final = 51840
_OUTER: Final = "nolearning"
"""Else a tunnel would send to addresses that NAT has made of a node's."""
_FROM_TUNNEL, _FROM_NODES, _OF_NODE = "100", "200", 300
"""The routing tables of a gateway."""


class Mesh(Topology):
    """The namespaces of a federation. Ports are named <cluster>/<worker>; behind the rest of the world is one more."""

    def __init__(self, whole: Federation) -> None:
        self.whole = whole
        self.clusters = tuple(member.name for member in whole.members)
        nodes = [own for member in whole.members for own in member.node_addresses.values()]
        self.masqueraded = {packed(address): address for own in nodes for address in own}
        self.fabric = Fabric()
        self._cables = 0x100
        self._core = self.fabric.node("core")
        self._paths = Paths(whole)
        self._known: dict[Asked, Flow] = {}
        self._gateways: list[tuple[str, Node]] = []
        names = [(member.name, worker) for member in whole.members for worker in WORKERS]
        self._workers = {each: self.fabric.node(port_of(*each), host=True) for each in names}
        for member in whole.members:
            for worker in WORKERS:
                own = [a for pod in member.pods if pod.node == worker for a in pod.addresses]
                self.fabric.port(port_of(member.name, worker), self._workers[member.name, worker], own)
        self.fabric.port(REST, self._core, OUTSIDE)
        for each in names:
            self.fabric.host(host_of(*each), self._workers[each])
        for member in whole.members:
            self._underlay(member)
        for one, other in combinations(whole.members, 2):
            self._peer(one, other)
        for node in self.fabric.nodes.values():
            # What the devices announced crossed nodes whose NAT was not there yet, and NAT decides once for a connection.
            node.forget()

    # ---- Flows ----

    def draw(self, rng: Random, described: Mapping[str, Cluster], count: int) -> list[Asked]:
        """From any pod to any other address that it can reach, to Services, and from and to nodes."""
        known = {name: services(described[name]) for name in self.clusters}
        found: dict[Asked, None] = {}
        for some, share in ((self._paths.services, 8), (self._paths.hosts, 8), (self._paths.pods, 1)):
            pairs = [(name, traffic) for name in self.clusters for traffic in some(name)]
            rng.shuffle(pairs)
            last = len(found) + (count - len(found)) // share
            each = max(2, count // len(pairs))
            for name, traffic in pairs:
                if traffic.port:
                    found[name, traffic] = None
                else:
                    for protocol, port in rng.sample(known[name], min(len(known[name]), each)):
                        found[name, traffic._replace(protocol=protocol, port=port)] = None
                if len(found) >= last:
                    break
        return [asked for asked in found if self._has_way(asked)]

    def _has_way(self, asked: Asked) -> bool:
        try:
            self.flow(asked)
        except KeyError:
            return False
        return True

    def flow(self, asked: Asked) -> Flow:
        """The way of a flow."""
        if asked not in self._known:
            self._known[asked] = self._paths.flow(asked)
        return self._known[asked]

    def change(self, whole: Federation, moved: Sequence[tuple[Place, str]]) -> None:
        """On all nodes and gateways of its cluster, the route to a pod that has moved is another one."""
        self.whole, self._paths = whole, Paths(whole)
        self._known.clear()
        for (name, address), worker in moved:
            self.fabric.reroute(self._workers[name, worker], address, port_of(name, worker))
            for each in WORKERS:
                if each != worker:
                    self._workers[name, each].ip(*routes((address,), "peer", how="replace"))
            device = f"node-{WORKERS.index(worker)}"
            for cluster, gateway in self._gateways:
                if cluster == name:
                    gateway.ip(*routes((address,), device, _FROM_TUNNEL, how="replace"))
        for member in whole.members:
            for worker in WORKERS:
                self._workers[member.name, worker].nft.run(kube_proxy(member, worker).rules())

    def remembers(self, old: Flow, new: Flow) -> bool:
        """Each node knows what has crossed it."""
        return set(new.way) <= set(old.way)

    def places(self) -> list[str]:
        """By pod, with the addresses that it really has."""
        return [f"{m.name}: {pod.addresses} is at {pod.node}" for m in self.whole.members for pod in m.pods]

    def load(self, cluster: str, commands: Sequence[Mapping[str, Any]]) -> None:
        """On both workers; gateways have no chains of policies."""
        for worker in WORKERS:
            self._workers[cluster, worker].load(commands)

    def outer(self, cluster: str) -> list[Outer]:
        """Between the nodes and the gateways of the cluster, and from its gateways to those of its peers and back."""
        member, found = self.whole.member(cluster), list[Outer]()
        own = [addresses[0] for addresses in member.node_addresses.values()]
        for peer in map(self.whole.member, member.sees):
            gateway, there = _gateway_address(member, peer), peer.node_addresses[WORKERS[0]][0]
            port = _port(*sorted((member, peer), key=self.whole.members.index))
            # The first worker, on which gateways are, masquerades what they send out of the pod CIDRs.
            found += [Outer(gateway, there, port, own[0]), Outer(there, gateway, port, there)]
            for node in own:
                found += [Outer(node, gateway, TUNNEL, node), Outer(gateway, node, TUNNEL, own[0])]
        return found

    # ---- Inside a cluster ----

    def _underlay(self, member: Member) -> None:
        """Cables between the nodes and to the rest of the world, and a CNI that routes pods and masquerades them outwards."""
        one, other = (self._workers[member.name, worker] for worker in WORKERS)
        self._cable(one, other, "peer", "peer")
        for worker in WORKERS:
            node, uplink = self._workers[member.name, worker], f"{member.name[:4]}{worker[-1]}"
            self._cable(node, self._core, "uplink", uplink)
            addresses = member.node_addresses[worker]
            here = self.fabric.ports[f"{member.name}/{worker}"]
            node.ip(
                *(f"addr add {address} dev uplink" for address in addresses),
                *routes(EVERYWHERE, "uplink"),
                *routes(self._beyond(member, worker), "peer"),
            )
            self._core.ip(*routes((*addresses, *fences_of(here.number)), uplink))
            four, six = member.cidrs
            node.nft.run(
                "add table inet cni\n"
                "add chain inet cni masquerading { type nat hook postrouting priority srcnat; }\n"
                f"add rule inet cni masquerading ip saddr {four} ip daddr != {four} masquerade\n"
                f"add rule inet cni masquerading ip6 saddr {six} ip6 daddr != {six} masquerade\n"
                "add table inet liqo\n"
                "add chain inet liqo kept { type nat hook postrouting priority 99; }\n"
                "add chain inet liqo entry { type nat hook prerouting priority dstnat; }\n"
                + kube_proxy(member, worker).rules()
            )

    def _beyond(self, member: Member, worker: str) -> list[str]:
        """What is at the other worker: its pods, its address, its port's fences."""
        (other,) = (each for each in WORKERS if each != worker)
        pods = [address for pod in member.pods if pod.node == other for address in pod.addresses]
        number = self.fabric.ports[f"{member.name}/{other}"].number
        return [*pods, *member.node_addresses[other], *fences_of(number)]

    # ---- Between clusters ----

    def _peer(self, one: Member, other: Member) -> None:
        """A gateway on each side, and a tunnel between the two."""
        first, second = self._gateway(one, other), self._gateway(other, one)
        port = _port(one, other)
        self._cables += 1
        for at, (gateway, near, far) in enumerate(((first, one, other), (second, other, one))):
            # The peer's gateway is behind a port of the node that it is on.
            (target,) = far.node_addresses[WORKERS[0]][:1]
            own = _gateway_address(near, far)
            ends = link_address(self._cables, at), link_address(self._cables, 1 - at)
            gateway.ip(
                f"link add tunnel address {ends[0]} type vxlan id {port} local {own} remote {target} dstport {port} {_OUTER}",
                "link set tunnel up",
                *next_hop("tunnel", ends[1]),
                *routes(EVERYWHERE, "tunnel", _FROM_NODES),
            )
            self._workers[near.name, WORKERS[0]].nft.run(
                f"add rule inet liqo entry iifname uplink udp dport {port} dnat ip to {own}"
            )

    def _gateway(self, member: Member, peer: Member) -> Node:
        """The gateway of a peering: a pod of the first worker, with a tunnel to every node and Liqo's NAT."""
        gateway = self.fabric.node(f"{member.name}/gateway-{peer.name}")
        self._gateways.append((member.name, gateway))
        own, host = _gateway_address(member, peer), self._workers[member.name, WORKERS[0]]
        inward = f"gw-{peer.name}"
        self._cable(gateway, host, "eth0", inward)
        gateway.ip(
            f"addr add {own} dev eth0",
            *routes(EVERYWHERE[:1], "eth0"),
        )
        host.ip(*routes((own,), inward))
        self._workers[member.name, WORKERS[1]].ip(*routes((own,), "peer"))
        liqo = f"liqo.{peer.name}"
        unknown = str(ip_network(OWN_EXTERNAL)[UNKNOWN_AT])
        there = [fence for worker in WORKERS for fence in fences_of(self.fabric.ports[f"{peer.name}/{worker}"].number)]
        for number, worker in enumerate(WORKERS):
            self._cables += 1
            node, address = self._workers[member.name, worker], member.node_addresses[worker][0]
            seen = (*member.sees[peer.name], member.external[peer.name], *there)
            node.ip(*self._vxlan(liqo, self._cables, 0, address, own), *routes(seen, liqo))
            device = f"node-{number}"
            behind = [a for pod in member.pods if pod.node == worker for a in pod.addresses]
            fences = fences_of(self.fabric.ports[f"{member.name}/{worker}"].number)
            gateway.ip(
                *self._vxlan(device, self._cables, 1, own, address),
                *routes((*behind, *fences), device, _FROM_TUNNEL),
                # All nodes send by the same address, so an answer follows the mark of its connection.
                f"rule add to {unknown} fwmark {1 + number} lookup {_OF_NODE + number}",
                *routes((unknown,), device, str(_OF_NODE + number)),
            )
            for family, cidr in zip(("ip", "ip6"), member.cidrs, strict=True):
                # Liqo keeps the CNI from masquerading what goes to a peer.
                node.nft.run(
                    f"add rule inet liqo kept oifname {liqo} {family} saddr {cidr} "
                    f"snat {family} prefix to {family} saddr map {{ {cidr} : {cidr} }}"
                )
            # What is no pod's has the same address for the peer. Fences keep theirs.
            node.nft.run(
                f"add rule inet liqo kept oifname {liqo} ip saddr != {{ {member.cidrs[0]}, 169.254.0.0/16 }} snat ip to {unknown}"
            )
        for six in (False, True):
            gateway.ip(
                f"rule add dev tunnel lookup {_FROM_TUNNEL}",
                *(f"rule add dev node-{number} lookup {_FROM_NODES}" for number, _ in enumerate(WORKERS)),
                six=six,
            )
        # A packet of the tunnel itself has the tunnel as its input device too, where it leaves by eth0.
        real, known, external = peer.cidrs[0], member.sees[peer.name][0], member.external[peer.name]
        gateway.nft.run(
            "add table ip liqo\n"
            "add chain ip liqo outwards { type nat hook prerouting priority dstnat; }\n"
            "add chain ip liqo inwards { type nat hook postrouting priority srcnat; }\n"
            f"add rule ip liqo outwards iifname != {{ eth0, tunnel }} dnat ip prefix to ip daddr map {{ {known} : {real} }}\n"
            f"add rule ip liqo inwards iifname tunnel oifname != eth0 "
            f"snat ip prefix to ip saddr map {{ {real} : {known}, {OWN_EXTERNAL} : {external} }}\n"
            "add chain ip liqo marking { type filter hook prerouting priority mangle; }\n"
            "add rule ip liqo marking iifname tunnel meta mark set ct mark\n"
            + "".join(
                f"add rule ip liqo marking iifname node-{number} ct state new ct mark set {1 + number}\n"
                for number, _ in enumerate(WORKERS)
            )
        )
        return gateway

    def _vxlan(self, device: str, number: int, end: int, own: str, remote: str) -> tuple[str, ...]:
        """Commands that make one end of a tunnel between a node and a gateway."""
        ends = link_address(number, end), link_address(number, 1 - end)
        return (
            f"link add {device} address {ends[0]} type vxlan id {number} local {own} remote {remote} dstport {TUNNEL} {_OUTER}",
            f"link set {device} up",
            *next_hop(device, ends[1]),
        )

    def _cable(self, one: Node, other: Node, here: str, there: str) -> None:
        """A pair of devices that connects two nodes."""
        self._cables += 1
        near, far = link_address(self._cables, 1), link_address(self._cables, 2)
        one.ip(
            f"link add {here} address {near} type veth peer name {there} address {far} netns {path(other.namespace)}",
            f"link set {here} up",
            *next_hop(here, far),
        )
        other.ip(f"link set {there} up", *next_hop(there, near))


def _port(one: Member, other: Member) -> int:
    """The port of the tunnel between two clusters, in the order of the federation, at both ends."""
    return _TUNNEL + 4 * one.number + other.number


def _gateway_address(member: Member, peer: Member) -> str:
    """The address of the gateway pod of a peering."""
    return f"{member.cidrs[0].rpartition('.')[0]}.{200 + peer.number}"
