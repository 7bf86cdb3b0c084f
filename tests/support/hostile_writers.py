"""Everybody who may write into a cluster without administering it, and what each may write at worst (docs/trust.md).

A writer is given the objects of a cluster and gives those after it has written, drawn from its whole permission, with the
addresses about which it may decide. This module must not know what a policy means.
"""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_network
from random import Random
from typing import Any

from tests.support import random_labels
from tests.support.addresses import Address, Cidr, parsed, usable_cidr
from tests.support.descriptions import Cluster, Offloading, Requirement, Slice
from tests.support.draws import chance
from tests.support.manifests import Object, objects, offloading_object, slice_object
from tests.support.random_clusters import LOCAL6, NAMESPACES, PEERINGS, WORKERS
from tests.support.random_labels import VALUES
from tests.support.random_selectors import random_term

FRESH, FRESH6 = "10.244.200.", LOCAL6.replace("/64", "200:")
"""Where a kubelet takes the addresses of new pods from: inside the local pod CIDRs, and unlike those of random clusters."""
JUNK: tuple[Any, ...] = (None, 7, True, "x", "", [], ["shop"], {}, {"phase": 3}, {"remoteNamespace": ["a"]}, -1.5)
KEYS = ("shop", "batch", "infra", "default", "nowhere", "No Name", "", "a\nb", "x" * 300, "../..", "shop ")


@dataclass(frozen=True)
class Written:
    """``found`` are all objects of the cluster afterwards; ``own`` and ``own_cidrs`` are the writer's addresses.

    ``inert`` says that nothing of it may reach a chain. If a ``namespace`` is named, only labels of its Pods were written.
    """

    found: list[Object]
    own: frozenset[Address] = frozenset()
    own_cidrs: tuple[Cidr, ...] = ()
    inert: bool = False
    namespace: str = ""

    def owns(self, address: str) -> bool:
        """Whether the writer may decide what becomes of an address."""
        written = parsed(address)
        return written in self.own or any(written in cidr for cidr in self.own_cidrs)


Writer = Callable[[Random, Cluster], Written]


def remote_control_plane(rng: Random, cluster: Cluster) -> Written:
    """The remote cluster with its identity: any NamespaceMap in its tenant namespace, with any labels and status."""
    tenants = [(n.cluster, n.name) for n in cluster.namespaces if n.tenant and n.cluster]
    found = objects(cluster)
    if not tenants:
        return Written(found)
    peering, tenant = rng.choice(tenants)
    found = [one for one in found if not (_is_in(one, "NamespaceMap", tenant) and chance(rng, 0.5))]
    names = list(
        dict.fromkeys(rng.choice((peering, *PEERINGS, "evil", "theirs", "a.b")) for _ in range(rng.randint(1, 4)))
    )
    found = [one for one in found if not (_is_in(one, "NamespaceMap", tenant) and one["metadata"]["name"] in names)]
    found += [_map(rng, tenant, name) for name in names]
    return Written(found, inert=True)


def _map(rng: Random, tenant: str, name: str) -> Object:
    labels = {
        "liqo.io/remote-cluster-id": rng.choice((*PEERINGS, "nobody", "Not An Id")),
        "liqo.io/replication": rng.choice(("true", "false", "odd")),
        "liqo.io/originID": rng.choice((*PEERINGS, "here")),
        "liqo.io/tenant-namespace": "true",
    }
    metadata: Object = {"name": name, "namespace": tenant, "uid": "u", "resourceVersion": "9"}
    metadata["labels"] = {key: value for key, value in labels.items() if chance(rng, 0.7)}
    if chance(rng, 0.1):
        metadata["deletionTimestamp"] = "2026-07-01T10:00:00Z"
    status: Any = rng.choice(JUNK) if chance(rng, 0.1) else {"currentMapping": _mapping(rng)}
    return {
        "apiVersion": "offloading.liqo.io/v1beta1",
        "kind": "NamespaceMap",
        "metadata": metadata,
        "spec": {"desiredMapping": dict.fromkeys(rng.sample(KEYS, 3), "x")},
        "status": status,
    }


def _mapping(rng: Random) -> Any:
    if chance(rng, 0.1):
        return rng.choice(JUNK)
    names = (*KEYS, *(f"from-{peering}" for peering in PEERINGS), "liqo", "kube-system")
    return {
        name: rng.choice(JUNK)
        if chance(rng, 0.3)
        else {
            "remoteNamespace": rng.choice(names),
            "phase": rng.choice(("Accepted", "Terminating", "CreationLoopBackOff")),
        }
        for name in rng.sample(names, rng.randint(0, 6))
    }


def peering_user(rng: Random, cluster: Cluster) -> Written:
    """The holder of Liqo's peering user: any Configuration in its tenant namespace, and the Networks that Liqo makes of it.

    Liqo labels these as the Configuration is labelled. IPAM assigns a CIDR that it chooses, or none.
    """
    tenants = [(n.cluster, n.name) for n in cluster.namespaces if n.tenant and n.cluster]
    found = objects(cluster)
    if not tenants:
        return Written(found)
    _, tenant = rng.choice(tenants)
    assigned = chance(rng, 0.3)
    for number in range(rng.randint(1, 3)):
        labels = {"liqo.io/remote-cluster-id": rng.choice((*PEERINGS, "nobody", "Not An Id"))}
        cidrs = rng.sample(("10.60.0.0/16", "0.0.0.0/0", "10.244.0.0/16", "no CIDR", "fd00::/64", "10.71.0.0/16"), 2)
        name: Object = {"name": f"rogue-{number}", "namespace": tenant, "labels": labels}
        found.append(_made("networking.liqo.io/v1beta1", "Configuration", name, {"remote": {"cidr": {"pod": cidrs}}}))
        network = name | {"labels": labels | {"configuration.liqo.io/cidr-type": rng.choice(("pod", "external"))}}
        if chance(rng, 0.3):
            network |= {"deletionTimestamp": "2026-07-01T10:00:00Z"}
        made = _made("ipam.liqo.io/v1alpha1", "Network", network, {"cidr": cidrs[0]})
        found.append(made | ({"status": {"cidr": f"10.98.{number}.0/24"}} if assigned else {}))
    return Written(found, own_cidrs=(ip_network("10.98.0.0/16"),), inert=not assigned)


def _made(api_version: str, kind: str, metadata: Object, spec: Object) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}


def remote_map_reader(rng: Random, cluster: Cluster) -> Written:
    """The remote cluster through Liqo's controller, which copies its maps into the status of any NamespaceOffloading."""
    found = objects(cluster)
    for one in found:
        if one["kind"] == "NamespaceOffloading" and chance(rng, 0.8):
            named = rng.sample((*PEERINGS, "evil"), rng.randint(0, 4))
            required = {
                name: [{"type": "OffloadingRequired", "status": rng.choice(("True", "False"))}] for name in named
            }
            one["status"] = {"remoteNamespacesConditions": required}
    return Written(found, inert=True)


def remote_node_labels(rng: Random, cluster: Cluster) -> Written:
    """The remote cluster through the labels that it advertises for its nodes, Liqo's own keys included.

    Liqo copies them to the VirtualNode and its Node. Those that a selector of a namespace's user reads are left alone:
    such a user has let the remote cluster choose.
    """
    found = objects(cluster)
    names = {node.name for node in cluster.virtual_nodes}
    for one in found:
        if one["kind"] in ("Node", "VirtualNode") and one["metadata"]["name"] in names - set(WORKERS):
            advertised = {
                "liqo.io/remote-cluster-id": rng.choice((*PEERINGS, "x")),
                "liqo.io/type": "x",
                "color": "red",
            }
            labels = {key: value for key, value in advertised.items() if chance(rng, 0.6)}
            holder = one["metadata"] if one["kind"] == "Node" else one["spec"]
            holder["labels"] = holder.get("labels", {}) | labels
    return Written(found, inert=True)


def remote_workloads(rng: Random, cluster: Cluster) -> Written:
    """The remote cluster's pods here: ShadowPods with any labels in the namespaces that Liqo made for it.

    Liqo keeps their origin label; kubelets give them addresses, if they are bound to a node that has one.
    """
    made = [n for n in cluster.namespaces if n.cluster and not n.tenant]
    if not made:
        return Written(objects(cluster))
    namespace = rng.choice(made)
    return _pods(rng, cluster, namespace.name, {"offloading.liqo.io/origin": str(namespace.cluster)})


def remote_status(rng: Random, cluster: Cluster) -> Written:
    """The remote cluster as the virtual kubelet reports it: any status of the pods that this cluster offloaded to it."""
    peering = rng.choice(PEERINGS)
    cidrs = [usable_cidr(n.status) for n in cluster.networks if n.cluster == peering]
    nodes = {n.name for n in cluster.nodes if n.virtual and n.cluster == peering}
    everywhere = [a for pod in cluster.pods for a in pod.addresses] + ["10.244.0.9", "8.8.8.8", "10.99.0.1", "fd00::1"]
    found = objects(cluster)
    for one in found:
        if one["kind"] == "Pod" and one["spec"].get("nodeName") in nodes:
            given = rng.sample(everywhere, rng.randint(0, 2))
            status: Object = {"phase": rng.choice(("Pending", "Running", "Succeeded", "Failed", "Unknown"))}
            if given:
                status |= {"podIP": given[0], "podIPs": [{"ip": address} for address in given]}
            one["status"] = status
    return Written(found, own_cidrs=tuple(cidr for cidr in cidrs if cidr))


def namespace_user(rng: Random, cluster: Cluster) -> Written:
    """A user of one namespace: its pods with any labels on any node, and its NamespaceOffloading without a status."""
    namespace = rng.choice(NAMESPACES)
    written = _pods(rng, cluster, namespace, {"offloading.liqo.io/origin": rng.choice((*PEERINGS, "x"))})
    # The status is Liqo's: an edit keeps it, and a new object has none.
    before = [o for o in cluster.offloadings if o.namespace == namespace]
    kept = before[0].required if before and chance(rng, 0.5) else ()
    found = [one for one in written.found if not _is_in(one, "NamespaceOffloading", namespace)]
    if chance(rng, 0.7):
        refused = [(Requirement("zone", "Near"),)] if chance(rng, 0.3) else []
        terms = (*(random_term(rng) for _ in range(rng.randint(0, 2))), *refused)
        found.append(offloading_object(Offloading(namespace, terms, kept, terminating=chance(rng, 0.2))))
    everywhere = [address for pod in cluster.pods for address in pod.addresses] + ["10.71.0.1", "8.8.8.8"]
    found += [slice_object(Slice(namespace, f"dns-{n}", (rng.choice(everywhere),))) for n in range(rng.randint(0, 2))]
    return Written(found, written.own)


def label_writer(rng: Random, cluster: Cluster) -> Written:
    """Somebody who may label the Pods of one namespace, and nothing else."""
    namespace = rng.choice([n.name for n in cluster.namespaces if not n.tenant])
    found, own = objects(cluster), set[Address]()
    for one in found:
        if _is_in(one, "Pod", namespace):
            own |= _addresses(one)
            kept = {key: value for key, value in one["metadata"].get("labels", {}).items() if "liqo.io" in key}
            one["metadata"]["labels"] = {**_labels(rng, {}), **kept}
    return Written(found, frozenset(own), namespace=namespace)


def kubelet(rng: Random, cluster: Cluster) -> Written:
    """A physical node's kubelet: any status of the pods that are bound to it, addresses of others included."""
    node = rng.choice(WORKERS)
    everywhere = [a for pod in cluster.pods for a in pod.addresses] + ["10.244.0.9", "8.8.8.8", "10.71.0.1"]
    found, own = objects(cluster), set[Address]()
    for one in found:
        if one["kind"] == "Pod" and one["spec"].get("nodeName") == node:
            own |= _addresses(one)
            given = rng.choice(everywhere)
            one["status"] = {"phase": rng.choice(("Running", "Failed", "Pending")), "podIP": given}
            own |= _addresses(one)
    return Written(found, frozenset(own))


def _pods(rng: Random, cluster: Cluster, namespace: str, labels: dict[str, str]) -> Written:
    """New pods of a namespace, and its own ones deleted or relabelled."""
    found, own = list[Object](), set[Address]()
    for one in objects(cluster):
        if _is_in(one, "Pod", namespace):
            own |= _addresses(one)
            if chance(rng, 0.2):
                continue
            one["metadata"]["labels"] = _labels(rng, labels)
        found.append(one)
    hosts = [*WORKERS, *(node.name for node in cluster.nodes if node.virtual), "unheard-of", None]
    for number in range(rng.randint(1, 4)):
        node = rng.choice(hosts)
        pod: Object = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"new-{number}", "namespace": namespace, "labels": _labels(rng, labels)},
            "spec": {"hostNetwork": chance(rng, 0.3)} | ({"nodeName": node} if node else {}),
            "status": {"phase": "Pending"},
        }
        if node in WORKERS:
            given = [f"{FRESH}{number}", f"{FRESH6}{number}"]
            pod["status"] = {"phase": "Running", "podIP": given[0], "podIPs": [{"ip": address} for address in given]}
        own |= _addresses(pod)
        found.append(pod)
    return Written(found, frozenset(own))


def _labels(rng: Random, labels: dict[str, str]) -> dict[str, str]:
    any_labels = {"liqo.io/shadowPod": rng.choice(("true", "false")), "liqo.io/remote-cluster-id": rng.choice(PEERINGS)}
    any_labels |= {key: rng.choice(VALUES) for key in (*random_labels.KEYS, "k8s-app", "kubernetes.io/metadata.name")}
    return labels | {key: value for key, value in any_labels.items() if chance(rng, 0.6)}


def _is_in(one: Object, kind: str, namespace: str) -> bool:
    return (one["kind"], one["metadata"].get("namespace")) == (kind, namespace)


def _addresses(pod: Object) -> set[Address]:
    status = pod["status"]
    texts = [status.get("podIP"), *(each["ip"] for each in status.get("podIPs", ()))]
    return {parsed(text) for text in texts if text and text != "10.0.0.300"}


WRITERS: dict[str, Writer] = {
    "remote-control-plane": remote_control_plane,
    "peering-user": peering_user,
    "remote-map-reader": remote_map_reader,
    "remote-node-labels": remote_node_labels,
    "remote-workloads": remote_workloads,
    "remote-status": remote_status,
    "namespace-user": namespace_user,
    "label-writer": label_writer,
    "kubelet": kubelet,
}
"""The writers by name."""
