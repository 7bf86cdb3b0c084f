"""Addresses, CIDRs and sets of both, by Python's ipaddress alone: what the interpreter counts with."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Cidr = IPv4Network | IPv6Network

SPECIAL = tuple(
    map(
        ip_network,
        (
            *("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32"),
            *("::/127", "fe80::/10", "ff00::/8"),
        ),
    )
)
"""Where no pod can have its address: "this network", loopback, link-local, multicast and broadcast (RFC 6890)."""


@dataclass(frozen=True)
class Members:
    """The addresses of a group: single ones, and those of CIDRs but for those of ``holes``."""

    addresses: frozenset[Address] = frozenset()
    cidrs: tuple[Cidr, ...] = ()
    holes: tuple[Cidr, ...] = ()

    def __contains__(self, address: Address) -> bool:
        if address in self.addresses:
            return True
        return any(address in cidr for cidr in self.cidrs) and not any(address in hole for hole in self.holes)


def union(sets: Iterable[Iterable[Address]]) -> frozenset[Address]:
    return frozenset(address for found in sets for address in found)


@cache
def parsed(text: str) -> Address:
    """An address; one of IPv4 also when it is written as one of IPv6."""
    address = ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def usable_cidr(written: str | None) -> Cidr | None:
    """A CIDR that IPAM can have assigned: host bits do not matter, and no address is special."""
    try:
        cidr = ip_network(written, strict=False) if written and written.partition("/")[2].isdecimal() else None
    except ValueError:
        return None
    return None if cidr is None or any(cidr.overlaps(special) for special in SPECIAL) else cidr


def is_cidr(written: str | None) -> bool:
    """Whether IPAM can have assigned what is written."""
    return usable_cidr(written) is not None


def canonical_cidr(written: str) -> Cidr | None:
    """A CIDR that is written as it has to be in a policy: without host bits, in the shortest form."""
    try:
        cidr = ip_network(written)
    except ValueError:
        return None
    return cidr if str(cidr) == written else None
