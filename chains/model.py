"""The chains as values, with only what every writer can write.

A table that can be built can be loaded: names fit the grammars of nft and of Liqo's CRD, every referenced set exists,
and no limit of the kernel is exceeded.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import islice
from operator import ge
from typing import Final, Literal, TypeAlias

from liqo_connectivity.chains.errors import ChainError
from liqo_connectivity.chains.limits import (
    EXPRESSION_BYTES,
    MAX_CHAIN_RULES,
    MAX_RULE_BYTES,
    MAX_RULE_EXPRESSIONS,
    MAX_RULE_NAME,
    MAX_SET_ELEMENTS,
    MAX_SET_NAME,
    MAX_TABLE_NAME,
)
from liqo_connectivity.chains.values import Address, cluster_id, namespace_name

Side: TypeAlias = Literal["source", "destination"]
Verdict: TypeAlias = Literal["accept", "drop"]
State: TypeAlias = Literal["established", "invalid", "new", "related", "untracked"]

SIDES: Final[Mapping[str, Side]] = {"source": "source", "destination": "destination"}
VERDICTS: Final[Mapping[str, Verdict]] = {"accept": "accept", "drop": "drop"}
STATES: Final[Mapping[str, State]] = {
    "established": "established",
    "invalid": "invalid",
    "new": "new",
    "related": "related",
    "untracked": "untracked",
}

# Liqo's CRD allows ^[a-zA-Z][a-zA-Z0-9/\\_.]*$; without the slashes it is also a plain word of the nft grammar, and the
# dot that is asked for keeps it from being an nft keyword.
_SET_NAME: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")
_RULE_NAME: Final = re.compile(r"[a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class CidrMatch:
    """The address of one side is inside a CIDR. Host bits are zero by construction."""

    side: Side
    cidr: IPv4Network


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


Match: TypeAlias = CidrMatch | SetMatch | StateMatch


def expressions(match: Match) -> int:
    """The expressions that stand for a match in the kernel, at most: payload, bitwise, cmp; payload, lookup; ct, bitwise, cmp."""
    return 2 if isinstance(match, SetMatch) else 3


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
        # the verdict is an expression too
        count = sum(map(expressions, self.matches)) + 1
        if count > MAX_RULE_EXPRESSIONS or count * EXPRESSION_BYTES > MAX_RULE_BYTES:
            raise ChainError(
                f"rule {self.name}: {count} expressions, more than the {MAX_RULE_EXPRESSIONS} or the {MAX_RULE_BYTES} "
                f"bytes, {EXPRESSION_BYTES} for each, that the kernel takes in one rule"
            )


@dataclass(frozen=True, slots=True)
class Chain:
    """A base chain: its rules in order, the first that matches decides; if none does, ``policy``.

    Priority 90 is after the routing decision and before source NAT, which takes effect at 100 whatever a NAT chain
    declares: at postrouting 90 a packet still shows the pod's own address. The agent deletes and rebuilds a chain
    whose type, hook, priority or policy changes.
    """

    rules: tuple[NftRule, ...]
    name: Literal["connectivity"] = "connectivity"
    type: Literal["filter"] = "filter"
    hook: Literal["postrouting"] = "postrouting"
    priority: Literal[90] = 90
    policy: Verdict = "accept"

    def __post_init__(self) -> None:
        if len(self.rules) > MAX_CHAIN_RULES:
            raise ChainError(
                f"chain {self.name}: {len(self.rules)} rules, more than the {MAX_CHAIN_RULES} of one chain"
            )
        _unique(f"chain {self.name}", "rule", (rule.name for rule in self.rules))


@dataclass(frozen=True, slots=True)
class Set:
    """A named hash set of IPv4 addresses; ``elements`` numerically sorted and unique, at most MAX_SET_ELEMENTS.

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
    """The nftables table of one peering. It is the unit of writing: one object, or one part of a transaction.

    ``name`` is ``connectivity-<peering>``, at most 64 characters, and must be unique on the host: two objects with one table name delete each other's chains in turn, and removing one removes the table.
    ``namespace`` is the tenant namespace of the peering, ``policy`` the PeeringConnectivity it is written
    for (namespace/name; no writer writes it down). A table without chains and sets is what the agent has to see before
    the object is deleted.
    """

    peering: str
    namespace: str
    policy: str
    chains: tuple[Chain, ...]
    sets: tuple[Set, ...]
    family: Literal["ip"] = "ip"

    def __post_init__(self) -> None:
        where = f"peering {cluster_id(self.peering)}"
        namespace_name(where, self.namespace)
        _unique(where, "chain", (chain.name for chain in self.chains))
        _unique(where, "set", (held.name for held in self.sets))
        if len(self.name) > MAX_TABLE_NAME:
            raise ChainError(
                f"{where}: the name {self.name} has more than the {MAX_TABLE_NAME} bytes that a table's may have"
            )
        names = {held.name for held in self.sets}
        for chain in self.chains:
            for rule in chain.rules:
                for match in rule.matches:
                    if not isinstance(match, SetMatch):
                        continue
                    if match.set not in names:
                        raise ChainError(
                            f"{where}: rule {rule.name} refers to the set {match.set}, which does not exist"
                        )

    @property
    def name(self) -> str:
        """``connectivity-<peering>``."""
        return f"connectivity-{self.peering}"


def _unique(where: str, what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ChainError(f"{where}: two {what}s named {name}")
        seen.add(name)
