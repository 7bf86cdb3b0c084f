"""The chains as values, with only what every writer can write.

A table that can be built can be loaded: names fit the grammars of nft and of Liqo's CRD, every referenced set exists,
and no limit of the kernel is exceeded.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from operator import ge
from typing import Final, Literal, TypeAlias

from liqo_connectivity.chains.errors import ChainError
from liqo_connectivity.chains.limits import (
    MAX_NFT_RULES,
    MAX_RULE_BYTES,
    MAX_RULE_EXPRESSIONS,
    MAX_RULE_NAME,
    MAX_SET_ELEMENTS,
    MAX_SET_NAME,
    MAX_TABLE_NAME,
    VERDICT_BYTES,
)
from liqo_connectivity.chains.matches import (
    CidrMatch,
    Icmp6Match,
    Match,
    OutsideMatch,
    PortMatch,
    SetMatch,
    expressions,
    kernel_bytes,
)
from liqo_connectivity.chains.values import Address, Family, cluster_id, family_of, namespace_name

Verdict: TypeAlias = Literal["accept", "drop"]
VERDICTS: Final[Mapping[str, Verdict]] = {"accept": "accept", "drop": "drop"}

# Liqo's CRD allows ^[a-zA-Z][a-zA-Z0-9/\\_.]*$; without the slashes it is also a plain word of the nft grammar, and the
# dot that is asked for keeps it from being an nft keyword.
_SET_NAME: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")
_RULE_NAME: Final = re.compile(r"[a-z0-9-]+")
_CHAIN_NAME: Final = re.compile(r"[a-z][a-z0-9-]*")
WHOLE: Final = "connectivity"
"""The name of the base chain of a table that has one."""


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

    ``name`` is at most 64 characters, and must be unique on the host: two objects with one table name delete each other's
    chains in turn, and removing one removes the table. A ``standin`` holds a chain while the table of its peering is
    replaced, so it has another name. ``namespace`` is the tenant namespace of the peering, ``policy`` the PeeringConnectivity it is written for (namespace/name; no writer writes it
    down). A table without chains and sets is one that is to go: it is what Liqo's agent has to see before the object is
    deleted, and nft deletes it.
    """

    peering: str
    namespace: str
    policy: str
    chains: tuple[Chain, ...]
    sets: tuple[Set, ...]
    family: Family = "ip"
    standin: bool = False

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
        """``connectivity-<peering>``, or ``standin-<peering>``; no peering's is another's."""
        return f"{'standin' if self.standin else 'connectivity'}-{self.peering}"


def _check(where: str, match: Match, family: Family, sets: Iterable[str]) -> None:
    """Raises ChainError for a match that a table of this family with these sets cannot have."""
    match match:
        case SetMatch(_, name) if name not in sets:
            raise ChainError(f"{where} refers to the set {name}, which does not exist")
        case CidrMatch(side, cidrs) if family_of(cidrs[0]) != family:
            raise ChainError(f"{where}: the {side} {cidrs[0]} is not of family {family}")
        case OutsideMatch(side, ranges) if family_of(ranges[0][0]) != family:
            raise ChainError(f"{where}: the {side} {ranges[0][0]} is not of family {family}")
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
