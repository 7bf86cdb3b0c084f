"""Tables of an agent as a libnftables JSON transaction, for ``nft -j -f``. Schema: libnftables-json(5)."""

import json
from collections.abc import Iterable, Iterator
from typing import assert_never

from liqo_connectivity.chains.assemble_agent import HOOKS, OWNER, AgentTable, CounterName, port_set
from liqo_connectivity.chains.errors import ChainError
from liqo_connectivity.chains.matches import CidrMatch, Icmp6Match, Match, OutsideMatch, PortMatch, SetMatch, StateMatch
from liqo_connectivity.chains.model import NftRule
from liqo_connectivity.chains.values import Family
from liqo_connectivity.chains.writers.agent_text import DIRECTIONS
from liqo_connectivity.chains.writers.nft_json import (
    Json,
    choice_json,
    matches_json,
    ports_json,
    prefix_json,
    set_commands,
)
from liqo_connectivity.chains.writers.nft_text import protocol_name


def agent_transaction(tables: Iterable[AgentTable]) -> dict[str, Json]:
    """The transaction that puts the tables in place, in the order given; the same state as ``agent_script``.

    But for the comment of a table: libnftables reads none from JSON up to 1.0.6.
    """
    commands: list[Json] = [{"metainfo": {"json_schema_version": 1}}]
    for table in tables:
        commands.extend(_table(table))
    return {"nftables": commands}


def agent_transaction_json(tables: Iterable[AgentTable]) -> str:
    """``agent_transaction`` as text, on one line."""
    return json.dumps(agent_transaction(tables)) + "\n"


def _table(table: AgentTable) -> Iterator[Json]:
    named: dict[str, Json] = {"family": table.family, "name": table.name}
    yield {"add": {"table": named}}
    yield {"delete": {"table": named}}
    if table.is_empty:
        return
    yield {"add": {"table": {**named, "comment": OWNER}}}
    place: dict[str, Json] = {"family": table.family, "table": table.name}
    for name in table.counter_names:
        yield {"add": {"counter": {**place, "name": name}}}
    for held in table.sets:
        yield from set_commands(table.family, table.name, held)
    for name, ranges in table.port_sets.items():
        yield {"add": {"set": {**place, "name": name, "type": "inet_service", "flags": ["interval"]}}}
        yield {"add": {"element": {**place, "name": name, "elem": [ports_json(ports) for ports in ranges]}}}
    yield {"add": {"chain": {**place, "name": "connection"}}}
    yield {"add": {"chain": {**place, "name": "packet"}}}
    for rule in table.rules:
        matches: list[Json] = [{"match": part} for match in rule.matches for part in _connection(table.family, match)]
        yield _rule(place, "connection", rule, [*matches, {"counter": _both_ways(table, rule)}])
    for rule in table.rules:
        matches = [{"match": part} for match in rule.matches for part in matches_json(table.family, match)]
        yield _rule(place, "packet", rule, [*matches, {"counter": table.counter(rule, "packet")}])
    for hook, priority in HOOKS:
        base: dict[str, Json] = {"type": "filter", "hook": hook, "prio": priority, "policy": "accept"}
        yield {"add": {"chain": {**place, "name": hook, **base}}}
        no_connection: Json = {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["invalid", "untracked"]}
        ways: list[list[Json]] = [[{"match": no_connection}, _goto("packet")], [_goto("connection")]]
        for expressions in ways:
            yield {"add": {"rule": {**place, "chain": hook, "expr": expressions}}}


def _rule(place: dict[str, Json], chain: str, rule: NftRule, expressions: list[Json]) -> Json:
    named: dict[str, Json] = {**place, "chain": chain, "comment": rule.name}
    return {"add": {"rule": {**named, "expr": [*expressions, {rule.verdict: None}]}}}


def _goto(chain: str) -> Json:
    return {"goto": {"target": chain}}


def _both_ways(table: AgentTable, rule: NftRule) -> Json:
    ways: tuple[CounterName, ...] = ("original", "reply")
    choices: list[Json] = [[way, table.counter(rule, way)] for way in ways]
    return {"map": {"key": {"ct": {"key": "direction"}}, "data": {"set": choices}}}


def _connection(family: Family, match: Match) -> Iterator[Json]:
    """What a match asks of a packet by the ends of its connection."""
    match match:
        case StateMatch() | Icmp6Match():
            yield from matches_json(family, match)
        case CidrMatch(side, cidrs):
            yield _end(f"{family} saddr", DIRECTIONS[side], choice_json([prefix_json(cidr) for cidr in cidrs]))
        case SetMatch(side, name):
            yield _end(f"{family} saddr", DIRECTIONS[side], f"@{name}")
        case PortMatch(protocol, ranges):
            yield {"op": "==", "left": {"ct": {"key": "protocol"}}, "right": protocol_name(family, protocol)}
            if ranges:
                ports = ports_json(ranges[0]) if len(ranges) == 1 else f"@{port_set(match)}"
                yield _end("proto-src", "reply", ports)
        case OutsideMatch():
            raise ChainError(f"{match} is for parts, which only Liqo's agents need")
        case _:
            assert_never(match)


def _end(key: str, direction: str, right: Json) -> Json:
    return {"op": "==", "left": {"ct": {"key": key, "dir": direction}}, "right": right}
