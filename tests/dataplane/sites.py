"""One cluster of a federation behind one router: its workers, its peers and the rest of the world are cables of it.

The router does what a node does beside the chains: it masquerades what pods send out of the cluster, as CNIs do.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from tests.dataplane.federation import OUTSIDE, WORKERS, Federation
from tests.dataplane.flows import flows
from tests.dataplane.frames import packed
from tests.dataplane.nodes import Fabric
from tests.dataplane.probing import Flow
from tests.dataplane.topology import Asked, Topology
from tests.support.descriptions import Cluster

REST = "outside"
MASQUERADE = ("172.18.0.1", "fd00:18::1")
"""What a node sends in its own name, in each family."""
MASQUERADED = {packed(address): address for address in MASQUERADE}


class Site(Topology):
    """A router, and where each address is."""

    def __init__(self, whole: Federation, name: str) -> None:
        self.clusters = (name,)
        member = whole.member(name)
        self._places: dict[str, str] = dict.fromkeys(OUTSIDE, REST)
        self._places |= {address: pod.node for pod in member.pods for address in pod.addresses}
        inner = [*member.cidrs]
        for peer in member.sees:
            known = [whole.known_as(name, peer, a) for pod in whole.member(peer).pods for a in pod.addresses]
            self._places |= dict.fromkeys(known, peer)
            inner += member.sees[peer]
        self.fabric = Fabric()
        self.router = self.fabric.node(name)
        for place in (*WORKERS, *member.sees, REST):
            own = [address for address, at in self._places.items() if at == place]
            self.fabric.port(place, self.router, own)
        outward = f"p{len(self.fabric.ports)}"
        four, six = (", ".join(cidr for cidr in inner if (":" in cidr) == is_six) for is_six in (False, True))
        self.router.nft.run(
            f"add table inet cni\n"
            f"add chain inet cni masquerading {{ type nat hook postrouting priority srcnat; }}\n"
            f"add rule inet cni masquerading ip saddr {member.cidrs[0]} ip daddr != {{ {four} }} masquerade\n"
            f"add rule inet cni masquerading ip6 saddr {member.cidrs[1]} ip6 daddr != {{ {six} }} masquerade\n"
        )
        # What the router sends in its own name.
        self.router.ip(*(f"addr add {address} dev {outward}" for address in MASQUERADE))

    def draw(self, rng: Random, described: Mapping[str, Cluster], count: int) -> list[Asked]:
        """Between any two addresses; the other clusters need not answer."""
        (name,) = self.clusters
        return [(name, traffic) for traffic in flows(rng, self._places, described[name], count)]

    def flow(self, asked: Asked) -> Flow:
        """Through the router, where what leaves the cluster is masqueraded."""
        traffic = asked[1]
        start, end = self._places[traffic.source], self._places[traffic.destination]
        source, destination = packed(traffic.source), packed(traffic.destination)
        if end == REST and start in WORKERS:
            source = packed(MASQUERADE[len(source) == 16])
        return Flow(traffic, start, end, source, destination, (asked,))

    def places(self) -> list[str]:
        """By address."""
        return [f"{address} is at {place}" for address, place in sorted(self._places.items())]

    @property
    def addresses(self) -> list[str]:
        """All addresses, sorted."""
        return sorted(self._places)

    def load(self, cluster: str, commands: Sequence[Mapping[str, Any]]) -> None:
        """On the router, which is the only node."""
        assert cluster in self.clusters
        self.router.load(commands)
