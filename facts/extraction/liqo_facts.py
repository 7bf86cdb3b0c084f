"""The facts of Liqo's kinds: one pure function for each kind, from a decoded object to its facts."""

from collections.abc import Iterator
from typing import cast

from liqo_connectivity.facts.base.fact import Fact, Source, pointer
from liqo_connectivity.facts.base.problems import one_line
from liqo_connectivity.facts.extraction.cluster_selectors import extract_cluster_selector
from liqo_connectivity.facts.objects import liqo_objects
from liqo_connectivity.facts.objects.fields import is_label
from liqo_connectivity.facts.objects.liqo_objects import REMOTE_CLUSTER
from liqo_connectivity.rules import relations

_NAME = "/metadata/name"
_DELETED = "/metadata/deletionTimestamp"
_LABEL_CLUSTER = pointer("metadata", "labels", REMOTE_CLUSTER)
_LABEL_NETWORK_TYPE = pointer("metadata", "labels", "ipam.liqo.io/network-type")
_LABEL_CIDR_TYPE = pointer("metadata", "labels", "configuration.liqo.io/cidr-type")
_LABEL_REPLICATION = pointer("metadata", "labels", "liqo.io/replication")
_REQUIRED = "OffloadingRequired"
_MAPPING = ("status", "currentMapping")
_PHASES = frozenset({"", "Accepted", "CreationLoopBackOff", "Terminating"})
"""Those of an entry that Liqo writes (its MappingPhase), and none yet."""
_SHOWN = 63
"""How much of a key that is no namespace a fact repeats: as long as the name of a namespace may be."""


def _identity(kind: str, metadata: liqo_objects.Metadata) -> tuple[str, Source]:
    source = Source(kind, metadata.namespace, metadata.name, metadata.uid, metadata.resource_version)
    return f"{metadata.namespace}/{metadata.name}", source


def extract_network(network: liqo_objects.Network) -> tuple[Fact, ...]:
    """The facts of a Network: existence, labels, the CIDR asked for and the one assigned, and deletion."""
    metadata = network.metadata
    key, source = _identity("Network", metadata)
    facts = [Fact(relations.Network(key, metadata.namespace), source, _NAME, metadata.name)]
    labels = metadata.labels
    if labels is not None:
        if labels.network_type is not None:
            row = relations.NetworkType(key, labels.network_type)
            facts.append(Fact(row, source, _LABEL_NETWORK_TYPE, labels.network_type))
        if labels.remote_cluster_id is not None:
            row_cluster = relations.NetworkCluster(key, labels.remote_cluster_id)
            facts.append(Fact(row_cluster, source, _LABEL_CLUSTER, labels.remote_cluster_id))
        if labels.cidr_type is not None:
            row_type = relations.NetworkCidrType(key, labels.cidr_type)
            facts.append(Fact(row_type, source, _LABEL_CIDR_TYPE, labels.cidr_type))
    if network.spec is not None and network.spec.cidr:
        asked = network.spec.cidr
        facts.append(Fact(relations.NetworkSpecCidr(key, asked), source, "/spec/cidr", asked))
    if network.status is not None and network.status.cidr:
        assigned = network.status.cidr
        facts.append(Fact(relations.NetworkStatusCidr(key, assigned), source, "/status/cidr", assigned))
    if metadata.deletion_timestamp is not None:
        facts.append(Fact(relations.NetworkTerminating(key), source, _DELETED, metadata.deletion_timestamp))
    return tuple(facts)


def extract_configuration(configuration: liqo_objects.Configuration) -> tuple[Fact, ...]:
    """The facts of a Configuration: existence, cluster, and the CIDRs of ``spec.remote`` and ``status.remote``."""
    metadata = configuration.metadata
    key, source = _identity("Configuration", metadata)
    facts = [Fact(relations.Configuration(key, metadata.namespace), source, _NAME, metadata.name)]
    labels = metadata.labels
    if labels is not None and labels.remote_cluster_id is not None:
        row = relations.ConfigurationCluster(key, labels.remote_cluster_id)
        facts.append(Fact(row, source, _LABEL_CLUSTER, labels.remote_cluster_id))
    for path, cidr_type, cidr in _cidrs("/spec/remote/cidr", configuration.spec):
        facts.append(Fact(relations.ConfigurationRemoteCidr(key, cidr_type, cidr), source, path, cidr))
    for path, cidr_type, cidr in _cidrs("/status/remote/cidr", configuration.status):
        facts.append(Fact(relations.ConfigurationUsedCidr(key, cidr_type, cidr), source, path, cidr))
    return tuple(facts)


def _cidrs(path: str, part: liqo_objects.ConfigurationSpec | None) -> Iterator[tuple[str, str, str]]:
    """The pointer, type and text of each CIDR of the remote cluster."""
    cidrs = part.remote.cidr if part is not None and part.remote is not None else None
    for cidr_type, value in (("pod", cidrs.pod), ("external", cidrs.external)) if cidrs is not None else ():
        if isinstance(value, str):
            yield f"{path}/{cidr_type}", cidr_type, value
        elif value is not None:
            yield from ((f"{path}/{cidr_type}/{index}", cidr_type, cidr) for index, cidr in enumerate(value))


def extract_namespace_offloading(offloading: liqo_objects.NamespaceOffloading) -> tuple[Fact, ...]:
    """The facts of a NamespaceOffloading: its strategy (Liqo's default when none is written), the terms of its selector,
    deletion, and for each NamespaceMap whether Liqo says that it offloads the namespace through it.
    """
    metadata = offloading.metadata
    namespace = metadata.namespace
    _, source = _identity("NamespaceOffloading", metadata)
    written = offloading.spec.strategy if offloading.spec is not None else None
    if written is not None:
        row = relations.NamespaceOffloading(namespace, written)
        facts = [Fact(row, source, "/spec/podOffloadingStrategy", written)]
    else:
        row = relations.NamespaceOffloading(namespace, liqo_objects.DEFAULT_STRATEGY)
        facts = [Fact(row, source, _NAME, metadata.name)]
    selector = offloading.spec.cluster_selector if offloading.spec is not None else None
    if selector is not None and selector.terms:
        facts += extract_cluster_selector(namespace, selector.terms, source)
    if metadata.deletion_timestamp is not None:
        row_deleted = relations.NamespaceOffloadingTerminating(namespace)
        facts.append(Fact(row_deleted, source, _DELETED, metadata.deletion_timestamp))
    conditions = offloading.status.conditions if offloading.status is not None else None
    for name, listed in sorted((conditions or {}).items()):
        for index, condition in enumerate(listed):
            if condition.type == _REQUIRED and condition.status:
                row_required = relations.NamespaceOffloadingRequired(namespace, name, condition.status)
                path = pointer("status", "remoteNamespacesConditions", name, index, "status")
                facts.append(Fact(row_required, source, path, condition.status))
    return tuple(facts)


def extract_namespace_map(namespace_map: liqo_objects.NamespaceMap) -> tuple[Fact, ...]:
    """The facts of a NamespaceMap: existence, cluster, direction, and the entries of its status, sorted by namespace.

    A remote namespace or phase that is not written yet is the empty text. The remote cluster may write anything into the
    status, so an entry that is not one of Liqo's is a fact too, and the others are read.
    """
    metadata = namespace_map.metadata
    key, source = _identity("NamespaceMap", metadata)
    facts = [Fact(relations.NamespaceMap(key, metadata.namespace), source, _NAME, metadata.name)]
    labels = metadata.labels
    if labels is not None and labels.remote_cluster_id is not None:
        row = relations.NamespaceMapCluster(key, labels.remote_cluster_id)
        facts.append(Fact(row, source, _LABEL_CLUSTER, labels.remote_cluster_id))
    if labels is not None and labels.replication == "true":
        facts.append(Fact(relations.NamespaceMapOurs(key), source, _LABEL_REPLICATION, "true"))
    mapping = namespace_map.status.current_mapping if namespace_map.status is not None else None
    if isinstance(mapping, dict):
        entries = cast("dict[str, object]", mapping)
        facts += [_map_entry(key, source, origin, entries[origin]) for origin in sorted(entries)]
    elif mapping is not None:
        facts.append(Fact(relations.NamespaceMapBadEntry(key, ""), source, pointer(*_MAPPING), True))
    return tuple(facts)


def _map_entry(key: str, source: Source, origin: str, value: object) -> Fact:
    remote, phase = _text_at(value, "remoteNamespace"), _text_at(value, "phase")
    if (
        is_label(origin)
        and remote is not None
        and (not remote or is_label(remote))
        and phase is not None
        and phase in _PHASES
    ):
        row = relations.NamespaceMapEntry(key, origin, remote, phase)
        if remote:
            return Fact(row, source, pointer(*_MAPPING, origin, "remoteNamespace"), remote)
        return Fact(row, source, pointer(*_MAPPING, origin), True)
    row_bad = relations.NamespaceMapBadEntry(key, one_line(origin)[:_SHOWN])
    return Fact(row_bad, source, pointer(*_MAPPING), True)


def _text_at(value: object, field: str) -> str | None:
    """The text of a field, empty if there is none; None for what is no text, or not in an object."""
    found = cast("dict[str, object]", value).get(field, "") if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


def extract_virtual_node(node: liqo_objects.VirtualNode) -> tuple[Fact, ...]:
    """The facts of a VirtualNode: which cluster its Node stands for, and the labels that it gives that Node."""
    key, source = _identity("VirtualNode", node.metadata)
    cluster = node.spec.cluster_id
    row = relations.VirtualNode(key, node.metadata.namespace, node.metadata.name, cluster)
    facts = [Fact(row, source, "/spec/clusterID", cluster)]
    for label, value in sorted((node.spec.labels or {}).items()):
        shown = one_line(label), one_line(value)
        row_label = relations.VirtualNodeLabel(key, *shown)
        facts.append(Fact(row_label, source, pointer("spec", "labels", shown[0]), shown[1]))
    return tuple(facts)


def extract_foreign_cluster(foreign: liqo_objects.ForeignCluster) -> tuple[Fact, ...]:
    """The facts of a ForeignCluster: existence, role and local tenant namespace, under its cluster id."""
    metadata = foreign.metadata
    source = Source("ForeignCluster", "", metadata.name, metadata.uid, metadata.resource_version)
    cluster = foreign.spec.cluster_id
    facts = [Fact(relations.ForeignCluster(cluster), source, "/spec/clusterID", cluster)]
    status = foreign.status
    if status is not None:
        if status.role:
            facts.append(Fact(relations.ForeignClusterRole(cluster, status.role), source, "/status/role", status.role))
        tenant = status.tenant_namespace.local if status.tenant_namespace is not None else None
        if tenant:
            row = relations.ForeignClusterTenant(cluster, tenant)
            facts.append(Fact(row, source, "/status/tenantNamespace/local", tenant))
    return tuple(facts)
