"""What an agent's chains do with a packet, by their JSON: a transaction of ours, or a listing of the kernel.

Like ``chain_verdict``, it shares nothing with chains/. A packet may belong to a connection, which is given as its first packet:
that has the source from before and the destination from after any translation.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.chain_verdict import Packet, Verdict, match_holds

HOOKS: Final = ("input", "postrouting")


@dataclass
class _Table:
    sets: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])
    counters: set[str] = field(default_factory=set[str])
    bases: dict[str, str] = field(default_factory=dict[str, str])
    rules: dict[str, list[list[Any]]] = field(default_factory=dict[str, list[list[Any]]])


def agent_verdicts(commands: Iterable[Mapping[str, Any]], packet: Packet, connection: Packet | None) -> set[Verdict]:
    """The verdicts of all tables on a packet, one for each hook if they differ."""
    tables: dict[tuple[str, str], _Table] = {}
    for command in commands:
        _execute(tables, command)
    family = "ip6" if packet.ipv6 else "ip"
    own = [table for (of, _), table in tables.items() if of == family]
    return {"drop" if any(_drops(table, hook, packet, connection) for table in own) else "accept" for hook in HOOKS}


def _execute(tables: dict[tuple[str, str], _Table], command: Mapping[str, Any]) -> None:
    ((kind, body),) = command.items()
    if kind == "delete":
        del tables[body["table"]["family"], body["table"]["name"]]
        return
    if kind == "add":
        ((kind, body),) = body.items()
    if kind == "metainfo":
        return
    at = body["family"], body["name"] if kind == "table" else body["table"]
    table = tables.setdefault(at, _Table())
    if kind == "set":
        table.sets[body["name"]] = list(body.get("elem", ()))
    elif kind == "element":
        table.sets[body["name"]] += body["elem"]
    elif kind == "counter":
        table.counters.add(body["name"])
    elif kind == "chain":
        table.rules.setdefault(body["name"], [])
        if "hook" in body:
            assert (body["type"], body["policy"]) == ("filter", "accept")
            table.bases[body["hook"]] = body["name"]
    elif kind == "rule":
        table.rules[body["chain"]].append(body["expr"])
    else:
        assert kind == "table", command


def _drops(table: _Table, hook: str, packet: Packet, connection: Packet | None) -> bool:
    chain = table.bases[hook]
    while True:
        target = _followed(table, chain, packet, connection)
        if target in ("accept", "drop"):
            return target == "drop"
        chain = target


def _followed(table: _Table, chain: str, packet: Packet, connection: Packet | None) -> str:
    """The verdict of a chain, or the chain to go on with."""
    for expressions in table.rules[chain]:
        *conditions, verdict = expressions
        if all(_holds(table, each, packet, connection) for each in conditions):
            ((kind, body),) = verdict.items()
            return str(body["target"]) if kind == "goto" else str(kind)
    return "accept"


def _holds(table: _Table, expression: Mapping[str, Any], packet: Packet, connection: Packet | None) -> bool:
    ((kind, body),) = expression.items()
    if kind == "counter":
        names = {name for _, name in body["map"]["data"]["set"]} if isinstance(body, dict) else {body}
        assert names <= table.counters
        return True
    assert kind == "match", expression
    ((source, left),) = body["left"].items()
    if source != "ct":
        return match_holds(body, _sets(table), packet)
    if left["key"] == "state":
        state = packet.state if connection is not None else "untracked"
        return state in body["right"]
    if connection is None:
        return False
    right = body["right"]
    if left["key"] == "proto-src" and isinstance(right, str):
        right = {"set": table.sets[right[1:]]}
    # A match of a connection's end is that of its first packet.
    return match_holds({**body, "left": _of_first(left, connection), "right": right}, _sets(table), connection)


def _of_first(left: Mapping[str, Any], connection: Packet) -> dict[str, Any]:
    return {
        ("protocol", None): {"meta": {"key": "l4proto"}},
        ("ip saddr", "original"): {"payload": {"protocol": "ip", "field": "saddr"}},
        ("ip saddr", "reply"): {"payload": {"protocol": "ip", "field": "daddr"}},
        ("ip6 saddr", "original"): {"payload": {"protocol": "ip6", "field": "saddr"}},
        ("ip6 saddr", "reply"): {"payload": {"protocol": "ip6", "field": "daddr"}},
        ("proto-src", "reply"): {"payload": {"protocol": connection.protocol, "field": "dport"}},
    }[left["key"], left.get("dir")]


def _sets(table: _Table) -> dict[str, set[str]]:
    return {name: set(map(str, held)) for name, held in table.sets.items()}
