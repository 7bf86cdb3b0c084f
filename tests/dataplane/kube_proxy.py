"""What kube-proxy does on a node: packets to a Service get an endpoint as destination, and some the node's address as source.

kube-proxy chooses an endpoint at random. Here the last bit of the sender's address chooses, so that it is known where each
packet has to arrive. All else is as in kube-proxy: which sources are masqueraded, what a node port does with and without
``externalTrafficPolicy: Local``, and hairpins. This module must not know what a policy means.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple

from tests.dataplane.federation import RealService
from tests.dataplane.frames import packed

_MARK: Final = "0x4000"
"""What kube-proxy marks packets with that are to be masqueraded."""
_CHAINS: Final = f"""
add table inet kube-proxy
delete table inet kube-proxy
add table inet kube-proxy
add chain inet kube-proxy services
add chain inet kube-proxy inwards {{ type nat hook prerouting priority dstnat; }}
add chain inet kube-proxy own {{ type nat hook output priority -100; }}
add chain inet kube-proxy masquerading {{ type nat hook postrouting priority srcnat; }}
add rule inet kube-proxy inwards jump services
add rule inet kube-proxy own jump services
add rule inet kube-proxy masquerading meta mark & {_MARK} == 0 return
add rule inet kube-proxy masquerading meta mark set meta mark xor {_MARK}
add rule inet kube-proxy masquerading masquerade
"""


class Choice(NamedTuple):
    """Where a packet to a Service goes, and whether it gets the node's address as source."""

    endpoint: str
    port: int
    masquerade: bool


@dataclass(frozen=True)
class KubeProxy:
    """kube-proxy on a node with some addresses, in a cluster with some pod CIDRs; ``here`` are the pods of the node."""

    services: Sequence[RealService]
    cidrs: Sequence[str]
    addresses: Sequence[str]
    here: AbstractSet[str]

    def chosen(self, source: str, destination: str, protocol: str, port: int) -> Choice | None:
        """What becomes of a packet; None if it is to no Service, or no endpoint may have it."""
        for service in self.services:
            if service.protocol != protocol or not service.endpoints or _six(service) != (":" in destination):
                continue
            own = inside(source, *self.cidrs)
            at_port = port == service.node_port and destination in self.addresses
            if not at_port and (destination, port) != (service.address, service.port):
                continue
            local = at_port and service.local and not own
            endpoint = _of(self._local(service) if local else service.endpoints, source)
            if endpoint is None:
                return None
            masked = not service.local if at_port else not own
            return Choice(endpoint, service.target, masked or source == endpoint)
        return None

    def rules(self) -> str:
        """Commands of nft for a node, in the place of those there."""
        return _CHAINS + "".join(f"add rule inet kube-proxy services {rule}\n" for rule in self._rules())

    def _rules(self) -> Iterator[str]:
        for service in self.services:
            family = "ip6" if _six(service) else "ip"
            (cidr,) = (cidr for cidr in self.cidrs if (":" in cidr) == _six(service))
            own, foreign = f"{family} saddr {cidr}", f"{family} saddr != {cidr}"
            to = f"{family} daddr {service.address} {service.protocol} dport {service.port}"
            yield f"{to} {foreign} {_marked()}"
            yield from _translated(service, service.endpoints, to)
            for address in self.addresses if service.node_port else ():
                if (":" in address) == _six(service):
                    to = f"{family} daddr {address} {service.protocol} dport {service.node_port}"
                    if service.local:
                        yield from _translated(service, service.endpoints, f"{to} {own}")
                        yield from _translated(service, self._local(service), f"{to} {foreign}")
                    else:
                        yield f"{to} {_marked()}"
                        yield from _translated(service, service.endpoints, to)

    def _local(self, service: RealService) -> tuple[str, ...]:
        return tuple(endpoint for endpoint in service.endpoints if endpoint in self.here)


@cache
def inside(address: str, *cidrs: str) -> bool:
    """Whether an address is in one of some CIDRs."""
    return any(ip_address(address) in ip_network(cidr) for cidr in cidrs)


def _six(service: RealService) -> bool:
    return ":" in service.address


def _of(endpoints: Sequence[str], source: str) -> str | None:
    """The endpoint of a sender: of two, the one that the last bit of its address names."""
    return endpoints[(packed(source)[-1] & 1) % len(endpoints)] if endpoints else None


def _marked() -> str:
    return f"meta mark set meta mark or {_MARK}"


def _translated(service: RealService, endpoints: Sequence[str], to: str) -> Iterator[str]:
    family, last = ("ip6", "::1") if _six(service) else ("ip", "0.0.0.1")
    for at, endpoint in enumerate(endpoints):
        bit = last if at else last[:-1] if family == "ip6" else "0.0.0.0"
        chosen = f" {family} saddr & {last} == {bit}" if len(endpoints) > 1 else ""
        target = f"[{endpoint}]:{service.target}" if family == "ip6" else f"{endpoint}:{service.target}"
        yield f"{to}{chosen} {family} saddr {endpoint} {_marked()}"
        yield f"{to}{chosen} dnat {family} to {target}"
