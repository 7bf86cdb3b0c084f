"""The rules of a layout as values: what each position matches, before an encoding makes nftables rules of it.

A tuple that cannot be written is an error, never a wider or narrower match.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeVar

from liqo_connectivity.chains.errors import ChainError
from liqo_connectivity.chains.layout import ChainRuleRow, Layout
from liqo_connectivity.chains.limits import MAX_PORT
from liqo_connectivity.chains.matches import (
    ICMP6_TYPES,
    PROTOCOLS,
    SIDES,
    STATES,
    CidrMatch,
    Icmp6Match,
    PortMatch,
    PortRange,
    Protocol,
    SetMatch,
    Side,
    StateMatch,
)
from liqo_connectivity.chains.model import VERDICTS, Verdict
from liqo_connectivity.chains.names import Draft, Origin
from liqo_connectivity.chains.sets import Party
from liqo_connectivity.chains.values import Network, cidr, cluster_id, word

Row = TypeVar("Row")
Key = TypeVar("Key", bound=Hashable)

ORIGINS: Final[Mapping[str, Origin]] = {
    "established": "established",
    "neighbours": "neighbours",
    "guard": "guard",
    "rule": "rule",
    "default": "default",
}
ALL_PORTS: Final[PortRange] = (0, MAX_PORT)
"""What a layout says for a protocol whatever its port."""


@dataclass(frozen=True, slots=True)
class Ends:
    """What one side of a position matches: any address, or those in its CIDRs and in the sets of its parties.

    CIDRs are sorted by address, IPv4 first, each once, as they are given; parties are sorted.
    """

    any: bool
    cidrs: tuple[Network, ...]
    parties: tuple[Party, ...]

    @property
    def silent(self) -> bool:
        """Whether the layout says nothing of the side: then it matches nothing."""
        return not self.any and not self.cidrs and not self.parties


@dataclass(frozen=True, slots=True)
class Position:
    """A rule of a layout. ``where`` is how messages begin, ``number`` the index in the policy if origin is rule.

    A packet has to meet ``alone``, the matches of state and ICMPv6 types, both sides, and one of ``ports``: a protocol and
    a range, as they are given, sorted, each once. Without any, the protocol does not matter.
    """

    where: str
    origin: Origin
    number: int
    verdict: Verdict
    alone: tuple[StateMatch | Icmp6Match, ...]
    ports: tuple[tuple[Protocol, PortRange], ...]
    source: Ends
    destination: Ends

    @property
    def ends(self) -> tuple[Ends, Ends]:
        """Both sides."""
        return self.source, self.destination

    @property
    def unaddressed(self) -> bool:
        """Whether the rule says nothing of both sides and yet matches, by state or ICMPv6 type alone."""
        return bool(self.alone) and all(ends.silent for ends in self.ends)

    def draft(self, *matches: CidrMatch | SetMatch | PortMatch) -> Draft:
        """A rule of nftables for this position, with ``alone`` and more matches."""
        return Draft(self.origin, self.number, (*self.alone, *matches), self.verdict)


def positions(layout: Layout) -> tuple[Position, ...]:
    """The rules of a layout that is of one peering, in order.

    Raises ChainError for a layout without a base chain or with several, for two rules at a position, a match without
    its rule, a word out of its vocabulary, and a CIDR or port that is none.
    """
    where = peering_text(layout)
    rules = sorted(layout.chain_rule, key=lambda row: row[1])
    for row, following in pairwise(rules):
        if row[1] == following[1]:
            raise ChainError(f"{where}: more than one rule at position {row[1]}: {row!r} and {following!r}")
    matches = _matches(where, layout, {row[1] for row in rules})
    return tuple(matches.position(where, row) for row in rules)


def peering_text(layout: Layout) -> str:
    """The peering of a layout that is of one, for an error message. Raises ChainError if it is not of one."""
    if not layout.base_chain:
        raise ChainError("a layout without a base chain cannot be written")
    where = f"peering {cluster_id(layout.base_chain[0][0])}"
    if len(layout.base_chain) != 1:
        chains = ", ".join(f"{policy!r} in {namespace!r}" for _, namespace, policy in layout.base_chain)
        raise ChainError(f"{where}: more than one base chain ({chains}); one peering has one")
    return where


@dataclass(frozen=True, slots=True)
class _Matches:
    """The match tuples of one peering by position."""

    states: Mapping[int, list[str]]
    types: Mapping[int, list[str]]
    ports: Mapping[int, list[tuple[str, PortRange]]]
    any: frozenset[tuple[int, Side]]
    cidrs: Mapping[tuple[int, Side], list[str]]
    sets: Mapping[tuple[int, Side], list[Party]]

    def position(self, where: str, row: ChainRuleRow) -> Position:
        _, at, origin, number, verdict = row
        here = f"{where}, rule {number} at position {at}"
        return Position(
            here,
            word(here, "origin", origin, ORIGINS),
            number,
            word(here, "verdict", verdict, VERDICTS),
            self._alone(here, at),
            self._ports(here, at),
            self._ends(here, at, "source"),
            self._ends(here, at, "destination"),
        )

    def _alone(self, where: str, at: int) -> tuple[StateMatch | Icmp6Match, ...]:
        found: list[StateMatch | Icmp6Match] = []
        states = {word(where, "connection state", value, STATES) for value in self.states.get(at, ())}
        if states:
            found.append(StateMatch(tuple(value for value in STATES.values() if value in states)))
        types = {word(where, "ICMPv6 type", value, ICMP6_TYPES) for value in self.types.get(at, ())}
        if types:
            found.append(Icmp6Match(tuple(sorted(types))))
        return tuple(found)

    def _ports(self, where: str, at: int) -> tuple[tuple[Protocol, PortRange], ...]:
        found: set[tuple[Protocol, PortRange]] = set()
        for value, (first, last) in self.ports.get(at, ()):
            protocol = word(where, "protocol", value, PROTOCOLS)
            if not 0 <= first <= last <= MAX_PORT or (protocol == "icmp" and (first, last) != ALL_PORTS):
                raise ChainError(f"{where}: {protocol} has no ports {first} to {last}")
            found.add((protocol, (first, last)))
        return tuple(sorted(found))

    def _ends(self, where: str, at: int, side: Side) -> Ends:
        networks = {cidr(f"{where}, {side}", value) for value in self.cidrs.get((at, side), ())}
        return Ends(
            (at, side) in self.any,
            tuple(sorted(networks, key=lambda each: (each.version, int(each.network_address), each.prefixlen))),
            tuple(sorted(self.sets.get((at, side), ()))),
        )


def _matches(where: str, layout: Layout, known: set[int]) -> _Matches:
    for relation, rows in (
        ("chain_state", layout.chain_state),
        ("chain_any", layout.chain_any),
        ("chain_cidr", layout.chain_cidr),
        ("chain_set", layout.chain_set),
        ("chain_port", layout.chain_port),
        ("chain_icmp6", layout.chain_icmp6),
    ):
        for row in rows:
            if row[1] not in known:
                raise ChainError(f"{where}: {relation} has a tuple for position {row[1]}, where there is no rule")

    def side(value: str, at: int) -> Side:
        return word(f"{where}, position {at}", "side", value, SIDES)

    return _Matches(
        states=_grouped((at, state) for _, at, state in layout.chain_state),
        types=_grouped((at, name) for _, at, name in layout.chain_icmp6),
        ports=_grouped((at, (protocol, (first, last))) for _, at, protocol, first, last in layout.chain_port),
        any=frozenset((at, side(value, at)) for _, at, value in layout.chain_any),
        cidrs=_grouped(((at, side(value, at)), text) for _, at, value, text in layout.chain_cidr),
        sets=_grouped(((at, side(value, at)), (kind, name)) for _, at, value, kind, name in layout.chain_set),
    )


def _grouped(pairs: Iterable[tuple[Key, Row]]) -> Mapping[Key, list[Row]]:
    groups: defaultdict[Key, list[Row]] = defaultdict(list)
    for key, row in pairs:
        groups[key].append(row)
    return dict(groups)
