"""Tables of an agent as an nft script, for people and for ``nft -f``.

What nft lists of such a table loads again and is the same: some forms of a match of a connection's port do not (nft 1.0.6).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, assert_never

from liqo_connectivity.chains.assemble_agent import HOOKS, OWNER, AgentTable, CounterName, port_set
from liqo_connectivity.chains.errors import ChainError
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
from liqo_connectivity.chains.model import NftRule
from liqo_connectivity.chains.names import port_text
from liqo_connectivity.chains.values import Family
from liqo_connectivity.chains.writers.nft_text import choice, match_text, protocol_name, set_lines

DIRECTIONS: Final[Mapping[Side, str]] = {"source": "original", "destination": "reply"}
"""Of which direction's packets a side of a connection is the source: the destination is the source of the replies."""
# First: a packet of no connection meets no match of a connection's ends, so it would pass all of them.
BASE_RULES: Final = ("ct state invalid,untracked goto packet", "goto connection")
"""The rules of every base chain."""


def agent_script(tables: Iterable[AgentTable]) -> str:
    """The script that puts the tables in place, in the order given, as one transaction; with new counters.

    Idempotent: each table is added (so that it is there), deleted with all that it holds, and defined again unless it is
    empty. Other tables are left as they are. In place of a table that is in use, ``agent_update`` and ``agent_repair`` have no gap:
    the kernel fills the sets of ports of a new table only after its rules are in use.
    """
    return "".join(f"{line}\n" for table in tables for line in _table(table))


def _table(table: AgentTable) -> Iterator[str]:
    yield f"add table {table.family} {table.name}"
    yield f"delete table {table.family} {table.name}"
    if table.is_empty:
        return
    yield f"table {table.family} {table.name} {{"
    yield f'\tcomment "{OWNER}"'
    for name in table.counter_names:
        yield from (f"\tcounter {name} {{", "\t}")
    for held in table.sets:
        yield from set_lines(table.family, held)
    for name, ranges in table.port_sets.items():
        yield from (f"\tset {name} {{", "\t\ttype inet_service", "\t\tflags interval", "\t\telements = {")
        yield from (f"\t\t\t{port_text(ports)}," for ports in ranges)
        yield from ("\t\t}", "\t}")
    for hook, priority in HOOKS:
        yield f"\tchain {hook} {{"
        yield f"\t\ttype filter hook {hook} priority {priority}; policy accept;"
        yield from (f"\t\t{rule}" for rule in BASE_RULES)
        yield "\t}"
    for chain, rules in rules_text(table).items():
        yield f"\tchain {chain} {{"
        yield from (f"\t\t{rule}" for rule in rules)
        yield "\t}"
    yield "}"


def rules_text(table: AgentTable) -> Mapping[str, list[str]]:
    """The rules of the chains that are no base chains, by chain."""
    connection = [
        _rule(rule, [connection_match(table.family, match) for match in rule.matches], _both_ways(table, rule))
        for rule in table.rules
    ]
    packet = [
        _rule(
            rule,
            [match_text(table.family, match) for match in rule.matches],
            f'counter name "{table.counter(rule, "packet")}"',
        )
        for rule in table.rules
    ]
    return {"connection": connection, "packet": packet}


def _rule(rule: NftRule, matches: Sequence[str], counter: str) -> str:
    return " ".join([*matches, counter, rule.verdict, f'comment "{rule.name}"'])


def _both_ways(table: AgentTable, rule: NftRule) -> str:
    ways: tuple[CounterName, ...] = ("original", "reply")
    choices = ", ".join(f'{way} : "{table.counter(rule, way)}"' for way in ways)
    return f"counter name ct direction map {{ {choices} }}"


def connection_match(family: Family, match: Match) -> str:
    """What a match asks of a packet by the ends of its connection."""
    match match:
        case StateMatch() | Icmp6Match():
            return match_text(family, match)
        case CidrMatch(side, cidrs):
            return f"ct {DIRECTIONS[side]} {family} saddr {choice([str(cidr) for cidr in cidrs])}"
        case SetMatch(side, name):
            return f"ct {DIRECTIONS[side]} {family} saddr @{name}"
        case PortMatch(protocol, ranges):
            # The protocol of the connection: an error about it is a packet of ICMP.
            words = [f"ct protocol {protocol_name(family, protocol)}"]
            if ranges:
                ports = port_text(ranges[0]) if len(ranges) == 1 else f"@{port_set(match)}"
                words.append(f"ct reply proto-src {ports}")
            return " ".join(words)
        case OutsideMatch():
            raise ChainError(f"{match} is for parts, which only Liqo's agents need")
        case _:
            assert_never(match)
