"""Tables as a libnftables JSON transaction, for ``nft -j -f``.

Names and addresses are JSON strings, so they cannot break out of a grammar. ``model`` refuses what libnftables would
look up as a host name, and the long comments on which it crashes.

Schema: libnftables-json(5).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias, assert_never

from liqo_connectivity.chains.model import Chain, CidrMatch, Match, Set, SetMatch, Side, StateMatch, Table

Json: TypeAlias = "str | int | list[Json] | dict[str, Json] | None"

FIELDS: Final[Mapping[Side, str]] = {"source": "saddr", "destination": "daddr"}


def nft_transaction(tables: Iterable[Table]) -> dict[str, Json]:
    """The transaction that puts the tables in place, in the order given; the same state as ``nft_script``.

    Idempotent: each table is added (so that it is there), deleted with all that it holds, and added again, then its
    sets with their elements, its chain and the rules in order, each with its name as comment. All commands are one
    netlink transaction, so no packet sees a state in between. A set holds few enough elements for one command.
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
    yield {"add": named}
    for held in table.sets:
        yield from _set(table, held)
    for chain in table.chains:
        yield from _chain(table, chain)


def _set(table: Table, held: Set) -> Iterator[Json]:
    place: dict[str, Json] = {"family": table.family, "table": table.name, "name": held.name}
    yield {"add": {"set": {**place, "type": "ipv4_addr"}}}
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
        expressions: list[Json] = [{"match": _match(match)} for match in rule.matches]
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


def _match(match: Match) -> Json:
    match match:
        case StateMatch(states):
            return {"op": "in", "left": {"ct": {"key": "state"}}, "right": list(states)}
        case CidrMatch(side, cidr):
            return _address(side, {"prefix": {"addr": str(cidr.network_address), "len": cidr.prefixlen}})
        case SetMatch(side, name):
            return _address(side, f"@{name}")
        case _:
            assert_never(match)


def _address(side: Side, right: Json) -> Json:
    return {"op": "==", "left": {"payload": {"protocol": "ip", "field": FIELDS[side]}}, "right": right}
