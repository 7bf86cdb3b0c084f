"""The table of a FirewallConfiguration as it is stored, by any writer.

The API server drops fields that its definition lacks, other writers use any field: what is not understood stays as text
and equals nothing that is rendered.
"""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Final

from liqo_connectivity.chains.comparison.json_values import Fields, fields, items, unknown
from liqo_connectivity.chains.comparison.views import (
    ChainView,
    Matches,
    RuleView,
    TableView,
    addresses_text,
    base_text,
    outside_text,
    ports_text,
    protocol_text,
    set_text,
    state_text,
)
from liqo_connectivity.chains.matches import Side
from liqo_connectivity.chains.values import AddressRange, ends_of
from liqo_connectivity.chains.writers.firewall_configuration import POSITIONS

_FAMILIES: Final = {"IPV4": "ip", "IPV6": "ip6"}
_SIDES: Final[Mapping[object, Side]] = {position: side for side, position in POSITIONS.items()}
_CRITERIA: Final = ("ip", "proto", "port", "ctstate", "dev")


def view_spec(spec: object) -> TableView:
    """View the table of a spec; one that is not understood at all has no chain and no set."""
    table = fields(fields(spec).get("table"))
    family = str(table.get("family"))
    chains: dict[str, ChainView] = {}
    for chain in map(fields, items(table.get("chains"))):
        rules = fields(chain.get("rules"))
        views = [_rule(fields(rule)) for rule in items(rules.get("filterRules"))]
        views += [
            RuleView("", frozenset({unknown(rules[kind])}), kind) for kind in sorted(rules) if kind != "filterRules"
        ]
        base = base_text(chain.get("type"), chain.get("hook"), chain.get("priority"), chain.get("policy"))
        chains[str(chain.get("name"))] = ChainView(base, tuple(views))
    sets = {str(held.get("name")): _elements(held) for held in map(fields, items(table.get("sets")))}
    return TableView(_FAMILIES.get(family, family), str(table.get("name")), chains, sets)


def _elements(held: Fields) -> frozenset[str]:
    elements = {str(fields(element).get("key")) for element in items(held.get("elements"))}
    return frozenset(elements if held.get("keyType") == "ipv4_addr" else {f"unknown {held.get('keyType')}", *elements})


def _rule(rule: Fields) -> RuleView:
    found: set[str] = set()
    for entry in map(fields, items(rule.get("match"))):
        found |= _entry(entry)
    return RuleView(str(rule.get("name", "")), frozenset(found), str(rule.get("action")))


def _entry(entry: Fields) -> Matches:
    """The texts of one entry of a match. One without a criterion matches every packet, as Liqo's agent takes it."""
    if entry.get("op") == "neq" and {*entry} == {"op", "ip"}:
        return frozenset({_outside(fields(entry["ip"])) or unknown(entry)})
    if entry.get("op") != "eq" or not {*entry} <= {"op", *_CRITERIA} or "dev" in entry:
        return frozenset({unknown(entry)})
    texts = [
        _address(fields(entry.get("ip"))) if "ip" in entry else "",
        protocol_text(str(fields(entry.get("proto")).get("value"))) if "proto" in entry else "",
        _port(fields(entry.get("port"))) if "port" in entry else "",
        state_text(map(str, items(fields(entry.get("ctstate")).get("value")))) if "ctstate" in entry else "",
    ]
    return frozenset(
        {text for text in texts if text is not None and text} | ({unknown(entry)} if None in texts else set())
    )


def _address(match: Fields) -> str | None:
    value, side = match.get("value"), _SIDES.get(match.get("position"))
    if not isinstance(value, str) or side is None:
        return None
    if value.startswith("@"):
        return set_text(side, value[1:])
    ends = _ends(value)
    return addresses_text(side, [ends]) if ends else None


def _outside(match: Fields) -> str | None:
    value, side = match.get("value"), _SIDES.get(match.get("position"))
    ends = _ends(value) if isinstance(value, str) else None
    return outside_text(side, ends) if ends and side is not None else None


def _ends(value: str) -> AddressRange | None:
    """The first and the last address of a CIDR, an address or a range ``first-last``."""
    first, dash, last = value.partition("-")
    try:
        ends = (ip_address(first), ip_address(last)) if dash else ends_of(ip_network(value))
    except ValueError:
        return None
    return ends if ends[0].version == ends[1].version and int(ends[0]) <= int(ends[1]) else None


def _port(match: Fields) -> str | None:
    first, _, last = str(match.get("value")).partition("-")
    if match.get("position") != "dst" or not (first.isdecimal() and (last or first).isdecimal()):
        return None
    return ports_text([(int(first), int(last or first))])
