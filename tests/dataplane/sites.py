"""One cluster of a federation behind one router: its workers, its peers and the rest of the world are cables of it.

The router does what a node does beside the chains: it masquerades what pods send out of the cluster, as CNIs do.
"""

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, Final

from tests.dataplane.federation import OUTSIDE, WORKERS, Federation
from tests.dataplane.flows import flows
from tests.dataplane.frames import packed
from tests.dataplane.nodes import Fabric, sees_bridges
from tests.dataplane.paths import REST, kube_proxy
from tests.dataplane.shots import Flow
from tests.dataplane.topology import Asked, Place, Topology
from tests.support.descriptions import Cluster, Traffic

SECOND: Final = f"{WORKERS[0]}/2"
"""A second port of the first worker, if its pods are on a bridge."""


class Site(Topology):
    """A router, and where each address is."""

    def __init__(self, whole: Federation, name: str) -> None:
        self.clusters = (name,)
        # Without these hooks no chain sees what a bridge forwards.
        self._is_bridge = whole.member(name).bridged and sees_bridges()
        self._locate(whole)
        member = self._member
        self.masqueraded = {packed(address): address for address in self._own}
        inner = [*member.cidrs, *(cidr for seen in member.sees.values() for cidr in seen)]
        self.fabric = Fabric()
        self.router = self.fabric.node(name)
        bridged = self._bridged()
        if bridged:
            self.fabric.bridge(self.router, bridged)
        for place in (*(WORKERS[1:] if bridged else WORKERS), *member.sees, REST):
            own = [address for address, at in self._places.items() if at == place]
            self.fabric.port(place, self.router, own)
        outward = f"p{len(self.fabric.ports)}"
        four, six = (", ".join(cidr for cidr in inner if (":" in cidr) == is_six) for is_six in (False, True))
        self.router.nft.run(
            f"add table inet cni\n"
            f"add chain inet cni masquerading {{ type nat hook postrouting priority srcnat; }}\n"
            f"add rule inet cni masquerading ip saddr {member.cidrs[0]} ip daddr != {{ {four} }} masquerade\n"
            f"add rule inet cni masquerading ip6 saddr {member.cidrs[1]} ip6 daddr != {{ {six} }} masquerade\n"
            + self._proxy.rules()
        )
        # What the router sends in its own name.
        self.router.ip(*(f"addr add {address} dev {outward}" for address in self._own))

    def _locate(self, whole: Federation) -> None:
        """Find out where each address is."""
        (name,) = self.clusters
        self._member = member = whole.member(name)
        self._own = member.node_addresses[WORKERS[0]]
        self._proxy = kube_proxy(member, WORKERS[0])
        self._places: dict[str, str] = dict.fromkeys(OUTSIDE, REST)
        self._places |= {address: self._place(address, pod.node) for pod in member.pods for address in pod.addresses}
        for peer in member.sees:
            known = [whole.known_as(name, peer, a) for pod in whole.member(peer).pods for a in pod.addresses]
            self._places |= dict.fromkeys(known, peer)

    def _place(self, address: str, worker: str) -> str:
        """Of pods on a bridge, each is behind one of two ports."""
        return SECOND if self._is_bridge and worker == WORKERS[0] and packed(address)[-1] & 1 else worker

    def _bridged(self) -> dict[str, list[str]]:
        """What is behind the ports of the bridge, if there is one."""
        ports = (WORKERS[0], SECOND) if self._is_bridge else ()
        return {port: [address for address, at in self._places.items() if at == port] for port in ports}

    def draw(self, rng: Random, described: Mapping[str, Cluster], count: int) -> list[Asked]:
        """Between any two addresses, and to Services; the other clusters need not answer."""
        (name,) = self.clusters
        found = [
            traffic for traffic in self._served() if self._proxy.chosen(*traffic[:2], traffic.protocol, traffic.port)
        ]
        some = rng.sample(found, min(len(found), count // 8))
        return [(name, traffic) for traffic in (*some, *flows(rng, self._places, described[name], count - len(some)))]

    def _served(self) -> Iterator[Traffic]:
        """From any address to Services, and to node ports but from pods of another node, which has chains before this one."""
        for service in self._member.services:
            for source, at in self._places.items():
                if (":" in source) == (":" in service.address):
                    yield Traffic(source, service.address, "new", service.protocol, service.port)
                    if service.node_port and at != WORKERS[1]:
                        own = self._own[":" in source]
                        yield Traffic(source, own, "new", service.protocol, service.node_port)

    def flow(self, asked: Asked) -> Flow:
        """Through the router, where what leaves the cluster is masqueraded."""
        name, traffic = asked
        source, destination, path, masquerade, crossed = *traffic[:2], "pod", False, traffic
        chosen = self._proxy.chosen(source, destination, traffic.protocol, traffic.port)
        if chosen is not None:
            path = "node port" if destination in self._own else "hairpin" if chosen.endpoint == source else "ClusterIP"
            destination, masquerade = chosen.endpoint, chosen.masquerade
            crossed = traffic._replace(destination=destination, port=chosen.port)
        start, end = self._places[source], self._places[destination]
        if masquerade or (end == REST and start in (*WORKERS, SECOND)):
            source = self._own[":" in source]
        elif {start, end} == {WORKERS[0], SECOND} and path == "pod":
            path = "bridge"
        ends = packed(source), packed(destination)
        return Flow(name, traffic, start, end, *ends, ((name, crossed),), (start, end), path)

    def change(self, whole: Federation, moved: Sequence[tuple[Place, str]]) -> None:
        """The router sends packets for a pod of its cluster that has moved to the other worker."""
        self._locate(whole)
        for (name, address), worker in moved:
            if name in self.clusters:
                self.fabric.reroute(self.router, address, self._place(address, worker))
        self.fabric.connect(self._bridged())
        self.router.nft.run(self._proxy.rules())

    def remembers(self, old: Flow, new: Flow) -> bool:
        """The router knows all connections."""
        return True

    def places(self) -> list[str]:
        """By address."""
        return [f"{address} is at {place}" for address, place in sorted(self._places.items())]

    def load(self, cluster: str, commands: Sequence[Mapping[str, Any]]) -> None:
        """On the router, which is the only node."""
        assert cluster in self.clusters
        self.router.load(commands)
