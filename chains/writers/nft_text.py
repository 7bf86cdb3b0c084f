"""Tables as an nft script, for people and for ``nft -f``.

The grammar of nft escapes nothing. ``values`` and ``model`` let only parsed addresses, numbers and closed patterns through.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, assert_never

from liqo_connectivity.chains.matches import (
    CidrMatch,
    Icmp6Match,
    Match,
    OutsideMatch,
    PortMatch,
    Protocol,
    SetMatch,
    Side,
    StateMatch,
)
from liqo_connectivity.chains.model import Chain, Set, Table
from liqo_connectivity.chains.names import port_text, range_text
from liqo_connectivity.chains.values import Family

FIELDS: Final[Mapping[Side, str]] = {"source": "saddr", "destination": "daddr"}
SET_TYPES: Final[Mapping[Family, str]] = {"ip": "ipv4_addr", "ip6": "ipv6_addr"}


def nft_script(tables: Iterable[Table]) -> str:
    """The script that puts the tables in place, in the order given, as one transaction.

    Idempotent: each table is added (so that it is there), deleted with all that it holds, and defined again unless it is
    empty. nft sends a file as one netlink transaction, so no packet sees a state in between. Other tables are left as
    they are. nft 1.0.6 wants the newline at the end.
    """
    return "".join(f"{line}\n" for table in tables for line in _table(table))


def _table(table: Table) -> Iterator[str]:
    yield f"add table {table.family} {table.name}"
    yield f"delete table {table.family} {table.name}"
    if not table.chains and not table.sets:
        return
    yield f"table {table.family} {table.name} {{"
    for held in table.sets:
        yield from set_lines(table.family, held)
    for chain in table.chains:
        yield from _chain(table.family, chain)
    yield "}"


def set_lines(family: Family, held: Set) -> Iterator[str]:
    """The lines that define a set of addresses, inside its table."""
    yield f"\tset {held.name} {{"
    yield f"\t\ttype {SET_TYPES[family]}"
    if held.elements:
        yield "\t\telements = {"
        # the comma after the last element is allowed by the grammar
        yield from (f"\t\t\t{element.text}," for element in held.elements)
        yield "\t\t}"
    yield "\t}"


def _chain(family: Family, chain: Chain) -> Iterator[str]:
    yield f"\tchain {chain.name} {{"
    yield f"\t\ttype {chain.type} hook {chain.hook} priority {chain.priority}; policy {chain.policy};"
    for rule in chain.rules:
        words = [*(match_text(family, match) for match in rule.matches), rule.verdict, f'comment "{rule.name}"']
        yield f"\t\t{' '.join(words)}"
    yield "\t}"


def match_text(family: Family, match: Match) -> str:
    """What a match asks of a packet by its own addresses and port."""
    match match:
        case StateMatch(states):
            return f"ct state {','.join(states)}"
        case CidrMatch(side, cidrs):
            return f"{family} {FIELDS[side]} {choice([str(cidr) for cidr in cidrs])}"
        case OutsideMatch(side):
            # Ranges in one set would be joined where they touch; one by one they are what Liqo's agent makes of them.
            return " ".join(f"{family} {FIELDS[side]} != {each}" for each in map(range_text, match.ranges))
        case SetMatch(side, name):
            return f"{family} {FIELDS[side]} @{name}"
        case PortMatch(protocol, ()):
            return f"meta l4proto {protocol_name(family, protocol)}"
        case PortMatch(protocol, ranges):
            return f"{protocol} dport {choice([port_text(ports) for ports in ranges])}"
        case Icmp6Match(types):
            return f"icmpv6 type {choice(types)}"
        case _:
            assert_never(match)


def choice(values: Sequence[str]) -> str:
    """One value, or any of several: an anonymous set."""
    return values[0] if len(values) == 1 else f"{{ {', '.join(values)} }}"


def protocol_name(family: Family, protocol: Protocol) -> str:
    """The name of a protocol for nft, of those that it knows without /etc/protocols. ICMP is another one in IPv6."""
    return "icmpv6" if (family, protocol) == ("ip6", "icmp") else protocol
