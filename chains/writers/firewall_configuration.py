"""Tables as Liqo FirewallConfigurations, which Liqo's fabric agents apply on every node.

The caller checks that the cluster's CRD has the fields, and writes with strict field validation: without ``sets`` and
``ctstate`` in the CRD the API server drops these fields silently, and what is left accepts everything.

Shape: networking.liqo.io/v1beta1 of liqotech/liqo v1.2.0, with ``table.sets`` and ``match.ip.value: "@<set>"`` of its
open pull request 3155 and ``match.ctstate`` of 3144.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, NotRequired, TypedDict, assert_never

import yaml

from liqo_connectivity.chains.batch_size import ELEMENT, batch_bytes
from liqo_connectivity.chains.errors import ChainError
from liqo_connectivity.chains.limits import MAX_BATCH_BYTES
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
from liqo_connectivity.chains.model import Chain, NftRule, Set, Table
from liqo_connectivity.chains.names import port_text, range_text

LABELS: Final[Mapping[str, str]] = {
    # liqotech/liqo pkg/firewall/label.go, pkg/fabric/label.go: every fabric agent, whatever other labels there are
    "networking.liqo.io/firewall-category": "fabric",
    "networking.liqo.io/firewall-subcategory": "all-nodes",
    "app.kubernetes.io/managed-by": "liqo-connectivity-engine",
}
"""The labels of every object. Two objects may have equal labels because their table names differ (Liqo's webhook)."""

STANDIN: Final = "-standin"
"""How the name of a stand-in ends, after that of the object that it stands in for."""
POSITIONS: Final[Mapping[Side, Literal["src", "dst"]]] = {"source": "src", "destination": "dst"}


class Metadata(TypedDict):
    """Name ``<cluster id>-connectivity``, with ``-standin`` for a stand-in, in the tenant namespace of the peering."""

    name: str
    namespace: str
    labels: dict[str, str]


class IpMatch(TypedDict):
    """``value``: a CIDR, an address, a range or ``@<set>``; ``position``: which address of the packet."""

    value: str
    position: Literal["src", "dst"]


class ProtocolMatch(TypedDict):
    """The agent matches no other protocol. It does so whatever the ``op``, which here is always ``eq``."""

    value: Literal["tcp", "udp"]


class PortValue(TypedDict):
    """``value``: a port, or a range ``first-last``. The agent looks at no protocol, so ``proto`` stands beside it."""

    value: str
    position: Literal["dst"]


class StateValue(TypedDict):
    """``value``: any of these conntrack states."""

    value: list[str]


class MatchEntry(TypedDict):
    """One criterion, or a protocol with a port; a rule's entries are all to hold.

    An entry without criterion would match every packet. ``neq`` is only for addresses: with a protocol or a range of ports
    the agent takes it for ``eq``.
    """

    op: Literal["eq", "neq"]
    ip: NotRequired[IpMatch]
    proto: NotRequired[ProtocolMatch]
    port: NotRequired[PortValue]
    ctstate: NotRequired[StateValue]


class FilterRule(TypedDict):
    """``match: []`` matches every packet. ``counter`` stays false: with a counter the agent rewrites the rule forever."""

    name: str
    counter: Literal[False]
    action: Literal["accept", "drop"]
    match: list[MatchEntry]


class RulesSpec(TypedDict):
    """The CRD allows exactly one kind of rules."""

    filterRules: list[FilterRule]


class ChainSpec(TypedDict):
    """A base chain."""

    name: str
    hook: Literal["postrouting"]
    policy: Literal["accept", "drop"]
    priority: int
    type: Literal["filter"]
    rules: RulesSpec


class Element(TypedDict):
    """``key``: one IPv4 address."""

    key: str


class SetSpec(TypedDict):
    """A named set. ``ipv4_addr`` is the only key type that all versions of the pull request apply correctly."""

    name: str
    keyType: Literal["ipv4_addr"]
    elements: list[Element]


class TableSpec(TypedDict):
    """An nftables table; ``name`` is immutable (Liqo's webhook)."""

    name: str
    family: Literal["IPV4"]
    sets: list[SetSpec]
    chains: list[ChainSpec]


class Spec(TypedDict):
    """The spec of a FirewallConfiguration."""

    table: TableSpec


class FirewallConfiguration(TypedDict):
    """A Kubernetes object, ready to be sent."""

    apiVersion: Literal["networking.liqo.io/v1beta1"]
    kind: Literal["FirewallConfiguration"]
    metadata: Metadata
    spec: Spec


@dataclass(frozen=True, slots=True)
class FirewallTemplate:
    """The object of a table without the elements of its sets, and the bytes of the agent's batch for it, so without them."""

    made: FirewallConfiguration
    batch: int


def firewall_object(table: Table) -> FirewallConfiguration:
    """The object of one table that ``assemble`` made.

    Raises ChainError if the agent cannot install it in a batch of MAX_BATCH_BYTES, or does not know one of its matches.
    """
    return fill_template(firewall_template(table), table.sets)


def firewall_template(table: Table) -> FirewallTemplate:
    """The object of a table without the elements of its sets, which may change.

    Raises ChainError for what the agent cannot match.
    """
    if table.family != "ip":
        raise ChainError(f"peering {table.peering}: Liqo's agents match no packets of family {table.family}")
    made: FirewallConfiguration = {
        "apiVersion": "networking.liqo.io/v1beta1",
        "kind": "FirewallConfiguration",
        "metadata": {
            "name": f"{table.peering}-connectivity{STANDIN if table.standin else ''}",
            "namespace": table.namespace,
            "labels": dict(LABELS),
        },
        "spec": {
            "table": {
                "name": table.name,
                "family": "IPV4",
                "sets": [{"name": held.name, "keyType": "ipv4_addr", "elements": []} for held in table.sets],
                "chains": [_chain(chain) for chain in table.chains],
            }
        },
    }
    empty = replace(table, sets=tuple(replace(held, elements=()) for held in table.sets))
    return FirewallTemplate(made, batch_bytes(empty))


def fill_template(template: FirewallTemplate, sets: Iterable[Set]) -> FirewallConfiguration:
    """The object of a template with the elements of its sets, which are given in their order.

    It shares its chains with the template. Raises ChainError if the agent cannot install it in a batch of
    MAX_BATCH_BYTES, and ValueError for other sets.
    """
    table = template.made["spec"]["table"]
    filled = [_filled(empty, held) for empty, held in zip(table["sets"], sets, strict=True)]
    made: FirewallConfiguration = {**template.made, "spec": {"table": {**table, "sets": filled}}}
    batch = template.batch + ELEMENT * sum(len(held["elements"]) for held in filled)
    if batch > MAX_BATCH_BYTES:
        metadata = made["metadata"]
        raise ChainError(
            f"FirewallConfiguration {metadata['namespace']}/{metadata['name']} takes {batch} bytes in one batch of Liqo's "
            f"agent, more than the {MAX_BATCH_BYTES} that fit; use fewer rules, or smaller groups or namespaces"
        )
    return made


def firewall_yaml(tables: Iterable[Table]) -> str:
    """One YAML document for each table, in the order given; no text for no table. Raises as ``firewall_object``."""
    return "".join(
        yaml.dump(firewall_object(table), Dumper=yaml.CSafeDumper, sort_keys=False, explicit_start=True)
        for table in tables
    )


def firewall_json(tables: Iterable[Table]) -> str:
    """A Kubernetes ``List`` of the objects, in the order given, indented. Raises as ``firewall_object``."""
    items = [firewall_object(table) for table in tables]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=2) + "\n"


def _filled(empty: SetSpec, held: Set) -> SetSpec:
    if empty["name"] != held.name:
        raise ValueError(f"set {held.name} is given for {empty['name']}")
    return {**empty, "elements": [{"key": element.text} for element in held.elements]}


def _chain(chain: Chain) -> ChainSpec:
    return {
        "name": chain.name,
        "hook": chain.hook,
        "policy": chain.policy,
        "priority": chain.priority,
        "type": chain.type,
        "rules": {"filterRules": [_rule(rule) for rule in chain.rules]},
    }


def _rule(rule: NftRule) -> FilterRule:
    return {
        "name": rule.name,
        "counter": False,
        "action": rule.verdict,
        "match": [each for match in rule.matches for each in _matches(rule.name, match)],
    }


def _matches(rule: str, match: Match) -> Sequence[MatchEntry]:
    if isinstance(match, OutsideMatch):
        position = POSITIONS[match.side]
        return [{"op": "neq", "ip": {"value": range_text(each), "position": position}} for each in match.ranges]
    return [_match(rule, match)]


def _match(rule: str, match: CidrMatch | SetMatch | StateMatch | PortMatch | Icmp6Match) -> MatchEntry:
    # The agent appends the expressions of an entry in the order proto, ip, port, ctstate (pkg/firewall/utils/match.go).
    match match:
        case StateMatch(states):
            return {"op": "eq", "ctstate": {"value": list(states)}}
        case CidrMatch(side, (cidr,)):
            return {"op": "eq", "ip": {"value": str(cidr), "position": POSITIONS[side]}}
        case SetMatch(side, name):
            return {"op": "eq", "ip": {"value": f"@{name}", "position": POSITIONS[side]}}
        case PortMatch("tcp" | "udp" as protocol, ()):
            return {"op": "eq", "proto": {"value": protocol}}
        case PortMatch("tcp" | "udp" as protocol, (ports,)):
            port: PortValue = {"value": port_text(ports), "position": "dst"}
            return {"op": "eq", "proto": {"value": protocol}, "port": port}
        case CidrMatch() | PortMatch() | Icmp6Match():
            raise ChainError(f"rule {rule}: Liqo's agents cannot match {match}")
        case _:
            assert_never(match)
