"""The Kubernetes objects that a described cluster has, as Liqo v1.2 writes them.

This module must not know what a policy means, nor which clusters are described.
"""

from datetime import UTC, datetime
from typing import Any

from tests.support.descriptions import (
    Cluster,
    Configuration,
    ForeignCluster,
    Malformed,
    Namespace,
    NamespaceMap,
    Network,
    Node,
    Offloading,
    Pod,
    Policy,
    Service,
    Slice,
    VirtualNode,
)
from tests.support.policy_manifests import given, requirement_object, rule_object

Object = dict[str, Any]

API_VERSIONS = {
    "Namespace": "v1",
    "Node": "v1",
    "Configuration": "networking.liqo.io/v1beta1",
    "Network": "ipam.liqo.io/v1alpha1",
    "NamespaceMap": "offloading.liqo.io/v1beta1",
    "VirtualNode": "offloading.liqo.io/v1beta1",
    "ForeignCluster": "core.liqo.io/v1beta1",
    "EndpointSlice": "discovery.k8s.io/v1",
}
"""The kinds that may be malformed as a whole."""


def objects(cluster: Cluster) -> list[Object]:
    """The objects of a cluster, in a fixed order."""
    return [
        *(_namespace(namespace) for namespace in cluster.namespaces),
        *(_node(node) for node in cluster.nodes),
        *(_virtual_node(node) for node in cluster.virtual_nodes),
        *(_network(network) for network in cluster.networks),
        *(_configuration(configuration) for configuration in cluster.configurations),
        *(_namespace_map(namespace_map) for namespace_map in cluster.maps),
        *(offloading_object(offloading) for offloading in cluster.offloadings),
        *(_malformed_offloading(namespace) for namespace in cluster.malformed_offloadings),
        *(_foreign_cluster(foreign) for foreign in cluster.foreign_clusters),
        *(_pod(pod) for pod in cluster.pods),
        *(_policy(policy) for policy in cluster.policies),
        *(made for service in cluster.services for made in _service(service)),
        *(slice_object(found) for found in cluster.slices),
        *(_malformed(found) for found in cluster.malformed),
        *([_crd(cluster.firewall_fields)] if cluster.firewall_fields is not None else []),
    ]


def _metadata(name: str, namespace: str = "", labels: dict[str, str | None] | None = None) -> Object:
    metadata: Object = {"name": name, "uid": f"uid-{namespace}-{name}", "resourceVersion": "7"}
    if namespace:
        metadata["namespace"] = namespace
    written = {key: value for key, value in (labels or {}).items() if value is not None}
    return metadata | ({"labels": written} if written else {})


def _pod(pod: Pod) -> Object:
    labels = {**dict(pod.labels), "liqo.io/shadowPod": pod.shadow, "offloading.liqo.io/origin": pod.origin}
    spec: Object = {"containers": [{"name": "main", "image": "main"}]}
    if pod.node is not None:
        spec["nodeName"] = pod.node
    if pod.host_network:
        spec["hostNetwork"] = True
    status: Object = {"phase": pod.phase}
    if pod.addresses:
        status |= {"podIP": pod.addresses[0], "podIPs": [{"ip": address} for address in pod.addresses]}
    if pod.malformed:
        status["podIP"] = "10.0.0.300"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(pod.name, pod.namespace, labels),
        "spec": spec,
        "status": status,
    }


def _namespace(namespace: Namespace) -> Object:
    labels = {
        **dict(namespace.labels),
        "liqo.io/remote-cluster-id": namespace.cluster,
        "liqo.io/tenant-namespace": "true" if namespace.tenant else None,
    }
    metadata = _metadata(namespace.name, labels=labels)
    if namespace.managed_by is not None:
        metadata["annotations"] = {"liqo.io/managed-by-namespace-map": namespace.managed_by}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def _node(node: Node) -> Object:
    labels = {"liqo.io/type": "virtual-node" if node.virtual else None, "liqo.io/remote-cluster-id": node.cluster}
    labels |= dict(node.labels)
    taints = [{"key": "virtual-node.liqo.io/not-allowed", "effect": "NoExecute"}] if node.tainted else []
    listed = [{"type": "InternalIP", "address": address} for address in node.addresses]
    status = {"addresses": [*listed, {"type": "Hostname", "address": node.name}]}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": _metadata(node.name, labels=labels),
        "spec": {"taints": taints},
        "status": status,
    }


def _service(service: Service) -> list[Object]:
    ports: Object = {"port": service.port, "protocol": service.protocol}
    ports |= {"nodePort": service.node_port} if service.node_port else {}
    first, rest = service.addresses[:1], service.addresses[1:]
    spec: Object = {"clusterIP": first[0] if first else "None", "externalIPs": list(rest), "ports": [ports]}
    endpoint_ports = [{"port": service.target, "protocol": service.protocol}] if service.target else []
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": _metadata(service.name, service.namespace),
            "spec": spec | ({"externalTrafficPolicy": "Local"} if service.local else {}),
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": _metadata(
                f"{service.name}-x", service.namespace, labels={"kubernetes.io/service-name": service.name}
            ),
            "addressType": "IPv6" if any(":" in address for address in service.endpoints) else "IPv4",
            "endpoints": [{"addresses": [address]} for address in service.endpoints],
        }
        | ({"ports": endpoint_ports} if endpoint_ports else {}),
    ]


def slice_object(found: Slice) -> Object:
    """An EndpointSlice of no Service."""
    labels: dict[str, str | None] = {"k8s-app": "kube-dns" if found.dns else "another"}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": _metadata(found.name, found.namespace, labels=labels),
        "addressType": "IPv6" if any(":" in address for address in found.addresses) else "IPv4",
        "endpoints": [{"addresses": [address]} for address in found.addresses],
        "ports": [{"name": "dns", "port": 53, "protocol": "UDP"}],
    }


def _virtual_node(node: VirtualNode) -> Object:
    return {
        "apiVersion": "offloading.liqo.io/v1beta1",
        "kind": "VirtualNode",
        "metadata": _metadata(node.name, node.namespace),
        "spec": {"clusterID": node.cluster, "labels": dict(node.labels)},
    }


def _network(network: Network) -> Object:
    labels: dict[str, str | None] = {"ipam.liqo.io/network-type": network.kind}
    if network.cluster is not None:
        labels = {"liqo.io/remote-cluster-id": network.cluster, "configuration.liqo.io/cidr-type": network.kind}
    metadata = _metadata(network.name, network.namespace, labels)
    if network.terminating:
        metadata["deletionTimestamp"] = "2026-07-01T10:00:00Z"
    return {
        "apiVersion": "ipam.liqo.io/v1alpha1",
        "kind": "Network",
        "metadata": metadata,
        "spec": {"cidr": network.spec},
    } | ({} if network.status is None else {"status": {"cidr": network.status}})


def _configuration(configuration: Configuration) -> Object:
    cidr: dict[str, list[str]] = {}
    for kind, written in configuration.cidrs:
        cidr.setdefault(kind, []).append(written)
    used: dict[str, list[str]] = {}
    for kind, written in configuration.used:
        used.setdefault(kind, []).append(written)
    return {
        "apiVersion": "networking.liqo.io/v1beta1",
        "kind": "Configuration",
        "metadata": _metadata(
            configuration.name, configuration.namespace, {"liqo.io/remote-cluster-id": configuration.cluster}
        ),
        "spec": {"remote": {"cidr": cidr}},
    } | ({"status": {"remote": {"cidr": used}}} if used else {})


def _namespace_map(found: NamespaceMap) -> Object:
    labels = {
        "liqo.io/remote-cluster-id": found.cluster,
        "liqo.io/replication": "true" if found.ours else "false",
        "liqo.io/originID": found.origin,
    }
    mapping = {origin: {"remoteNamespace": remote, "phase": phase} for origin, remote, phase in found.entries}
    return {
        "apiVersion": "offloading.liqo.io/v1beta1",
        "kind": "NamespaceMap",
        "metadata": _metadata(found.name, found.namespace, labels),
        "status": {"currentMapping": mapping},
    }


def offloading_object(offloading: Offloading) -> Object:
    """A NamespaceOffloading and its status."""
    metadata = _metadata("offloading", offloading.namespace)
    if offloading.terminating:
        metadata["deletionTimestamp"] = "2026-07-01T10:00:00Z"
    terms = [
        {
            "matchExpressions": [requirement_object(one) for one in term if not one.field],
            "matchFields": [requirement_object(one) for one in term if one.field],
        }
        for term in offloading.terms
    ]
    conditions = {
        name: [{"type": "OffloadingRequired", "status": str(required)}] for name, required in offloading.required
    }
    return {
        "apiVersion": "offloading.liqo.io/v1beta1",
        "kind": "NamespaceOffloading",
        "metadata": metadata,
        "spec": {"podOffloadingStrategy": "LocalAndRemote", "clusterSelector": {"nodeSelectorTerms": terms}},
        "status": {"remoteNamespacesConditions": conditions},
    }


def _malformed_offloading(namespace: str) -> Object:
    return offloading_object(Offloading(namespace)) | {"spec": {"podOffloadingStrategy": 7}}


def _foreign_cluster(foreign: ForeignCluster) -> Object:
    return {
        "apiVersion": "core.liqo.io/v1beta1",
        "kind": "ForeignCluster",
        "metadata": _metadata(foreign.cluster),
        "spec": {"clusterID": foreign.cluster},
        "status": {"role": foreign.role, "tenantNamespace": {"local": foreign.tenant} if foreign.tenant else {}},
    }


def _policy(policy: Policy) -> Object:
    metadata = _metadata(policy.name, policy.namespace)
    if policy.created is not None:
        metadata["creationTimestamp"] = datetime.fromtimestamp(policy.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if policy.terminating:
        metadata["deletionTimestamp"] = "2026-07-01T10:00:00Z"
    rules = "all" if policy.malformed else [rule_object(rule) for rule in policy.rules]
    return {
        "apiVersion": "security.liqo.io/v1",
        "kind": "PeeringConnectivity",
        "metadata": metadata,
        "spec": {"rules": rules} | given(defaultAction=policy.default),
    }


def _malformed(found: Malformed) -> Object:
    metadata = _metadata(found.name, found.namespace) | {"resourceVersion": 7}
    return {"apiVersion": API_VERSIONS[found.kind], "kind": found.kind, "metadata": metadata}


def _crd(fields: frozenset[str]) -> Object:
    string = {"type": "string"}
    match = {"op": string} | ({"ctstate": {"type": "object"}} if "ctstate" in fields else {})
    table = {"name": string} | ({"sets": {"type": "array"}} if "sets" in fields else {})
    filter_rules = {"type": "array", "items": {"properties": {"match": {"items": {"properties": match}}}}}
    chains = {"items": {"properties": {"rules": {"properties": {"filterRules": filter_rules}}}}}
    properties = {"spec": {"properties": {"table": {"properties": {**table, "chains": chains}}}}}
    version = {
        "name": "v1beta1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"properties": properties}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": _metadata("firewallconfigurations.networking.liqo.io"),
        "spec": {"versions": [version]},
    }
