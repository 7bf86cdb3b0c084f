"""Tables as a libnftables JSON transaction, for ``nft -j -f``.

Names and addresses are JSON strings, so they cannot break out of a grammar. ``model`` refuses what libnftables would
look up as a host name, and the long comments on which it crashes.

Schema: libnftables-json(5).
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, TypeAlias, assert_never

from liqo_connectivity.chains.matches import (
    CidrMatch,
    Icmp6Match,
    Match,
    OutsideMatch,
    PortMatch,
    PortRange,
    SetMatch,
    Side,
    StateMatch,
)
from liqo_connectivity.chains.model import Chain, Set, Table
from liqo_connectivity.chains.values import AddressRange, Family, Network
from liqo_connectivity.chains.writers.nft_text import FIELDS, SET_TYPES, protocol_name

Json: TypeAlias = "str | int | list[Json] | dict[str, Json] | None"


def nft_transaction(tables: Iterable[Table]) -> dict[str, Json]:
    """The transaction that puts the tables in place, in the order given; the same state as ``nft_script``.

    Idempotent: each table is added (so that it is there), deleted with all that it holds, and unless it is empty added
    again, then its sets with their elements, its chain and the rules in order, each with its name as comment. All
    commands are one netlink transaction, so no packet sees a state in between. A set holds few enough elements for one
    command.
    """
    commands: list[Json] = [{"metainfo": {"json_schema_version": 1}}]
    for table in tables:
        commands.extend(_table(table))
    return {"nftables": commands}


def nft_transaction_json(tables: Iterable[Table]) -> str:
    """``nft_transaction`` as text, on one line."""
    return json.dumps(nft_transaction(tables)) + "\n"


def _table(table: Table) -> Iterator[Json]:
    named: Json = {"table": {"family": table.family, "name": table.name}}
    yield {"add": named}
    yield {"delete": named}
    if not table.chains and not table.sets:
        return
    yield {"add": named}
    for held in table.sets:
        yield from set_commands(table.family, table.name, held)
    for chain in table.chains:
        yield from _chain(table, chain)


def set_commands(family: Family, table: str, held: Set) -> Iterator[Json]:
    """The commands that make a set of addresses with its elements."""
    place: dict[str, Json] = {"family": family, "table": table, "name": held.name}
    yield {"add": {"set": {**place, "type": SET_TYPES[family]}}}
    if held.elements:
        yield {"add": {"element": {**place, "elem": [element.text for element in held.elements]}}}


def _chain(table: Table, chain: Chain) -> Iterator[Json]:
    place: dict[str, Json] = {"family": table.family, "table": table.name}
    yield {
        "add": {
            "chain": {
                **place,
                "name": chain.name,
                "type": chain.type,
                "hook": chain.hook,
                "prio": chain.priority,
                "policy": chain.policy,
            }
        }
    }
    for rule in chain.rules:
        expressions: list[Json] = [
            {"match": each} for match in rule.matches for each in matches_json(table.family, match)
        ]
        yield {
            "add": {
                "rule": {
                    **place,
                    "chain": chain.name,
                    "comment": rule.name,
                    "expr": [*expressions, {rule.verdict: None}],
                }
            }
        }


def matches_json(family: Family, match: Match) -> Sequence[Json]:
    """What a match asks of a packet by its own addresses and port: all of these."""
    if isinstance(match, OutsideMatch):
        # One by one, as in the text.
        return [_field(family, FIELDS[match.side], _range(each), "!=") for each in match.ranges]
    return [_match(family, match)]


def _match(family: Family, match: CidrMatch | SetMatch | StateMatch | PortMatch | Icmp6Match) -> Json:
    match match:
        case StateMatch(states):
            return {"op": "in", "left": {"ct": {"key": "state"}}, "right": list(states)}
        case CidrMatch(side, cidrs):
            return _address(family, side, choice_json([prefix_json(cidr) for cidr in cidrs]))
        case SetMatch(side, name):
            return _address(family, side, f"@{name}")
        case PortMatch(protocol, ()):
            return {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": protocol_name(family, protocol)}
        case PortMatch(protocol, ranges):
            return _field(protocol, "dport", choice_json([ports_json(ports) for ports in ranges]))
        case Icmp6Match(types):
            return _field("icmpv6", "type", choice_json(types))
        case _:
            assert_never(match)


def _address(family: Family, side: Side, right: Json) -> Json:
    return _field(family, FIELDS[side], right)


def _field(protocol: str, field: str, right: Json, operator: Literal["==", "!="] = "==") -> Json:
    return {"op": operator, "left": {"payload": {"protocol": protocol, "field": field}}, "right": right}


def prefix_json(cidr: Network) -> Json:
    """A CIDR."""
    return {"prefix": {"addr": str(cidr.network_address), "len": cidr.prefixlen}}


def _range(ends: AddressRange) -> Json:
    first, last = map(str, ends)
    return first if first == last else {"range": [first, last]}


def ports_json(ports: PortRange) -> Json:
    """A port, or a range."""
    first, last = ports
    return first if first == last else {"range": [first, last]}


def choice_json(values: Sequence[Json]) -> Json:
    """One value, or any of several: an anonymous set."""
    return values[0] if len(values) == 1 else {"set": list(values)}
