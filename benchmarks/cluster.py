"""A cluster of any number of pods, with the objects that its peerings would have; the same one for the same number.

Of every twenty pods, twelve were offloaded to ``milan``, four stay in an offloaded namespace, three were offloaded here
by ``naples``, and one has finished.
"""

import json
from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]

NAMESPACES = ("shop", "batch", "edge", "data")
RULES: list[Object] = [
    {"source": {"group": "vc-remote"}, "destination": {"group": "vc-local"}, "action": "allow"},
    {"source": {"namespace": "shop"}, "destination": {"group": "remote-cluster"}, "action": "allow"},
    {"source": {"group": "remote-cluster"}, "destination": {"group": "local-cluster"}, "action": "deny"},
    {"source": {"group": "offloaded"}, "destination": {"group": "private-subnets"}, "action": "deny"},
]
POD_BYTES = 6 * 1024
"""What a pod of a real cluster takes in JSON as kubectl prints it, with its managed fields."""


def objects(pods: int) -> Iterator[Object]:
    """All objects of the cluster, without padding of the pods."""
    yield from _peerings()
    yield from map(pod, range(pods))


def padded(found: Object, size: int = POD_BYTES, indent: int | None = 4) -> Object:
    """A pod with as much that no fact is made of as a real one has, counted in JSON with some indentation."""
    containers = [
        {
            "name": f"container-{number}",
            "image": f"registry.example/team/service-{number}:v1.{number}",
            "env": [{"name": f"SETTING_{n}", "value": f"value of setting {n} of container {number}"} for n in range(6)],
            "volumeMounts": [{"mountPath": f"/var/run/volume-{n}", "name": f"volume-{n}"} for n in range(3)],
            "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "50m", "memory": "64Mi"}},
        }
        for number in range(1)
    ]
    managed = [
        {
            "manager": f"manager-{n}",
            "operation": "Update",
            "fieldsV1": {"f:spec": {f"f:field-{i}": {} for i in range(9)}},
        }
        for n in range(2)
    ]
    full: Object = {
        **found,
        "metadata": {**found["metadata"], "managedFields": managed, "annotations": {"example.com/filler": ""}},
        "spec": {**found["spec"], "containers": containers},
    }
    full["metadata"]["annotations"]["example.com/filler"] = "x" * max(0, size - len(json.dumps(full, indent=indent)))
    return full


def pod(number: int) -> Object:
    """The pod of a number."""
    role = number % 20
    if role < 12:
        return _pod(number, NAMESPACES[number % 3], "milan", _address("10.71", number), {"liqo.io/shadowPod": "true"})
    if role < 16:
        return _pod(number, NAMESPACES[number % 4], f"worker-{number % 40}", _address("10.244", number), {})
    if role < 19:
        labels = {"offloading.liqo.io/origin": "naples"}
        return _pod(number, "shop-naples", f"worker-{number % 40}", _address("10.245", number), labels)
    return _pod(number, "shop", f"worker-{number % 40}", _address("10.244", number), {}, phase="Succeeded")


def expected_members(pods: int) -> dict[tuple[str, str], int]:
    """How many addresses each group has; three of four namespaces are offloaded to milan."""
    roles = [number % 20 for number in range(pods)]
    local = sum(1 for number, role in enumerate(roles) if 12 <= role < 16 and number % 4 < 3)
    return {
        ("milan", "vc-remote"): sum(role < 12 for role in roles),
        ("milan", "vc-local"): local,
        ("naples", "offloaded"): sum(16 <= role < 19 for role in roles),
    }


def flows(pods: int) -> list[tuple[str, str]]:
    """Some pairs of addresses to ask about, spread over the cluster."""
    found = [pod(number)["status"]["podIP"] for number in range(0, pods, max(1, pods // 20))]
    return [(found[n], found[-n - 1]) for n in range(len(found))]


def _address(prefix: str, number: int) -> str:
    return f"{prefix}.{number // 250 % 250}.{number % 250 + 1}"


def _pod(
    number: int, namespace: str, node: str, address: str, labels: dict[str, str], phase: str = "Running"
) -> Object:
    metadata = {"name": f"pod-{number}", "namespace": namespace, "uid": f"uid-{number}", "resourceVersion": f"{number}"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**metadata, "labels": {"app": "service", **labels}},
        "spec": {"nodeName": node},
        "status": {"phase": phase, "podIP": address, "podIPs": [{"ip": address}]},
    }


def _peerings() -> Iterator[Object]:
    for name in (*NAMESPACES, "shop-naples"):
        labels = {"liqo.io/remote-cluster-id": "naples"} if name == "shop-naples" else {}
        yield bare("v1", "Namespace", name, labels=labels)
    for number in range(40):
        yield bare("v1", "Node", f"worker-{number}")
    yield network("liqo", "pod-cidr-1", {"ipam.liqo.io/network-type": "pod-cidr"}, "10.244.0.0/16", "10.244.0.0/16")
    yield network("liqo", "pod-cidr-2", {"ipam.liqo.io/network-type": "pod-cidr"}, "10.245.0.0/16", "10.245.0.0/16")
    for number, peering in enumerate(("milan", "naples")):
        tenant = f"liqo-tenant-{peering}"
        own = {"liqo.io/remote-cluster-id": peering}
        yield bare("v1", "Namespace", tenant, labels={**own, "liqo.io/tenant-namespace": "true"})
        for kind, last in (("pod", 71), ("external", 81)):
            labels = {**own, "configuration.liqo.io/cidr-type": kind}
            yield network(tenant, f"{peering}-{kind}", labels, f"10.{last}.0.0/16", f"10.{last + number}.0.0/16")
        policy = bare("security.liqo.io/v1", "PeeringConnectivity", peering, tenant)
        yield {**policy, "spec": {"rules": RULES}}
    virtual = {"liqo.io/type": "virtual-node", "liqo.io/remote-cluster-id": "milan"}
    yield bare("v1", "Node", "milan", labels=virtual)
    node = bare("offloading.liqo.io/v1beta1", "VirtualNode", "milan", "liqo-tenant-milan")
    yield {**node, "spec": {"clusterID": "milan"}}
    for name in NAMESPACES[:3]:
        offloading = bare("offloading.liqo.io/v1beta1", "NamespaceOffloading", "offloading", name)
        required = {"milan": [{"type": "OffloadingRequired", "status": "True"}]}
        yield {**offloading, "spec": {}, "status": {"remoteNamespacesConditions": required}}
    labels = {"liqo.io/remote-cluster-id": "milan", "liqo.io/replication": "true"}
    mapping = {name: {"remoteNamespace": f"{name}-rome", "phase": "Accepted"} for name in NAMESPACES[:3]}
    made = bare("offloading.liqo.io/v1beta1", "NamespaceMap", "milan", "liqo-tenant-milan", labels)
    yield {**made, "status": {"currentMapping": mapping}}


def bare(api_version: str, kind: str, name: str, namespace: str = "", labels: dict[str, str] | None = None) -> Object:
    """An object with a name and labels, and nothing else."""
    metadata: Object = {"name": name, "labels": labels or {}} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def network(namespace: str, name: str, labels: dict[str, str], asked: str, assigned: str) -> Object:
    """A Network with the CIDR that was asked for and the one that was assigned."""
    made = bare("ipam.liqo.io/v1alpha1", "Network", name, namespace, labels)
    return {**made, "spec": {"cidr": asked}, "status": {"cidr": assigned}}
