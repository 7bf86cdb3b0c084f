"""Four ways to judge a packet, sharing nothing with chains/: by the layout's tuples, by a FirewallConfiguration, by an
nft JSON transaction, and by what the kernel lists after loading nft text.

A packet is of IPv4 or IPv6, and has a protocol: one with ports, ICMP (in IPv6 ICMPv6), or another.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any, Literal, TypeAlias

Relations: TypeAlias = Mapping[str, set[tuple[Any, ...]]]
Verdict: TypeAlias = Literal["accept", "drop"]


@dataclass(frozen=True)
class Packet:
    """A packet, as a base chain sees it; ``port`` is the destination's, ``icmp6`` the name of a type of ICMPv6."""

    source: str
    destination: str
    state: str = "new"
    protocol: str = "udp"
    port: int = 0
    icmp6: str = ""

    @property
    def ipv6(self) -> bool:
        return ":" in self.source

    @property
    def number(self) -> str:
        """The protocol as nft names it for this family."""
        return "ipv6-icmp" if self.ipv6 and self.protocol == "icmp" else self.protocol


@cache
def inside(address: str, cidr: str) -> bool:
    return ip_address(address) in ip_network(cidr, strict=True)


# ---- By the tuples of rules/chains.dl ----


def layout_verdict(relations: Relations, packet: Packet) -> Verdict:
    for peering, _, _ in relations["base_chain"]:
        rules = sorted((row[1], row[4]) for row in relations["chain_rule"] if row[0] == peering)
        if next((verdict for at, verdict in rules if _rule_holds(relations, peering, at, packet)), "accept") == "drop":
            return "drop"
    return "accept"


def _rule_holds(relations: Relations, peering: str, at: int, packet: Packet) -> bool:
    states = {row[2] for row in relations["chain_state"] if row[:2] == (peering, at)}
    sides = [row for name in ("any", "cidr", "set") for row in relations[f"chain_{name}"] if row[:2] == (peering, at)]
    types = {row[2] for row in relations.get("chain_icmp6", ()) if row[:2] == (peering, at)}
    ports = [row[2:] for row in relations.get("chain_port", ()) if row[:2] == (peering, at)]
    return (
        (not states or packet.state in states)
        and (not types or packet.icmp6 in types)
        and (not ports or any(_port_holds(port, packet) for port in ports))
        and (
            (bool(states or types) and not sides)
            or (
                _side_holds(relations, peering, at, "source", packet.source)
                and _side_holds(relations, peering, at, "destination", packet.destination)
            )
        )
    )


def _port_holds(port: tuple[Any, ...], packet: Packet) -> bool:
    protocol, first, last = port
    return bool(packet.protocol == protocol and (protocol == "icmp" or first <= packet.port <= last))


def _side_holds(relations: Relations, peering: str, at: int, side: str, address: str) -> bool:
    here = (peering, at, side)
    return (
        here in relations["chain_any"]
        or any(inside(address, row[3]) for row in relations["chain_cidr"] if row[:3] == here)
        or any(
            (peering, row[3], row[4], address) in relations["chain_element"]
            for row in relations["chain_set"]
            if row[:3] == here
        )
    )


# ---- By FirewallConfigurations, with the agent's meaning of every field ----


def configuration_verdict(configurations: Iterable[Mapping[str, Any]], packet: Packet) -> Verdict:
    assert not packet.ipv6, "Liqo's agents leave IPv6 alone"
    for configuration in configurations:
        table = configuration["spec"]["table"]
        sets = {held["name"]: {element["key"] for element in held["elements"]} for held in table["sets"]}
        for chain in table["chains"]:
            decided = chain["policy"]
            for rule in chain["rules"]["filterRules"]:
                if all(_entry_holds(entry, sets, packet) for entry in rule["match"]):
                    decided = rule["action"]
                    break
            if decided == "drop":
                return "drop"
    return "accept"


def _entry_holds(entry: Mapping[str, Any], sets: Mapping[str, set[str]], packet: Packet) -> bool:
    if "ctstate" in entry:
        held = packet.state in entry["ctstate"]["value"]
    elif "proto" in entry:
        first, _, last = entry["port"]["value"].partition("-") if "port" in entry else ("0", "", "65535")
        held = packet.protocol == entry["proto"]["value"] and int(first) <= packet.port <= int(last or first)
    elif "ip" in entry:
        address = {"src": packet.source, "dst": packet.destination}[entry["ip"]["position"]]
        value = entry["ip"]["value"]
        held = address in sets[value[1:]] if value.startswith("@") else _within(address, value)
    else:
        return True
    return held == {"eq": True, "neq": False}[entry["op"]]


def _within(address: str, value: str) -> bool:
    first, dash, last = value.partition("-")
    if dash:
        return int(ip_address(first)) <= int(ip_address(address)) <= int(ip_address(last))
    return inside(address, value)


# ---- By nft JSON: a transaction of ours, or a listing of the kernel ----


def nft_verdict(commands: Iterable[Mapping[str, Any]], packet: Packet) -> Verdict:
    tables: dict[tuple[str, str], dict[str, Any]] = {}
    for command in commands:
        _execute(tables, command)
    for (family, _), table in tables.items():
        if family != ("ip6" if packet.ipv6 else "ip"):
            continue
        for chain in table["chains"].values():
            decided = chain["policy"]
            for expressions in chain["rules"]:
                *matches, verdict = expressions
                if all(match_holds(match["match"], table["sets"], packet) for match in matches):
                    (decided,) = verdict
                    break
            if decided == "drop":
                return "drop"
    return "accept"


def _execute(tables: dict[tuple[str, str], dict[str, Any]], command: Mapping[str, Any]) -> None:
    ((kind, body),) = command.items()
    if kind == "delete":
        del tables[body["table"]["family"], body["table"]["name"]]
        return
    if kind == "add":
        ((kind, body),) = body.items()
    if kind == "metainfo":
        return
    at = body["family"], body["name"] if kind == "table" else body["table"]
    if kind == "table":
        tables.setdefault(at, {"sets": {}, "chains": {}})
    elif kind == "set":
        assert body["type"] == {"ip": "ipv4_addr", "ip6": "ipv6_addr"}[at[0]]
        tables[at]["sets"][body["name"]] = set(body.get("elem", ()))
    elif kind == "element":
        tables[at]["sets"][body["name"]].update(body["elem"])
    elif kind == "chain":
        tables[at]["chains"][body["name"]] = {"policy": body["policy"], "rules": []}
    elif kind == "rule":
        tables[at]["chains"][body["chain"]]["rules"].append(body["expr"])
    else:
        raise AssertionError(f"unknown command {kind}")


def match_holds(match: Mapping[str, Any], sets: Mapping[str, set[str]], packet: Packet) -> bool:
    """Whether a packet meets one match of a rule; ``sets`` are those of its table."""
    ((key, left),) = match["left"].items()
    right = match["right"]
    if key == "ct":
        held = packet.state in right
    elif key == "meta":
        assert left == {"key": "l4proto"}
        held = packet.number == {"icmpv6": "ipv6-icmp"}.get(right, right)
    else:
        assert key == "payload"
        held = _field_holds(left["protocol"], left["field"], right, sets, packet)
    return held == {"==": True, "in": True, "!=": False}[match["op"]]


def _field_holds(protocol: str, field: str, right: Any, sets: Mapping[str, set[str]], packet: Packet) -> bool:
    if field in ("saddr", "daddr"):
        assert protocol == ("ip6" if packet.ipv6 else "ip")
        address = {"saddr": packet.source, "daddr": packet.destination}[field]
        if isinstance(right, str) and right.startswith("@"):
            return address in sets[right[1:]]
        return any(_address_in(address, each) for each in _choice(right))
    if field == "dport":
        ports = [each["range"] if isinstance(each, dict) else (each, each) for each in _choice(right)]
        return packet.protocol == protocol and any(first <= packet.port <= last for first, last in ports)
    assert (protocol, field) == ("icmpv6", "type")
    return packet.icmp6 in _choice(right)


def _choice(right: Any) -> list[Any]:
    """What an expression allows: the elements of an anonymous set, or one value."""
    found: list[Any] = right["set"] if isinstance(right, dict) and "set" in right else [right]
    return found


def _address_in(address: str, value: Any) -> bool:
    if isinstance(value, str):
        return address == value
    if "range" in value:
        first, last = map(ip_address, value["range"])
        return int(first) <= int(ip_address(address)) <= int(last)
    return inside(address, f"{value['prefix']['addr']}/{value['prefix']['len']}")
