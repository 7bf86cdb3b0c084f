"""From derived tuples to tables as an agent on each node has them: those for nft, with each packet judged by its connection.

The addresses and ports of a rule are those of the connection that a packet belongs to: its source as the first packet had it
before any node translated it, its destination as the first packet had it after. Both are the same for every packet of both
directions. So a new deny cuts what it forbids at once, both ways, and what is still allowed goes on. A packet of no connection
is judged by its own addresses and ports, by the same rules.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal, TypeAlias

from liqo_connectivity.chains.assemble_nft import assemble_nft
from liqo_connectivity.chains.layout import Layout
from liqo_connectivity.chains.matches import PortMatch, PortRange
from liqo_connectivity.chains.model import NftRule, Set, Table
from liqo_connectivity.chains.names import label_of, port_text, serialized
from liqo_connectivity.chains.positions import Ends, Position, positions
from liqo_connectivity.chains.values import Family

OWNER: Final = "liqo-connectivity-engine"
"""The comment of every table: with its name, the sign that it is ours."""
AGENT_PREFIX: Final = "lce-"
"""How the names of the tables begin; the rest is a cluster id. No table of Liqo's agents has such a name."""
HOOKS: Final[tuple[tuple[Literal["postrouting", "input"], int], ...]] = (("postrouting", 90), ("input", 0))
"""The hooks with a base chain, and its priority: what a node forwards or sends, and what it receives."""
_DIGITS: Final = 8
"""Hexadecimal digits of the hash in a counter's name. Only counters of one rule of a policy can be confused at all."""
_PORT_DIGITS: Final = 16

CounterName: TypeAlias = Literal["original", "reply", "packet"]
"""Which packets a counter of a rule counts: those in the direction of a connection, those against it, those of none."""


@dataclass(frozen=True, slots=True)
class AgentTable:
    """A table of one peering in one family, of the rules and sets that ``table`` has for nft; without any, it is to go.

    ``counters`` has the name of the counters of a rule by its label, the part of its name that says where it comes from.
    All rules that stand for one rule of the policy share them.
    """

    table: Table
    counters: Mapping[str, str]

    @property
    def name(self) -> str:
        """``lce-<peering>``."""
        return f"{AGENT_PREFIX}{self.table.peering}"

    @property
    def peering(self) -> str:
        """The cluster id of the peering."""
        return self.table.peering

    @property
    def policy(self) -> str:
        """The PeeringConnectivity that it is written for, as namespace/name."""
        return self.table.policy

    @property
    def namespace(self) -> str:
        """The tenant namespace of the peering."""
        return self.table.namespace

    @property
    def family(self) -> Family:
        """The family whose packets it judges."""
        return self.table.family

    @property
    def is_empty(self) -> bool:
        """Whether it is a table that is to go."""
        return not self.table.chains

    @property
    def rules(self) -> tuple[NftRule, ...]:
        """The rules, in order."""
        return tuple(rule for chain in self.table.chains for rule in chain.rules)

    @property
    def sets(self) -> tuple[Set, ...]:
        """The sets of addresses."""
        return self.table.sets

    @property
    def port_sets(self) -> Mapping[str, tuple[PortRange, ...]]:
        """The sets of ports by name, sorted: one for each choice of several ports or ranges."""
        found = {
            port_set(match): match.ranges
            for rule in self.rules
            for match in rule.matches
            if isinstance(match, PortMatch) and len(match.ranges) > 1
        }
        return dict(sorted(found.items()))

    @property
    def counter_names(self) -> list[str]:
        """The names of all counters, in the order of the rules."""
        ways: tuple[CounterName, ...] = ("original", "reply", "packet")
        labels = dict.fromkeys(label_of(rule.name) for rule in self.rules)
        return [f"{self.counters[label]}.{way}" for label in labels for way in ways]

    def counter(self, rule: NftRule, way: CounterName) -> str:
        """The name of a counter of a rule."""
        return f"{self.counters[label_of(rule.name)]}.{way}"


def assemble_agent(layout: Layout) -> tuple[AgentTable, ...]:
    """The tables of ``assemble_nft`` in the form of an agent, sorted; the same for the tuples in any order.

    A counter's name holds the index of the rule in the policy and a hash of what it says, not of its place or its members:
    it stays the same when other rules or pods change. Raises ChainError as ``assemble_nft``.
    """
    found: list[AgentTable] = []
    for part in layout.by_peering().values():
        counters = _counters(positions(part))
        found += (AgentTable(table, counters) for table in assemble_nft(part))
    return tuple(found)


def port_set(match: PortMatch) -> str:
    """The name of the set of the ports of a match: nft cannot read several ports of a connection that it lists in a rule."""
    text = ",".join(map(port_text, match.ranges))
    return f"ports.{sha256(text.encode('ascii')).hexdigest()[:_PORT_DIGITS]}"


def _counters(rules: tuple[Position, ...]) -> dict[str, str]:
    said: defaultdict[str, list[str]] = defaultdict(list)
    for rule in rules:
        said[rule.draft().label].append(_said(rule))
    return {
        label: f"{label}-{sha256(chr(10).join(texts).encode('utf-8', 'surrogatepass')).hexdigest()[:_DIGITS]}"
        for label, texts in said.items()
    }


def _said(rule: Position) -> str:
    """What a rule says, but not where it stands."""
    ports = (f"{protocol} {port_text(ranges)}" for protocol, ranges in rule.ports)
    return "; ".join([rule.verdict, *map(serialized, rule.alone), *ports, *map(_ends, rule.ends)])


def _ends(ends: Ends) -> str:
    parties = (f"{kind}/{name}" for kind, name in ends.parties)
    return ", ".join(["any" if ends.any else "", *map(str, ends.cidrs), *parties])
