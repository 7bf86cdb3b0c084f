"""Four ways to judge a packet, sharing nothing with chains/: by the layout's tuples, by a FirewallConfiguration, by an
nft JSON transaction, and by what the kernel lists after loading nft text.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any, Literal, TypeAlias

Relations: TypeAlias = Mapping[str, set[tuple[Any, ...]]]
Verdict: TypeAlias = Literal["accept", "drop"]


@dataclass(frozen=True)
class Packet:
    """A packet, as a base chain sees it."""

    source: str
    destination: str
    state: str = "new"


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
    return (not states or packet.state in states) and (
        (bool(states) and not sides)
        or (
            _side_holds(relations, peering, at, "source", packet.source)
            and _side_holds(relations, peering, at, "destination", packet.destination)
        )
    )


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
    elif "ip" in entry:
        address = {"src": packet.source, "dst": packet.destination}[entry["ip"]["position"]]
        value = entry["ip"]["value"]
        held = address in sets[value[1:]] if value.startswith("@") else inside(address, value)
    else:
        return True
    return held == {"eq": True, "neq": False}[entry["op"]]


# ---- By nft JSON: a transaction of ours, or a listing of the kernel ----


def nft_verdict(commands: Iterable[Mapping[str, Any]], packet: Packet) -> Verdict:
    tables: dict[str, dict[str, Any]] = {}
    for command in commands:
        _execute(tables, command)
    for table in tables.values():
        for chain in table["chains"].values():
            decided = chain["policy"]
            for expressions in chain["rules"]:
                *matches, verdict = expressions
                if all(_match_holds(match["match"], table["sets"], packet) for match in matches):
                    (decided,) = verdict
                    break
            if decided == "drop":
                return "drop"
    return "accept"


def _execute(tables: dict[str, dict[str, Any]], command: Mapping[str, Any]) -> None:
    ((kind, body),) = command.items()
    if kind == "delete":
        del tables[body["table"]["name"]]
        return
    if kind == "add":
        ((kind, body),) = body.items()
    if kind == "table":
        tables.setdefault(body["name"], {"sets": {}, "chains": {}})
    elif kind == "set":
        tables[body["table"]]["sets"][body["name"]] = set(body.get("elem", ()))
    elif kind == "element":
        tables[body["table"]]["sets"][body["name"]].update(body["elem"])
    elif kind == "chain":
        tables[body["table"]]["chains"][body["name"]] = {"policy": body["policy"], "rules": []}
    elif kind == "rule":
        tables[body["table"]]["chains"][body["chain"]]["rules"].append(body["expr"])
    elif kind != "metainfo":
        raise AssertionError(f"unknown command {kind}")


def _match_holds(match: Mapping[str, Any], sets: Mapping[str, set[str]], packet: Packet) -> bool:
    right = match["right"]
    if "ct" in match["left"]:
        held = packet.state in right
    else:
        address = {"saddr": packet.source, "daddr": packet.destination}[match["left"]["payload"]["field"]]
        if isinstance(right, dict):
            held = inside(address, f"{right['prefix']['addr']}/{right['prefix']['len']}")
        else:
            held = address in sets[right[1:]] if right.startswith("@") else address == right
    return held == {"==": True, "in": True, "!=": False}[match["op"]]
