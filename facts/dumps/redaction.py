"""A fact base with numbered pseudonyms for names, so that its dump can be shown to others.

Rules derive the same from it: equal names stay equal and keep their order.

Kept are addresses, CIDRs, times, numbers, kinds, field paths, the keywords of Kubernetes and Liqo, and the groups that
policies name, because only the rules say which groups exist. Left out are uids, resource versions, and the texts of
problems, which may quote names.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Final

from liqo_connectivity.facts.base.fact import Fact, Row, Source, make_row, pointer, segments
from liqo_connectivity.facts.base.fact_base import FactBase
from liqo_connectivity.facts.dumps.dump import FACTS_FILE
from liqo_connectivity.facts.extraction.controller_facts import CONTROLLER, FIREWALL_CONFIGURATION
from liqo_connectivity.facts.extraction.input_facts import FILES, INPUT
from liqo_connectivity.facts.extraction.kinds import KIND_BY_NAME
from liqo_connectivity.facts.objects.core_objects import FIREWALL_CRD
from liqo_connectivity.facts.objects.liqo_objects import REMOTE_CLUSTER
from liqo_connectivity.facts.objects.service_objects import DNS_NAMESPACE
from liqo_connectivity.rules import relations
from liqo_connectivity.rules.relations import (
    RELATION_NAMES,
    NamespaceOffloadingValue,
    NodeLabel,
    Unreadable,
    VirtualNodeLabel,
)

REDACTED: Final = "redacted"
"""The replacement of a value that is neither kept nor in the row."""

_NAMESPACE: Final = "namespace"
# The type of the name in a column; of those in _NAMESPACED, a column holds namespace/name.
_COLUMN_TYPES: Final[Mapping[str, str]] = {
    "pod": "pod",
    "namespace": _NAMESPACE,
    "origin": _NAMESPACE,
    "remote": _NAMESPACE,
    "tenant": _NAMESPACE,
    "node": "node",
    "virtual_node": "node",
    "cluster": "cluster",
    "network": "network",
    "map": "namespace-map",
    "entry": "map-entry",
    "status": "status",
    "configuration": "configuration",
    "policy": "policy",
    "firewall": "firewall-configuration",
    "service": "service",
    "slice": "endpoint-slice",
    "host": "host",
    "phase": "phase",
    "strategy": "strategy",
    "role": "role",
    "type": "type",
    "action": "action",
    "cidr": "cidr",
    "kind": "kind",
    "problem": "problem",
    "key": "label-key",
    "value": "label-value",
    "selector": "selector",
    "requirement": "requirement",
    "operator": "operator",
    "protocol": "protocol",
}
# Of a column that means another thing in each relation.
_NAME_TYPES: Final[Mapping[type[Row], str]] = {
    relations.PolicyRuleName: "rule",
    relations.ServicePort: "port",
    relations.EndpointSlicePort: "port",
}
_NAMESPACED: Final = frozenset(
    {
        "pod",
        "node",
        "network",
        "namespace-map",
        "configuration",
        "policy",
        "firewall-configuration",
        "service",
        "endpoint-slice",
    }
)
_KIND_TYPES: Final[Mapping[str, str]] = {
    "Pod": "pod",
    "Namespace": _NAMESPACE,
    "Node": "node",
    "VirtualNode": "node",
    "ForeignCluster": "cluster",
    "Network": "network",
    "Configuration": "configuration",
    "NamespaceMap": "namespace-map",
    "PeeringConnectivity": "policy",
    "NamespaceOffloading": "namespace-offloading",
    "Service": "service",
    "EndpointSlice": "endpoint-slice",
    FIREWALL_CONFIGURATION: "firewall-configuration",
}
_KEPT_LABELS: Final = (
    REMOTE_CLUSTER,
    "liqo.io/type",
    "liqo.io/tenant-namespace",
    "liqo.io/storage-available",
    "liqo.io/shadowPod",
    "liqo.io/replication",
    "offloading.liqo.io/origin",
    "ipam.liqo.io/network-type",
    "configuration.liqo.io/cidr-type",
)
"""Keys of labels that rules or facts are about."""
_FILE: Final = "file"
_PROTOCOLS: Final = ("TCP", "UDP", "SCTP", "ICMP")
_NODE_NAME: Final = "metadata.name"
"""The one field of a node that selectors know."""
_KEPT: Final[Mapping[str, frozenset[str]]] = {
    "phase": frozenset(
        {"Pending", "Running", "Succeeded", "Failed", "Unknown", "Accepted", "CreationLoopBackOff", "Terminating"}
    ),
    "strategy": frozenset({"Local", "Remote", "LocalAndRemote"}),
    "role": frozenset({"Provider", "Consumer", "ConsumerAndProvider", "Unknown"}),
    "type": frozenset({"pod", "external", "pod-cidr", "service-cidr", "external-cidr", "internal-cidr", "reserved"}),
    "action": frozenset({"allow", "deny"}),
    "operator": frozenset({"In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"}),
    "protocol": frozenset({*_PROTOCOLS, *map(str.lower, _PROTOCOLS)}),
    "status": frozenset({"True", "False", "Unknown"}),
    "kind": frozenset({*KIND_BY_NAME, FACTS_FILE, CONTROLLER, FIREWALL_CONFIGURATION, INPUT}),
    "namespace-offloading": frozenset({"offloading"}),
    "label-key": frozenset({*_KEPT_LABELS, _NODE_NAME}),
    _FILE: frozenset({FIREWALL_CRD, FILES}),
    # Rules know it, and every cluster has it.
    _NAMESPACE: frozenset({DNS_NAMESPACE}),
}
_CIDR = re.compile(r"[0-9A-Fa-f.:]{1,45}(?:/[0-9]{1,3})?")
_CONSTANT: Final = frozenset({"pod_shadow", "namespace_tenant", "node_virtual", "namespace_map_ours", "kind_absent"})
_MAPPING: Final = ("status", "currentMapping")
_CONDITIONS: Final = ("status", "remoteNamespacesConditions")
_LABELS: Final = ("labels", "matchLabels")

Named = tuple[str, str]
"""The type of a name and the name."""


def redact(base: FactBase) -> FactBase:
    """A new base with the same facts under pseudonyms, such as ``namespace-2/pod-07``.

    Names of each type are numbered in their order, with numbers of one width, so pseudonyms sort as the names did,
    ``namespace/name`` symbols too. A number does not allow guessing a name.
    """
    names = set(chain.from_iterable(_names(fact) for fact in base.facts()))
    pseudonyms = _Pseudonyms(names)
    redacted = FactBase()
    for key in base.keys():  # noqa: SIM118 - a base is no mapping
        facts = tuple(pseudonyms.fact(fact) for fact in base.facts_of(key))
        redacted.replace(facts[0].source.key, facts)
    return redacted


def _typed(fact: Fact) -> list[str | None]:
    """The type of the name in each column of a fact, or None where the column is kept."""
    row_class = type(fact.row)
    named = {**_COLUMN_TYPES, "name": _NAME_TYPES.get(row_class)}
    types = [named.get(column) for column in _FIELDS[RELATION_NAMES[row_class]]]
    if isinstance(fact.row, Unreadable):
        types[2] = _KIND_TYPES.get(fact.row.kind, _FILE)
    if isinstance(fact.row, NamespaceOffloadingValue | NodeLabel | VirtualNodeLabel):
        types[-1] = {REMOTE_CLUSTER: "cluster", _NODE_NAME: "node"}.get(fact.row.key, "label-value")
    return types


_FIELDS: Final = {relation: tuple(row.__annotations__) for row, relation in RELATION_NAMES.items()}


def _split(name_type: str | None, text: str | int) -> list[Named]:
    """The names in a column."""
    if name_type is None or not isinstance(text, str):
        return []
    if name_type in _NAMESPACED and text.count("/") == 1:
        namespace, name = text.split("/")
        return [(_NAMESPACE, namespace), (name_type, name)]
    return [(name_type, text)]


def _columns(fact: Fact) -> Iterable[tuple[str | None, str | int]]:
    types = _typed(fact)
    if isinstance(fact.row, Unreadable):
        # Its name stands alone: the namespace is another column.
        return [*zip(types[:2], fact.row[:2], strict=True), (None, ""), (types[3], fact.row[3])]
    return zip(types, fact.row, strict=True)


def _names(fact: Fact) -> list[Named]:
    source = fact.source
    name_type = _name_type(source)
    names = [("kind", source.kind), (_NAMESPACE, source.namespace), (name_type, source.name)]
    for column_type, text in _columns(fact):
        names += _split(column_type, text)
    if isinstance(fact.row, Unreadable):
        names.append((_KIND_TYPES.get(fact.row.kind, _FILE), fact.row.name))
    return names


def _name_type(source: Source) -> str:
    # The source of an object without a name is named by its place, file:line; names of objects have no colon.
    named = source.kind in _KIND_TYPES and ":" not in source.name
    return _KIND_TYPES[source.kind] if named else _FILE


def _keeps(name_type: str, name: str) -> bool:
    if name_type == "cidr":
        return _CIDR.fullmatch(name) is not None
    if name_type == "label-value":
        # Selectors compare integers.
        return name.isdecimal()
    return not name or name in _KEPT.get(name_type, ())


class _Pseudonyms:
    def __init__(self, names: set[Named]) -> None:
        by_type: dict[str, list[str]] = {}
        for name_type, name in names:
            if not _keeps(name_type, name):
                by_type.setdefault(name_type, []).append(name)
        self._names: dict[Named, str] = {}
        for name_type, found in by_type.items():
            # With the slash, so that "a/z" and "a-b/c" keep their order, in which the dash is before the slash.
            found.sort(key=lambda name: name + "/")
            width = len(str(len(found)))
            for number, name in enumerate(found, start=1):
                self._names[name_type, name] = f"{name_type}-{number:0{width}d}"

    def fact(self, fact: Fact) -> Fact:
        source = fact.source
        row = self._row(fact)
        redacted = Source(
            self._name("kind", source.kind),
            self._name(_NAMESPACE, source.namespace),
            self._name(_name_type(source), source.name),
            "",
            "",
        )
        if isinstance(fact.row, Unreadable):
            return Fact(row, redacted, "", REDACTED)
        return Fact(row, redacted, self._field(fact.field), self._value(fact, row, redacted))

    def _name(self, name_type: str, name: str) -> str:
        return self._names.get((name_type, name), name)

    def _column(self, name_type: str | None, text: str | int) -> str | int:
        names = _split(name_type, text)
        return "/".join(self._name(*name) for name in names) if names else text

    def _row(self, fact: Fact) -> Row:
        if isinstance(fact.row, Unreadable):
            kind, namespace, name, problem = fact.row
            return Unreadable(
                self._name("kind", kind),
                self._name(_NAMESPACE, namespace),
                self._name(_KIND_TYPES.get(kind, _FILE), name),
                self._name("problem", problem),
            )
        return make_row(type(fact.row), (self._column(name_type, text) for name_type, text in _columns(fact)))

    def _field(self, field: str) -> str:
        path = segments(field)
        if path[:2] == _MAPPING and len(path) > 2:
            return pointer(*_MAPPING, self._name(_NAMESPACE, path[2]), *path[3:])
        if path[:2] == _CONDITIONS and len(path) > 2:
            return pointer(*_CONDITIONS, self._name("cluster", path[2]), *path[3:])
        if len(path) > 1 and path[-2] in _LABELS:
            return pointer(*path[:-1], self._name("label-key", path[-1]))
        return field

    def _value(self, fact: Fact, row: Row, source: Source) -> str | int | bool:
        value = fact.value
        if isinstance(value, bool | int) or fact.relation in _CONSTANT or fact.field.endswith("Timestamp"):
            return value
        if fact.field == "/metadata/name":
            return source.name
        if fact.field == "/metadata/namespace":
            return source.namespace
        if fact.relation == "pod_ip" and source.kind == "Pod":
            return value
        return dict(zip(map(str, fact.row), map(str, row), strict=True)).get(value, REDACTED)
