"""The facts of Kubernetes' own kinds: one pure function for each kind, from a decoded object to its facts."""

from sys import intern
from typing import Final, cast

from pydantic_core import from_json

from liqo_connectivity.facts.base.fact import Fact, Source, pointer
from liqo_connectivity.facts.base.problems import one_line
from liqo_connectivity.facts.objects import core_objects, liqo_objects
from liqo_connectivity.facts.objects.fields import canonical_address
from liqo_connectivity.facts.objects.liqo_objects import REMOTE_CLUSTER
from liqo_connectivity.rules import relations

_NETWORK_STATUS = pointer("metadata", "annotations", "k8s.v1.cni.cncf.io/network-status")
_SHADOW = "liqo.io/shadowPod"
_ORIGIN = "offloading.liqo.io/origin"
_SHADOW_LABEL = pointer("metadata", "labels", _SHADOW)
_ORIGIN_LABEL = pointer("metadata", "labels", _ORIGIN)
_LABEL_CLUSTER = pointer("metadata", "labels", REMOTE_CLUSTER)
_LABEL_TENANT = pointer("metadata", "labels", "liqo.io/tenant-namespace")
_TYPE: Final = "liqo.io/type"
_VIRTUAL: Final = "virtual-node"
_TAINT: Final = "virtual-node.liqo.io/not-allowed"
"""Liqo's taint of every virtual node (VirtualNodeTolerationKey in its pkg/consts)."""
_MANAGED_BY = pointer("metadata", "annotations", "liqo.io/managed-by-namespace-map")

_MOST_INTERFACES: Final = 16
"""Of an annotation that anyone may write, no more is read: one interface is enough to say that there are others."""

_TABLE: Final = ("spec", "table")
_CTSTATE: Final = (*_TABLE, "chains", "*", "rules", "filterRules", "*", "match", "*", "ctstate")
_NEEDED: Final = {"sets": (*_TABLE, "sets"), "ctstate": _CTSTATE}
_CRD_VERSION: Final = "v1beta1"


def extract_pod(pod: core_objects.Pod) -> tuple[Fact, ...]:
    """The facts of a Pod: existence, node, phase, addresses, interfaces, host network and the labels of offloading."""
    metadata = pod.metadata
    # Thousands of Pods share these, and live long.
    namespace = intern(metadata.namespace)
    key = f"{namespace}/{metadata.name}"
    source = Source("Pod", namespace, metadata.name, metadata.uid, metadata.resource_version)
    facts = [Fact(relations.Pod(key, namespace), source, "/metadata/name", metadata.name)]
    spec = pod.spec
    if spec is not None:
        if spec.node_name:
            node = intern(spec.node_name)
            facts.append(Fact(relations.PodNode(key, node), source, "/spec/nodeName", node))
        if spec.host_network:
            facts.append(Fact(relations.PodHostNetwork(key), source, "/spec/hostNetwork", True))
    status = pod.status
    if status is not None:
        if status.phase:
            phase = intern(status.phase)
            facts.append(Fact(relations.PodPhase(key, phase), source, "/status/phase", phase))
        _addresses(facts, key, source, status)
    annotations = metadata.annotations
    if annotations is not None and annotations.network_status is not None:
        _interfaces(facts, key, source, annotations.network_status)
    labels = metadata.labels
    if labels is not None:
        if labels.get(_SHADOW) == "true":
            facts.append(Fact(relations.PodShadow(key), source, _SHADOW_LABEL, "true"))
        origin = labels.get(_ORIGIN)
        if origin is not None:
            facts.append(Fact(relations.PodOrigin(key, origin), source, _ORIGIN_LABEL, origin))
    return tuple(facts)


def _addresses(facts: list[Fact], key: str, source: Source, status: core_objects.PodStatus) -> None:
    first = ""
    if status.pod_ip:
        first = canonical_address(status.pod_ip)
        facts.append(Fact(relations.PodIp(key, first), source, "/status/podIP", status.pod_ip))
    if status.pod_ips is None:
        return
    seen = {first}
    for index, item in enumerate(status.pod_ips):
        if not item.ip or item.ip == status.pod_ip:
            continue
        address = canonical_address(item.ip)
        if address not in seen:
            seen.add(address)
            facts.append(Fact(relations.PodIp(key, address), source, f"/status/podIPs/{index}/ip", item.ip))


def _interfaces(facts: list[Fact], key: str, source: Source, written: str) -> None:
    """Add the addresses of the interfaces besides the default one; a text that is not Multus's hides none."""
    try:
        value: object = from_json(written)
    except ValueError:
        value = None
    if not isinstance(value, list):
        facts.append(Fact(relations.PodInterface(key, "", ""), source, _NETWORK_STATUS, True))
        return
    for entry in cast("list[object]", value)[:_MOST_INTERFACES]:
        network = cast("dict[str, object]", entry) if isinstance(entry, dict) else {}
        if network.get("default") is True:
            continue
        name, addresses = network.get("name"), network.get("ips")
        shown = one_line(name)[:253] if isinstance(name, str) else ""
        listed = cast("list[object]", addresses) if isinstance(addresses, list) else []
        found = {_any_address(each) for each in listed[:_MOST_INTERFACES]} or {""}
        rows = (relations.PodInterface(key, shown, address) for address in sorted(found))
        facts += [Fact(row, source, _NETWORK_STATUS, True) for row in rows]


def _any_address(value: object) -> str:
    try:
        return canonical_address(value) if isinstance(value, str) else ""
    except ValueError:
        return ""


def extract_namespace(namespace: liqo_objects.Namespace) -> tuple[Fact, ...]:
    """The facts of a Namespace: existence, cluster, whether it is a tenant's, whose map made it, and deletion."""
    metadata = namespace.metadata
    name = metadata.name
    source = Source("Namespace", "", name, metadata.uid, metadata.resource_version)
    facts = [Fact(relations.Namespace(name), source, "/metadata/name", name)]
    labels = metadata.labels
    if labels is not None:
        if labels.remote_cluster_id is not None:
            row = relations.NamespaceCluster(name, labels.remote_cluster_id)
            facts.append(Fact(row, source, _LABEL_CLUSTER, labels.remote_cluster_id))
        if labels.tenant == "true":
            facts.append(Fact(relations.NamespaceTenant(name), source, _LABEL_TENANT, "true"))
    annotations = metadata.annotations
    if annotations is not None and annotations.managed_by is not None:
        row_managed = relations.NamespaceManagedBy(name, annotations.managed_by.partition("/")[0])
        facts.append(Fact(row_managed, source, _MANAGED_BY, annotations.managed_by))
    deleted = metadata.deletion_timestamp
    if deleted is not None:
        facts.append(Fact(relations.NamespaceTerminating(name), source, "/metadata/deletionTimestamp", deleted))
    return tuple(facts)


def extract_node(node: core_objects.Node) -> tuple[Fact, ...]:
    """The facts of a Node: existence, whether it is a virtual one, its cluster, a virtual one's labels, and its addresses."""
    metadata = node.metadata
    name = metadata.name
    source = Source("Node", "", name, metadata.uid, metadata.resource_version)
    facts = [Fact(relations.Node(name), source, "/metadata/name", name)]
    labels = metadata.labels or {}
    virtual = _virtual(node, source)
    if virtual is not None:
        facts.append(virtual)
    if REMOTE_CLUSTER in labels:
        row = relations.NodeCluster(name, labels[REMOTE_CLUSTER])
        facts.append(Fact(row, source, _LABEL_CLUSTER, labels[REMOTE_CLUSTER]))
    if virtual is not None:
        for label, value in sorted(labels.items()):
            shown = one_line(label), one_line(value)
            row_label = relations.NodeLabel(name, *shown)
            facts.append(Fact(row_label, source, pointer("metadata", "labels", shown[0]), shown[1]))
    status = node.status
    seen: set[str] = set()
    for index, entry in enumerate(status.addresses or () if status is not None else ()):
        address = _any_address(entry.address)
        if address and address not in seen:
            seen.add(address)
            row_address = relations.NodeAddress(name, address)
            facts.append(Fact(row_address, source, f"/status/addresses/{index}/address", str(entry.address)))
    return tuple(facts)


def _virtual(node: core_objects.Node, source: Source) -> Fact | None:
    """The fact that a Node is virtual, by its label, or by the taint that no label of a provider removes."""
    row = relations.NodeVirtual(node.metadata.name)
    if (node.metadata.labels or {}).get(_TYPE) == _VIRTUAL:
        return Fact(row, source, pointer("metadata", "labels", _TYPE), _VIRTUAL)
    for index, taint in enumerate((node.spec.taints if node.spec is not None else None) or ()):
        if taint.key == _TAINT:
            return Fact(row, source, f"/spec/taints/{index}/key", _TAINT)
    return None


def extract_crd(crd: core_objects.CustomResourceDefinition) -> tuple[Fact, ...]:
    """The facts of the FirewallConfiguration definition: existence, and which of the fields that chains need it has.

    The API server prunes a field that the schema of the written version or that of the stored version lacks
    (liqo v1.2.0 has neither ``sets`` nor ``ctstate``), so both have to have it. The pointer is into the written version.
    """
    metadata = crd.metadata
    source = Source("CustomResourceDefinition", "", metadata.name, metadata.uid, metadata.resource_version)
    facts = [Fact(relations.FirewallCrd(metadata.name), source, "/metadata/name", metadata.name)]
    stored = [version for version in crd.spec.versions if version.storage]
    for index, version in enumerate(crd.spec.versions):
        if version.name != _CRD_VERSION or not version.served:
            continue
        for field, path in _NEEDED.items():
            found = _schema_path(version, path)
            if found is not None and stored and all(_schema_path(other, path) is not None for other in stored):
                where = pointer("spec", "versions", index, "schema", "openAPIV3Schema", *found)
                facts.append(Fact(relations.FirewallCrdField(field), source, where, True))
    return tuple(facts)


def _schema_path(version: core_objects.CrdVersion, path: tuple[str, ...]) -> tuple[str, ...] | None:
    """The path of a field inside a version's schema, or None when there is no such field; ``*`` is any item of a list."""
    schema = version.version_schema.open_api if version.version_schema is not None else None
    walked: list[str] = []
    for step in path:
        if schema is None:
            return None
        if step == "*":
            schema = schema.items
            walked.append("items")
        else:
            schema = (schema.properties or {}).get(step)
            walked += ("properties", step)
    return tuple(walked) if schema is not None else None
