"""A cluster with any number of peerings, as an API server takes it: objects, and what to write into their status.

Peering ``n`` has a tenant namespace, a policy of four rules, Networks, a virtual node and one offloaded namespace, in
which three of five pods are shadow pods and the others run here.
"""

from collections.abc import Iterator

from benchmarks.cluster import Object, bare, network, padded

RULES: list[Object] = [
    {"source": {"group": "vc-remote"}, "destination": {"group": "vc-local"}, "action": "allow"},
    {"source": {"group": "vc-local"}, "destination": {"group": "remote-cluster"}, "action": "allow"},
    {"source": {"group": "remote-cluster"}, "destination": {"group": "local-cluster"}, "action": "deny"},
    {"source": {"group": "vc-remote"}, "destination": {"group": "private-subnets"}, "action": "deny"},
]


def cluster_id(peering: int) -> str:
    return f"peer-{peering}"


def tenant(peering: int) -> str:
    return f"liqo-tenant-{cluster_id(peering)}"


def objects(peerings: int) -> Iterator[Object]:
    """All but pods; an object with a status has it in place, to be written after the object."""
    yield bare("v1", "Namespace", "liqo")
    labels = {"ipam.liqo.io/network-type": "pod-cidr"}
    yield network("liqo", "pod-cidr", labels, "10.0.0.0/9", "10.0.0.0/9")
    for number in range(peerings):
        yield from _peering(number)


def pod(number: int, peerings: int, address: int = 0) -> Object:
    """A pod with a status; ``address`` tells apart the addresses that it has one after another."""
    peering, index = number % peerings, number // peerings
    shadow = index % 5 < 3
    # Eight addresses for each pod: those of one peering's pods stay within its CIDR of 2^19.
    offset = index * 8 + address % 8
    base = ((128 + 4 * peering) << 16) if shadow else (peering << 18)
    value = (10 << 24) + base + offset + 1
    ip = ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))
    labels = {"app": "service"} | ({"liqo.io/shadowPod": "true"} if shadow else {})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"pod-{number}",
            "namespace": f"work-{peering}",
            "labels": labels,
        },
        "spec": {"nodeName": cluster_id(peering) if shadow else f"worker-{number % 40}"},
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]},
    }


def whole(pod: Object) -> Object:
    """The same pod with all that makes it one of 6 KB."""
    full = padded(pod, indent=2)
    # The server writes its own managed fields, and wants the volumes that are mounted.
    del full["metadata"]["managedFields"]
    full["spec"]["volumes"] = [{"name": f"volume-{n}", "emptyDir": {}} for n in range(3)]
    return full


def _peering(number: int) -> Iterator[Object]:
    name, namespace, work = cluster_id(number), tenant(number), f"work-{number}"
    own = {"liqo.io/remote-cluster-id": name}
    yield bare("v1", "Namespace", namespace, labels={**own, "liqo.io/tenant-namespace": "true"})
    yield bare("v1", "Namespace", work)
    yield bare("v1", "Node", name, labels={**own, "liqo.io/type": "virtual-node"})
    for kind, cidr in (("pod", f"10.{128 + 4 * number}.0.0/14"), ("external", f"172.{number}.0.0/16")):
        yield network(namespace, f"{name}-{kind}", {**own, "configuration.liqo.io/cidr-type": kind}, cidr, cidr)
    offloading = bare("offloading.liqo.io/v1beta1", "NamespaceOffloading", "offloading", work)
    selected = {"matchExpressions": [{"key": "liqo.io/remote-cluster-id", "operator": "In", "values": [name]}]}
    required = {name: [{"type": "OffloadingRequired", "status": "True"}]}
    yield {
        **offloading,
        "spec": {"clusterSelector": {"nodeSelectorTerms": [selected]}},
        "status": {"remoteNamespacesConditions": required},
    }
    made = bare("offloading.liqo.io/v1beta1", "NamespaceMap", name, namespace, {**own, "liqo.io/replication": "true"})
    mapping = {work: {"remoteNamespace": f"{work}-home", "phase": "Accepted"}}
    yield {**made, "spec": {"desiredMapping": {work: f"{work}-home"}}, "status": {"currentMapping": mapping}}
    yield {**bare("security.liqo.io/v1", "PeeringConnectivity", name, namespace), "spec": {"rules": RULES}}
