"""One cluster of a federation behind one router: its workers, its peers and the rest of the world are cables of it.

The router does what a node does beside the chains: it masquerades what pods send out of the cluster, as CNIs do.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.dataplane.federation import OUTSIDE, WORKERS, Federation
from tests.dataplane.frames import packed
from tests.dataplane.nodes import Fabric, prefix
from tests.dataplane.probing import Flow
from tests.support.descriptions import Traffic

REST = "outside"
MASQUERADE = ("172.18.0.1", "fd00:18::1")
"""What a node sends in its own name, in each family."""
MASQUERADED = {packed(address): address for address in MASQUERADE}


class Site:
    """A router, and where each address is."""

    def __init__(self, whole: Federation, name: str) -> None:
        member = whole.member(name)
        self.places: dict[str, str] = dict.fromkeys(OUTSIDE, REST)
        self.places |= {address: pod.node for pod in member.pods for address in pod.addresses}
        inner = [*member.cidrs]
        for peer in member.sees:
            known = [whole.known_as(name, peer, a) for pod in whole.member(peer).pods for a in pod.addresses]
            self.places |= dict.fromkeys(known, peer)
            inner += member.sees[peer]
        self.fabric = Fabric()
        self.router = self.fabric.node(name)
        for place in (*WORKERS, *member.sees, REST):
            own = [prefix(address) for address, at in self.places.items() if at == place]
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
        self.router.ip(*(f"addr add {prefix(address)} dev {outward}" for address in MASQUERADE))

    def load(self, commands: Sequence[Mapping[str, Any]]) -> None:
        """Put the chains of a transaction in the place of those that are there. Raises NftError."""
        self.router.load(commands)

    def flow(self, traffic: Traffic, verdict: str) -> Flow:
        """A flow through this topology, and what a verdict on it makes of its packets."""
        start, end = self.places[traffic.source], self.places[traffic.destination]
        source, destination = packed(traffic.source), packed(traffic.destination)
        if end == REST and start in WORKERS:
            source = packed(MASQUERADE[len(source) == 16])
        return Flow(traffic, start, end, source, destination, verdict == "allowed")

    def close(self) -> None:
        """Leave all namespaces."""
        self.fabric.close()
