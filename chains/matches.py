"""What a rule can match of a packet, as values, with only what every writer can write.

A match that can be built is within the limits of one rule of the kernel.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, TypeAlias, assert_never

from liqo_connectivity.chains.errors import ChainError
from liqo_connectivity.chains.limits import EXPRESSION_BYTES, MAX_OUTSIDE_RANGES, MAX_PORT, OUTSIDE_BYTES
from liqo_connectivity.chains.values import AddressRange, Network

Side: TypeAlias = Literal["source", "destination"]
State: TypeAlias = Literal["established", "invalid", "new", "related", "untracked"]
Protocol: TypeAlias = Literal["tcp", "udp", "sctp", "icmp"]
PortRange: TypeAlias = tuple[int, int]
"""The first and the last port."""

SIDES: Final[Mapping[str, Side]] = {"source": "source", "destination": "destination"}
STATES: Final[Mapping[str, State]] = {
    "established": "established",
    "invalid": "invalid",
    "new": "new",
    "related": "related",
    "untracked": "untracked",
}
PROTOCOLS: Final[Mapping[str, Protocol]] = {"icmp": "icmp", "sctp": "sctp", "tcp": "tcp", "udp": "udp"}
ICMP6_TYPES: Final[Mapping[str, str]] = {
    name: name
    for name in (
        "destination-unreachable",
        "packet-too-big",
        "time-exceeded",
        "parameter-problem",
        "echo-request",
        "echo-reply",
        "mld-listener-query",
        "mld-listener-report",
        "mld-listener-done",
        "nd-router-solicit",
        "nd-router-advert",
        "nd-neighbor-solicit",
        "nd-neighbor-advert",
        "nd-redirect",
        "mld2-listener-report",
    )
}
"""Names of ICMPv6 types that nft reads and writes (nft(8), ICMPV6 TYPE TYPE)."""


@dataclass(frozen=True, slots=True)
class CidrMatch:
    """The address of one side is inside any of some CIDRs. Host bits are zero by construction.

    ``cidrs`` is not empty, of one family, sorted by address, and no two have an address in common.
    """

    side: Side
    cidrs: tuple[Network, ...]

    def __post_init__(self) -> None:
        if not self.cidrs:
            raise ChainError(f"a match of {len(self.cidrs)} CIDRs on the {self.side} is not one")
        for one, following in pairwise(self.cidrs):
            if one.version != following.version or not int(one.broadcast_address) < int(following.network_address):
                raise ChainError(f"CIDRs {one} and {following} of the {self.side}: not sorted and apart, of one family")


@dataclass(frozen=True, slots=True)
class OutsideMatch:
    """The address of one side is in none of some ranges: as many as one rule can compare.

    ``ranges`` is not empty, of one family, sorted by address, and no two have an address in common. A range takes two
    expressions in the kernel, a CIDR three.
    """

    side: Side
    ranges: tuple[AddressRange, ...]

    def __post_init__(self) -> None:
        count = len(self.ranges)
        if not 0 < count <= MAX_OUTSIDE_RANGES:
            raise ChainError(f"a match outside {count} ranges on the {self.side}: not 1 to {MAX_OUTSIDE_RANGES}")
        versions = {each.version for ends in self.ranges for each in ends}
        numbers = [int(each) for ends in self.ranges for each in ends]
        if (
            len(versions) > 1
            or numbers != sorted(numbers)
            or any(int(last) == int(first) for (_, last), (first, _) in pairwise(self.ranges))
        ):
            raise ChainError(f"a match outside ranges on the {self.side}: not sorted and apart, of one family")


@dataclass(frozen=True, slots=True)
class SetMatch:
    """The address of one side is an element of a set of the same table; of an empty set no address is."""

    side: Side
    set: str


@dataclass(frozen=True, slots=True)
class StateMatch:
    """The packet's connection is in one of these conntrack states; sorted, at least one (Liqo's CRD)."""

    states: tuple[State, ...]

    def __post_init__(self) -> None:
        if not self.states or list(self.states) != sorted(set(self.states)) or not set(self.states) <= STATES.keys():
            raise ChainError(f"connection states {self.states!r}: not a sorted choice of {', '.join(STATES)}")


@dataclass(frozen=True, slots=True)
class PortMatch:
    """The packet is of a protocol and, if there are ``ranges``, its destination port in one of them.

    ``icmp`` is ICMPv6 in IPv6, and has no ports. ``ranges`` are sorted, and between two there is a port that is in none;
    all ports are no ranges.
    """

    protocol: Protocol
    ranges: tuple[PortRange, ...] = ()

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise ChainError(f"protocol {self.protocol!r} is none of {', '.join(PROTOCOLS)}")
        if self.protocol == "icmp" and self.ranges:
            raise ChainError("icmp has no ports")
        if any(not 0 <= first <= last <= MAX_PORT for first, last in self.ranges) or (0, MAX_PORT) in self.ranges:
            raise ChainError(f"{self.protocol} ports {self.ranges}: not ranges from 0 to {MAX_PORT} that leave one out")
        if any(last + 1 >= first for (_, last), (first, _) in pairwise(self.ranges)):
            raise ChainError(f"{self.protocol} ports {self.ranges}: not sorted and apart")


@dataclass(frozen=True, slots=True)
class Icmp6Match:
    """The packet is ICMPv6 of one of these types, by the names of nft; sorted, at least one."""

    types: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.types or list(self.types) != sorted(set(self.types)) or not set(self.types) <= ICMP6_TYPES.keys():
            raise ChainError(f"ICMPv6 types {self.types!r}: not a sorted choice of {', '.join(ICMP6_TYPES)}")


Match: TypeAlias = CidrMatch | OutsideMatch | SetMatch | StateMatch | PortMatch | Icmp6Match


def expressions(match: Match) -> int:
    """The expressions that stand for a match in the kernel, at most.

    A lookup in an anonymous set takes the place of a comparison, so several CIDRs or ports take no more than one.
    """
    match match:
        case SetMatch():
            return 2  # payload, lookup
        case OutsideMatch(_, ranges):
            return 2 * len(ranges)  # payload, range or cmp
        case CidrMatch() | StateMatch():
            return 3  # payload or ct, bitwise, cmp
        case PortMatch(_, ranges):
            return 5 if ranges else 2  # meta, cmp; payload, cmp, cmp
        case Icmp6Match():
            return 4  # meta, cmp; payload, lookup
        case _:
            assert_never(match)


def kernel_bytes(match: Match) -> int:
    """The bytes of the expressions of a match in the kernel, at most."""
    if isinstance(match, OutsideMatch):
        return len(match.ranges) * OUTSIDE_BYTES
    return expressions(match) * EXPRESSION_BYTES
