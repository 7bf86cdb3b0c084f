"""A table in a form that does not depend on where it was read, so that tables from different places can be compared.

What a rule matches is a set of short texts, such as ``source 10.0.0.0/8``, ``port 80-90`` or ``state established,related``.
Each reader writes the same text for the same match; what it does not know becomes a text that no rendered rule has. So
two rules are equal only if they match the same packets.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from liqo_connectivity.chains.assemble_agent import AGENT_PREFIX, HOOKS, AgentTable, port_set
from liqo_connectivity.chains.matches import (
    CidrMatch,
    Icmp6Match,
    Match,
    OutsideMatch,
    PortMatch,
    SetMatch,
    Side,
    StateMatch,
)
from liqo_connectivity.chains.model import Chain, Table
from liqo_connectivity.chains.names import port_text
from liqo_connectivity.chains.values import AddressRange, ends_of

Matches: TypeAlias = frozenset[str]
PREFIXES: Final = ("connectivity-", "standin-")
"""How the names of the tables begin, but for those of agents, the second that of a stand-in; the rest is a cluster id."""


@dataclass(frozen=True, slots=True)
class RuleView:
    """A rule: its name (the comment in a kernel), what it matches, and its verdict."""

    name: str
    matches: Matches
    verdict: str

    def __str__(self) -> str:
        """What it does, as text: ``drop source 10.0.0.0/8``."""
        return " ".join([self.verdict, *sorted(self.matches)])


@dataclass(frozen=True, slots=True)
class ChainView:
    """A chain: ``base`` is its type, hook, priority and policy as text, and ``rules`` are in order."""

    base: str
    rules: tuple[RuleView, ...]


@dataclass(frozen=True, slots=True)
class TableView:
    """A table: its chains by name, the elements of its sets by name, and what ``others`` it has, which none of ours has.

    A flag is one of these: a dormant table has its rules, and filters nothing.
    """

    family: str
    name: str
    chains: Mapping[str, ChainView]
    sets: Mapping[str, frozenset[str]]
    others: frozenset[str] = frozenset()

    @property
    def peering(self) -> str:
        """The cluster id of its peering; empty if its name does not begin as ours do."""
        prefixes = (*PREFIXES, AGENT_PREFIX)
        return next((self.name.removeprefix(each) for each in prefixes if self.name.startswith(each)), "")

    @property
    def key(self) -> tuple[str, str]:
        """Family and name: what a kernel knows a table by."""
        return self.family, self.name


def view_table(table: Table | AgentTable) -> TableView:
    """View a table that an encoding made."""
    if isinstance(table, AgentTable):
        return _view_agent_table(table)
    return TableView(
        table.family,
        table.name,
        {chain.name: _chain(chain) for chain in table.chains},
        {held.name: frozenset(element.text for element in held.elements) for held in table.sets},
    )


def base_text(kind: object, hook: object, priority: object, policy: object) -> str:
    """What makes a chain a base chain, as text; the same for all others."""
    if hook is None:
        return "no base chain"
    return f"type {kind} hook {hook} priority {priority} policy {policy}"


def addresses_text(side: Side, ranges: Iterable[AddressRange]) -> str:
    """A match of the addresses in any of some ranges.

    nft joins ranges that touch in an anonymous set, so they are joined here too.
    """
    joined: list[AddressRange] = []
    for first, last in sorted(ranges, key=lambda each: (each[0].version, int(each[0]))):
        if joined and joined[-1][1].version == first.version and int(first) <= int(joined[-1][1]) + 1:
            first, end = joined.pop()
            last = max(end, last, key=int)
        joined.append((first, last))
    return f"{side} {','.join(map(_range_text, joined))}"


def _range_text(ends: AddressRange) -> str:
    """A range as a CIDR if it is one, else by its ends."""
    first, last = ends
    size = int(last) - int(first) + 1
    bits = size.bit_length() - 1
    if size == 1 << bits and int(first) % size == 0:
        return f"{first}/{first.max_prefixlen - bits}"
    return f"{first}-{last}"


def outside_text(side: Side, ends: AddressRange) -> str:
    """A match of the addresses outside a range."""
    return f"{side} outside {_range_text(ends)}"


def set_text(side: Side, name: str) -> str:
    """A match of the addresses of a set."""
    return f"{side} @{name}"


def state_text(states: Iterable[str]) -> str:
    """A match of connection states."""
    return f"state {','.join(sorted(states))}"


def protocol_text(protocol: str) -> str:
    """A match of a protocol; ICMP is called the same in both families."""
    return f"protocol {'icmp' if protocol in ('icmpv6', 'ipv6-icmp') else protocol}"


def ports_text(ports: Iterable[tuple[int, int]]) -> str:
    """A match of destination ports: ranges that are apart."""
    return f"port {','.join(map(port_text, sorted(ports)))}"


def types_text(types: Iterable[str]) -> str:
    """A match of ICMPv6 types."""
    return f"icmp type {','.join(sorted(types))}"


def connection_text(text: str) -> str:
    """A match of the ends of a packet's connection, by the text of the match of the packet's own."""
    return f"connection {text}"


def port_set_text(name: str) -> str:
    """A match of destination ports: those of a set."""
    return f"port @{name}"


def _view_agent_table(table: AgentTable) -> TableView:
    if table.is_empty:
        return TableView(table.family, table.name, {}, {})
    first = RuleView("", frozenset({state_text(("invalid", "untracked"))}), "goto packet")
    led = first, RuleView("", frozenset(), "goto connection")
    chains: dict[str, ChainView] = {
        hook: ChainView(base_text("filter", hook, priority, "accept"), led) for hook, priority in HOOKS
    }
    for name, matches in (("connection", _connection), ("packet", _matches)):
        rules = (RuleView(rule.name, matches(rule.matches), rule.verdict) for rule in table.rules)
        chains[name] = ChainView(base_text(None, None, None, None), tuple(rules))
    sets = {held.name: frozenset(element.text for element in held.elements) for held in table.sets}
    sets |= {name: frozenset(map(port_text, ranges)) for name, ranges in table.port_sets.items()}
    return TableView(table.family, table.name, chains, sets, frozenset(map(counter_text, table.counter_names)))


def counter_text(name: object) -> str:
    """A named counter, as one of the other things in a table."""
    return f"a counter named {name}"


def _connection(matches: Iterable[Match]) -> Matches:
    """What a rule asks of the ends of a packet's connection."""
    found: set[str] = set()
    for match in matches:
        match match:
            case StateMatch() | Icmp6Match():
                found |= _matches((match,))
            case PortMatch(protocol, ranges) if len(ranges) > 1:
                found |= {connection_text(protocol_text(protocol)), connection_text(port_set_text(port_set(match)))}
            case _:
                found |= set(map(connection_text, _matches((match,))))
    return frozenset(found)


def _chain(chain: Chain) -> ChainView:
    rules = (RuleView(rule.name, _matches(rule.matches), rule.verdict) for rule in chain.rules)
    return ChainView(base_text(chain.type, chain.hook, chain.priority, chain.policy), tuple(rules))


def _matches(matches: Iterable[Match]) -> Matches:
    found: set[str] = set()
    for match in matches:
        match match:
            case StateMatch(states):
                found.add(state_text(states))
            case CidrMatch(side, cidrs):
                found.add(addresses_text(side, map(ends_of, cidrs)))
            case OutsideMatch(side, ranges):
                found |= {outside_text(side, each) for each in ranges}
            case SetMatch(side, name):
                found.add(set_text(side, name))
            case PortMatch(protocol, ranges):
                found.add(protocol_text(protocol))
                if ranges:
                    found.add(ports_text(ranges))
            case Icmp6Match(types):
                found |= {protocol_text("icmpv6"), types_text(types)}
    return frozenset(found)
