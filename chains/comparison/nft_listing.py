"""Our tables in what ``nft -j list ruleset`` prints (libnftables-json(5)), from nft 1.0.2 on.

nft shows expressions, not what was written: it leaves out what another match implies, prints an address with all its bits
as an address, and sorts and joins what is in anonymous sets. What is not understood stays as text and equals nothing.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Final, cast

from liqo_connectivity.chains.comparison.json_values import Fields, fields, items, unknown
from liqo_connectivity.chains.comparison.views import (
    PREFIXES,
    ChainView,
    Matches,
    RuleView,
    TableView,
    addresses_text,
    base_text,
    connection_text,
    counter_text,
    outside_text,
    port_set_text,
    ports_text,
    protocol_text,
    set_text,
    state_text,
    types_text,
)
from liqo_connectivity.chains.errors import ChainError
from liqo_connectivity.chains.limits import MAX_PORT
from liqo_connectivity.chains.matches import Side
from liqo_connectivity.chains.names import port_text
from liqo_connectivity.chains.values import AddressRange, ends_of

_SIDES: Final[Mapping[object, Side]] = {"saddr": "source", "daddr": "destination"}
_DIRECTIONS: Final[Mapping[object, Side]] = {"original": "source", "reply": "destination"}
_NUMBERS: Final[Mapping[object, str]] = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp"}
"""IANA protocol numbers, which ``nft -n`` prints."""
_PRIORITIES: Final = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
"""Priorities that have names in family ip (nft(8))."""
_UNDERSTOOD: Final = frozenset({"metainfo", "table", "chain", "rule", "set"})
"""The kinds of entries that are read. Of any other, such as a map, no table of ours has one."""
_UNSEEN: Final = ("counter", "comment")
"""Expressions that change no verdict."""


def view_listing(text: str, prefixes: str | tuple[str, ...] = PREFIXES) -> dict[tuple[str, str], TableView]:
    """The tables of a listing whose names begin with one of some prefixes of ours, by family and name.

    Raises ChainError for a text that is no such listing.
    """
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError):
        raise ChainError("is not JSON; write it with: nft -j list ruleset") from None
    entries = fields(parsed).get("nftables")
    if not isinstance(entries, list):
        raise ChainError("has no list named nftables; write it with: nft -j list ruleset")
    found: defaultdict[str, list[Fields]] = defaultdict(list)
    for entry in cast("list[object]", entries):
        for kind, value in fields(entry).items():
            found[kind].append(fields(value))
    if not found["metainfo"]:
        raise ChainError("is not whole: it lacks the line about nft's version; write it with: nft -j list ruleset")
    tables = [(str(table.get("family")), str(table.get("name"))) for table in found["table"]]
    return {key: _table(key, found) for key in tables if key[1].startswith(prefixes)}


def _table(key: tuple[str, str], found: Mapping[str, list[Fields]]) -> TableView:
    def held(kind: str) -> list[Fields]:
        return [each for each in found.get(kind, ()) if (each.get("family"), each.get("table")) == key]

    rules: defaultdict[object, list[RuleView]] = defaultdict(list)
    for rule in held("rule"):
        rules[rule.get("chain")].append(_rule(rule))
    chains = {str(each.get("name")): ChainView(_base(each), tuple(rules[each.get("name")])) for each in held("chain")}
    sets = {str(each.get("name")): frozenset(map(_element, items(each.get("elem")))) for each in held("set")}
    (table, *_) = (each for each in found["table"] if (each.get("family"), each.get("name")) == key)
    # Which flags, nft 1.0.6 does not print right.
    others = {"flags, such as that of a dormant table, which filters nothing"} if "flags" in table else set[str]()
    for kind in found.keys() - _UNDERSTOOD:
        others.update(_other(kind, each.get("name")) for each in held(kind))
    return TableView(*key, chains, sets, frozenset(others))


def _other(kind: str, name: object) -> str:
    return counter_text(name) if kind == "counter" else f"a {kind} named {name}"


def _base(chain: Fields) -> str:
    priority = chain.get("prio")
    if isinstance(priority, str):
        name, _, offset = priority.replace(" ", "").partition("+" if "+" in priority else "-")
        if name in _PRIORITIES and (offset.isdigit() or not offset):
            priority = _PRIORITIES[name] + int(offset or 0) * (1 if "+" in priority else -1)
    return base_text(chain.get("type"), chain.get("hook"), priority, chain.get("policy"))


def _element(element: object) -> str:
    """An element as text, an address or ports; a timeout or a counter with it is left out."""
    inner = fields(element).get("elem")
    value = fields(inner).get("val", inner) if inner is not None else element
    ports = _ports(value)
    return value if isinstance(value, str) else port_text(ports) if ports else unknown(value)


def _rule(rule: Fields) -> RuleView:
    found: set[str] = set()
    ports = (0, MAX_PORT)
    verdict = "continue"
    for expression in items(rule.get("expr")):
        entries = fields(expression)
        kind, value = next(iter(entries.items())) if len(entries) == 1 else ("several", None)
        match = fields(value if kind == "match" else None)
        left, operator, right = match.get("left"), match.get("op"), match.get("right")
        if operator in (">=", "<=") and isinstance(right, int) and _is_port(left):
            # One range may be shown as its two ends.
            ports = (max(ports[0], right), ports[1]) if operator == ">=" else (ports[0], min(ports[1], right))
            found |= _implied(left)
        elif operator in ("==", "in"):
            found |= _match(fields(left), right)
        elif operator == "!=" and (outside := _outside(fields(left), right)):
            found.add(outside)
        elif kind in ("accept", "drop") and verdict == "continue":
            verdict = kind
        elif kind == "goto" and verdict == "continue":
            verdict = f"goto {fields(value).get('target')}"
        elif kind not in _UNSEEN:
            found.add(unknown(expression))
    if ports != (0, MAX_PORT):
        found.add(ports_text([ports]))
    return RuleView(str(rule.get("comment", "")), frozenset(found), verdict)


def _match(left: Fields, right: object) -> Matches:
    """The texts of a match for equality, or membership; right is a value, or several."""
    values = _values(right)
    match left:
        case {"ct": {"key": "state"}} if all(isinstance(value, str) for value in values):
            return frozenset({state_text(map(str, values))})
        case {"meta": {"key": "l4proto"}} if len(values) == 1:
            return frozenset({protocol_text(_NUMBERS.get(values[0], str(values[0])))})
        case {"payload": {"protocol": "ip" | "ip6", "field": "saddr" | "daddr"}}:
            found = _ends(_SIDES[fields(left["payload"])["field"]], right)
            if found is not None:
                return frozenset({found})
        case {"ct": {"key": "ip saddr" | "ip6 saddr", "dir": "original" | "reply"}}:
            found = _ends(_DIRECTIONS[fields(left["ct"])["dir"]], right)
            if found is not None:
                return frozenset({connection_text(found)})
        case {"ct": {"key": "protocol"}} if len(values) == 1:
            return frozenset({connection_text(protocol_text(_NUMBERS.get(values[0], str(values[0]))))})
        case {"ct": {"key": "proto-src", "dir": "reply"}}:
            found = _connection_ports(right)
            if found is not None:
                return frozenset({connection_text(found)})
        case {"payload": {"protocol": "icmpv6", "field": "type"}} if all(isinstance(value, str) for value in values):
            return frozenset({protocol_text("icmpv6"), types_text(map(str, values))})
        case _ if _is_port(left):
            ports = [_ports(value) for value in values]
            if all(ports):
                return _implied(left) | {ports_text(port for port in ports if port)}
        case _:
            pass
    return frozenset({unknown({"left": left, "right": right})})


def _ends(side: Side, right: object) -> str | None:
    """The text of a match of addresses, if it is understood."""
    if isinstance(right, str) and right.startswith("@"):
        return set_text(side, right[1:])
    ranges = [_addresses(value) for value in _values(right)]
    return addresses_text(side, (each for each in ranges if each)) if all(ranges) else None


def _connection_ports(right: object) -> str | None:
    """The text of a match of the port of a connection, if it is understood."""
    if isinstance(right, str) and right.startswith("@"):
        return port_set_text(right[1:])
    ports = _ports(right)
    return ports_text([ports]) if ports else None


def _outside(left: Fields, right: object) -> str | None:
    """The text of a match of the addresses outside a range, if it is one."""
    match left:
        case {"payload": {"protocol": "ip" | "ip6", "field": "saddr" | "daddr"}}:
            ends = _addresses(right)
            return outside_text(_SIDES[fields(left["payload"])["field"]], ends) if ends else None
        case _:
            return None


def _is_port(left: object) -> bool:
    payload = fields(fields(left).get("payload"))
    return payload.get("protocol") in ("tcp", "udp", "sctp", "th") and payload.get("field") == "dport"


def _implied(left: object) -> Matches:
    """The protocol that a match of a port implies: nft leaves out that match."""
    protocol = fields(fields(left).get("payload")).get("protocol")
    return frozenset() if protocol == "th" else frozenset({protocol_text(str(protocol))})


def _addresses(value: object) -> AddressRange | None:
    try:
        match value:
            case str():
                return ends_of(ip_network(value))
            case {"prefix": {"addr": str(address), "len": int(length)}}:
                return ends_of(ip_network(f"{address}/{length}"))
            case {"range": [str(first), str(last)]}:
                ends = ip_address(first), ip_address(last)
                return ends if ends[0].version == ends[1].version else None
            case _:
                return None
    except ValueError:
        return None


def _ports(value: object) -> tuple[int, int] | None:
    match value:
        case int():
            return value, value
        case {"range": [int(first), int(last)]}:
            return first, last
        case _:
            return None


def _values(right: object) -> list[object]:
    if isinstance(right, list):
        return cast("list[object]", right)
    several = fields(right).get("set")
    return items(several) if several is not None else [right]
