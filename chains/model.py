"""The chains as values, with only what every writer can write.

A table that can be built can be loaded: names fit the grammars of nft and of Liqo's CRD, every referenced set exists,
and no limit of the kernel is exceeded.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice, pairwise
from operator import ge
from typing import Final, Literal, TypeAlias, assert_never

from liqo_connectivity.chains.errors import ChainError
from liqo_connectivity.chains.limits import (
    EXPRESSION_BYTES,
    MAX_GUARD_CIDRS,
    MAX_NFT_RULES,
    MAX_PORT,
    MAX_RULE_BYTES,
    MAX_RULE_EXPRESSIONS,
    MAX_RULE_NAME,
    MAX_SET_ELEMENTS,
    MAX_SET_NAME,
    MAX_TABLE_NAME,
    OUTSIDE_BYTES,
    VERDICT_BYTES,
)
from liqo_connectivity.chains.values import Address, Family, Network, cluster_id, family_of, namespace_name

Side: TypeAlias = Literal["source", "destination"]
Verdict: TypeAlias = Literal["accept", "drop"]
State: TypeAlias = Literal["established", "invalid", "new", "related", "untracked"]
Protocol: TypeAlias = Literal["tcp", "udp", "sctp", "icmp"]
PortRange: TypeAlias = tuple[int, int]
"""The first and the last port."""

SIDES: Final[Mapping[str, Side]] = {"source": "source", "destination": "destination"}
VERDICTS: Final[Mapping[str, Verdict]] = {"accept": "accept", "drop": "drop"}
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

# Liqo's CRD allows ^[a-zA-Z][a-zA-Z0-9/\\_.]*$; without the slashes it is also a plain word of the nft grammar, and the
# dot that is asked for keeps it from being an nft keyword.
_SET_NAME: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")
_RULE_NAME: Final = re.compile(r"[a-z0-9-]+")
_CHAIN_NAME: Final = re.compile(r"[a-z][a-z0-9-]*")
WHOLE: Final = "connectivity"
"""The name of the base chain of a table that has one."""


@dataclass(frozen=True, slots=True)
class CidrMatch:
    """The address of one side is inside any of some CIDRs. Host bits are zero by construction.

    ``cidrs`` is not empty, of one family, sorted by address, and no two have an address in common. ``as_range`` writes a
    single one for Liqo's agent as its first and last address, which takes fewer bytes; the meaning is the same.
    """

    side: Side
    cidrs: tuple[Network, ...]
    as_range: bool = False

    def __post_init__(self) -> None:
        if not self.cidrs or (self.as_range and len(self.cidrs) > 1):
            raise ChainError(f"a match of {len(self.cidrs)} CIDRs on the {self.side} is not one")
        for one, following in pairwise(self.cidrs):
            if one.version != following.version or not int(one.broadcast_address) < int(following.network_address):
                raise ChainError(f"CIDRs {one} and {following} of the {self.side}: not sorted and apart, of one family")


@dataclass(frozen=True, slots=True)
class OutsideMatch:
    """The address of one side is in none of some CIDRs: as many as one rule can compare.

    ``cidrs`` is not empty, of one family, and sorted.
    """

    side: Side
    cidrs: tuple[Network, ...]

    def __post_init__(self) -> None:
        if not self.cidrs or len({each.version for each in self.cidrs}) > 1 or len(self.cidrs) > MAX_GUARD_CIDRS:
            raise ChainError(
                f"a match outside {len(self.cidrs)} CIDRs on the {self.side}: not 1 to {MAX_GUARD_CIDRS} of one family"
            )

    @property
    def ranges(self) -> tuple[tuple[str, str], ...]:
        """The first and the last address of each CIDR. A range takes two expressions in the kernel, a CIDR three."""
        return tuple(map(ends_of, self.cidrs))


def ends_of(network: Network) -> tuple[str, str]:
    """The first and the last address of a CIDR, as text."""
    return str(network.network_address), str(network.broadcast_address)


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
        case OutsideMatch(_, cidrs):
            return 2 * len(cidrs)  # payload, range or cmp
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
        return len(match.cidrs) * OUTSIDE_BYTES
    return expressions(match) * EXPRESSION_BYTES


@dataclass(frozen=True, slots=True)
class NftRule:
    """A rule of a chain: if all ``matches`` hold, ``verdict``; without matches it applies to every packet.

    ``name`` is unique in its chain and at most MAX_RULE_NAME of ``a-z``, ``0-9`` and ``-``. It is the identity of the
    rule for Liqo's agent, which keeps it as the nft comment. ``accept`` ends only this base chain; a ``drop`` in any
    base chain is final.
    """

    name: str
    matches: tuple[Match, ...]
    verdict: Verdict

    def __post_init__(self) -> None:
        if len(self.name) > MAX_RULE_NAME or not _RULE_NAME.fullmatch(self.name):
            raise ChainError(f"rule name {self.name!r}: not 1 to {MAX_RULE_NAME} of a-z, 0-9 and -")
        if self.verdict not in VERDICTS:
            raise ChainError(f"rule {self.name}: verdict {self.verdict!r} is none of {', '.join(VERDICTS)}")
        kinds = {type(match) for match in self.matches}
        if kinds >= {Icmp6Match, PortMatch}:
            raise ChainError(f"rule {self.name}: a packet with a type of ICMPv6 has no port; match one of both")
        # the verdict is an expression too
        count = sum(map(expressions, self.matches)) + 1
        size = sum(map(kernel_bytes, self.matches)) + VERDICT_BYTES
        if count > MAX_RULE_EXPRESSIONS or size > MAX_RULE_BYTES:
            raise ChainError(
                f"rule {self.name}: {count} expressions of {size} bytes, more than the {MAX_RULE_EXPRESSIONS} or the "
                f"{MAX_RULE_BYTES} bytes that the kernel takes in one rule"
            )


@dataclass(frozen=True, slots=True)
class Chain:
    """A base chain: its rules in order, the first that matches decides; if none does, ``policy``.

    Priority 90 is after the routing decision and before source NAT, which takes effect at 100 whatever a NAT chain
    declares: at postrouting 90 a packet still shows the pod's own address. The agent deletes and rebuilds a chain
    whose type, hook, priority or policy changes.

    ``name`` is WHOLE, or that of a part: at most as long, of ``a-z``, ``0-9`` and ``-``.
    """

    rules: tuple[NftRule, ...]
    name: str = WHOLE
    type: Literal["filter"] = "filter"
    hook: Literal["postrouting"] = "postrouting"
    priority: Literal[90] = 90
    policy: Verdict = "accept"

    def __post_init__(self) -> None:
        if len(self.name) > len(WHOLE) or not _CHAIN_NAME.fullmatch(self.name):
            raise ChainError(f"chain name {self.name!r}: not 1 to {len(WHOLE)} of a-z, 0-9 and -, a letter first")
        if len(self.rules) > MAX_NFT_RULES:
            raise ChainError(f"chain {self.name}: {len(self.rules)} rules, more than the {MAX_NFT_RULES} of one chain")
        _unique(f"chain {self.name}", "rule", (rule.name for rule in self.rules))


@dataclass(frozen=True, slots=True)
class Set:
    """A named hash set of addresses of its table's family; ``elements`` numerically sorted and unique, at most MAX_SET_ELEMENTS.

    The agent needs them sorted and unique: it rewrites a set whose list is reordered, and with a repetition in the list
    it keeps an element that was removed. ``name`` is at most MAX_SET_NAME characters: words
    of ``a-z``, ``0-9`` and ``_`` joined by dots, at least two, the first starting with a letter.
    """

    name: str
    elements: tuple[Address, ...]

    def __post_init__(self) -> None:
        if len(self.name) > MAX_SET_NAME or not _SET_NAME.fullmatch(self.name):
            raise ChainError(f"set name {self.name!r}: not dotted words of a-z, 0-9 and _, {MAX_SET_NAME} characters")
        if len(self.elements) > MAX_SET_ELEMENTS:
            raise ChainError(f"set {self.name}: {len(self.elements)} elements, more than {MAX_SET_ELEMENTS}")
        if any(map(ge, self.elements, islice(self.elements, 1, None))):
            raise ChainError(f"set {self.name}: elements are not sorted and unique")


@dataclass(frozen=True, slots=True)
class Table:
    """The nftables table of one peering in one family. It is the unit of writing: one object, or one part of a transaction.

    ``name`` is ``connectivity-<peering>``, at most 64 characters, and must be unique on the host: two objects with one
    table name delete each other's chains in turn, and removing one removes the table. ``namespace`` is the tenant
    namespace of the peering, ``policy`` the PeeringConnectivity it is written for (namespace/name; no writer writes it
    down). A table without chains and sets is one that is to go: it is what Liqo's agent has to see before the object is
    deleted, and nft deletes it.
    """

    peering: str
    namespace: str
    policy: str
    chains: tuple[Chain, ...]
    sets: tuple[Set, ...]
    family: Family = "ip"

    def __post_init__(self) -> None:
        where = f"peering {cluster_id(self.peering)}"
        namespace_name(where, self.namespace)
        _unique(where, "chain", (chain.name for chain in self.chains))
        _unique(where, "set", (held.name for held in self.sets))
        if len(self.name) > MAX_TABLE_NAME:
            raise ChainError(
                f"{where}: the name {self.name} has more than the {MAX_TABLE_NAME} bytes that a table's may have"
            )
        for held in self.sets:
            # Those of IPv4 come first, so the outermost say which families there are.
            if {each.family for each in (*held.elements[:1], *held.elements[-1:])} - {self.family}:
                raise ChainError(f"{where}: set {held.name} has elements that are not of family {self.family}")
        names = {held.name for held in self.sets}
        for chain in self.chains:
            for rule in chain.rules:
                for match in rule.matches:
                    _check(f"{where}: rule {rule.name}", match, self.family, names)

    @property
    def name(self) -> str:
        """``connectivity-<peering>``."""
        return f"connectivity-{self.peering}"


def _check(where: str, match: Match, family: Family, sets: Iterable[str]) -> None:
    """Raises ChainError for a match that a table of this family with these sets cannot have."""
    match match:
        case SetMatch(_, name) if name not in sets:
            raise ChainError(f"{where} refers to the set {name}, which does not exist")
        case CidrMatch(side, cidrs) | OutsideMatch(side, cidrs) if family_of(cidrs[0]) != family:
            raise ChainError(f"{where}: the {side} {cidrs[0]} is not of family {family}")
        case Icmp6Match() if family != "ip6":
            raise ChainError(f"{where} matches ICMPv6 in family {family}")
        case _:
            pass


def _unique(where: str, what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ChainError(f"{where}: two {what}s named {name}")
        seen.add(name)
