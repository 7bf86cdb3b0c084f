"""Addresses, CIDRs and sets of both, by Python's ipaddress alone: what the interpreter counts with."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network


@dataclass(frozen=True)
class Members:
    """The addresses of a group: single ones, and CIDRs."""

    addresses: frozenset[IPv4Address] = frozenset()
    cidrs: tuple[IPv4Network, ...] = ()

    def __contains__(self, address: IPv4Address | None) -> bool:
        return address is not None and (address in self.addresses or any(address in cidr for cidr in self.cidrs))


def union(sets: Iterable[Iterable[IPv4Address]]) -> frozenset[IPv4Address]:
    return frozenset(address for found in sets for address in found)


def ipv4(text: str) -> IPv4Address | None:
    """An IPv4 address, also when written as an IPv6 one; None for any other."""
    address = ip_address(text)
    return address if isinstance(address, IPv4Address) else address.ipv4_mapped


def is_cidr(written: str | None) -> bool:
    """Whether IPAM can have assigned what is written: some CIDR, but not all addresses."""
    try:
        plain = written is not None and written.partition("/")[2].isdecimal()
        return plain and ip_network(str(written), strict=False).prefixlen > 0
    except ValueError:
        return False


def usable_cidr(written: str | None) -> IPv4Network | None:
    cidr = ip_network(written, strict=False) if written is not None and is_cidr(written) else None
    return cidr if isinstance(cidr, IPv4Network) else None
