"""The objects of a cluster that Liqo has peered, written into a control plane one peering at a time.

Every peering, namespace and address range is new, so that tests share one control plane. It must not know what is done
about any of them.
"""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from tests.support.api_client import ApiError, Client, Object
from tests.support.case_objects import PolicyRule, policy
from tests.support.control_plane import ControlPlane

LIQO = "liqo"
LOCAL_CIDR = "10.244.0.0/16"
WORKER = "worker-1"
CLUSTER_LABEL = "liqo.io/remote-cluster-id"
SHADOW = {"liqo.io/shadowPod": "true"}
LINK_TO = "rome"
"""The cluster that the control plane is."""

_numbers = count(1)


class Place:
    """A cluster with Liqo and without peerings: Liqo's namespace, a node, and the Networks of the cluster itself."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.client: Client = plane.admin
        self._local = count(1)
        self.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": LIQO}})
        self.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": WORKER}})
        self.put(network(LIQO, "pod-cidr", {"ipam.liqo.io/network-type": "pod-cidr"}, LOCAL_CIDR, LOCAL_CIDR))

    def put(self, thing: Mapping[str, Any]) -> str:
        """Apply an object and then its status; its path."""
        sent = {key: value for key, value in thing.items() if key != "status"}
        path = self.client.path(sent)
        self.client.apply(sent)
        if "status" in thing:
            self.client.patch_status(path, thing["status"])
        return path

    def remove(self, path: str) -> None:
        """Delete an object at once, without grace and without what holds it; nothing if it is not there."""
        try:
            stored = self.client.delete(path, gracePeriodSeconds="0")
            if stored.get("metadata", {}).get("finalizers"):
                self.client.patch(path, {"metadata": {"finalizers": None}})
        except ApiError as error:
            if error.status != 404:
                raise

    def address(self) -> str:
        """An address of this cluster's pods that nothing has."""
        number = next(self._local)
        return f"10.244.{1 + number // 250}.{1 + number % 250}"

    def namespace(self, prefix: str = "shop") -> str:
        """A new namespace of this cluster."""
        return self.plane.namespace(prefix)

    def pod(self, namespace: str, name: str, address: str = "", node: str = WORKER, **more: Any) -> str:
        """Write a Pod, or its new status; ``labels``, ``phase``, ``addresses`` and ``host_network`` may be given."""
        addresses = more.get("addresses") or ([address] if address else [])
        spec: Object = {"nodeName": node, "containers": [{"name": "main", "image": "registry.example/app:1"}]}
        if more.get("host_network"):
            spec["hostNetwork"] = True
        return self.put(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "namespace": namespace, "labels": dict(more.get("labels") or {})},
                "spec": spec,
                "status": {
                    "phase": more.get("phase", "Running"),
                    "podIP": addresses[0] if addresses else None,
                    "podIPs": [{"ip": each} for each in addresses],
                },
            }
        )

    def peering(self, **more: Any) -> "Peering":
        """A new peering with everything that Liqo makes for one; see ``Peering``."""
        return Peering(self, **more)


class Peering:
    """A remote cluster that is provider and consumer: its tenant namespace, Networks, virtual node and NamespaceMaps.

    ``name`` is its cluster id, ``tenant_name`` makes a tenant namespace that is known by its labels only, ``ready`` says whether the Networks have
    their CIDRs, ``role`` is that of the ForeignCluster.
    """

    def __init__(
        self,
        place: Place,
        *,
        name: str = "",
        tenant_name: str = "",
        ready: bool = True,
        role: str = "ConsumerAndProvider",
    ) -> None:
        number = next(_numbers)
        self.place = place
        self.name = name or f"milan-{number}"
        self.namespace = tenant_name or f"liqo-tenant-{self.name}"
        self.octet = number
        self.cidr = f"20.{number}.0.0/16"
        self.external_cidr = f"21.{number}.0.0/16"
        self._mapped: dict[str, str] = {}
        self._numbers = count(10)
        labels = {CLUSTER_LABEL: self.name, "liqo.io/tenant-namespace": "true"}
        tenant = {"name": self.namespace, "labels": labels}
        place.put({"apiVersion": "v1", "kind": "Namespace", "metadata": tenant})
        place.put(
            self._own("core.liqo.io/v1beta1", "ForeignCluster", self.name, spec={"clusterID": self.name}, namespace="")
            | {"status": {"role": role, "tenantNamespace": {"local": self.namespace}}}
        )
        self.uses(self.cidr)
        self.pod_network = self.network("pod", "10.244.0.0/16", self.cidr if ready else None)
        self.network("external", "10.70.0.0/16", self.external_cidr if ready else None)
        self.virtual_node(self.name)
        self._map()

    @property
    def firewall(self) -> str:
        """The path of its FirewallConfiguration."""
        return self.firewall_in(self.namespace)

    @property
    def standin(self) -> str:
        """The path of the one that stands in for it during an edit."""
        return f"{self.firewall}-standin"

    def firewall_in(self, namespace: str) -> str:
        """The path of a FirewallConfiguration for it in some namespace."""
        place = f"/apis/networking.liqo.io/v1beta1/namespaces/{namespace}"
        return f"{place}/firewallconfigurations/{self.name}-connectivity"

    def uses(self, *cidrs: str) -> None:
        """Write its Configuration, whose status says by which pod CIDRs Liqo reaches it."""
        real = {"cidr": {"pod": ["10.244.0.0/16"], "external": ["10.70.0.0/16"]}}
        seen = {"cidr": {"pod": list(cidrs), "external": [self.external_cidr]}}
        written = self._own("networking.liqo.io/v1beta1", "Configuration", f"cfg-{self.octet}", spec={"remote": real})
        self.place.put(written | {"status": {"remote": seen}})

    def network(self, kind: str, real: str, seen: str | None, name: str = "") -> str:
        """Write a Network of its pod or external CIDRs, with the CIDR that IPAM assigned unless there is none yet."""
        labels = {CLUSTER_LABEL: self.name, "configuration.liqo.io/cidr-type": kind}
        written = real.replace(".", "-").replace("/", "-")
        return self.place.put(network(self.namespace, name or f"cfg-{self.octet}-{kind}-{written}", labels, real, seen))

    def virtual_node(self, name: str) -> None:
        """Write a virtual node that stands for it, and the Node that the virtual kubelet makes of it."""
        self.place.put(self._own("offloading.liqo.io/v1beta1", "VirtualNode", name, spec={"clusterID": self.name}))
        labels = {CLUSTER_LABEL: self.name, "liqo.io/type": "virtual-node"}
        self.place.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}})

    def address(self) -> str:
        """An address of its pods that nothing has, as this cluster sees it."""
        number = next(self._numbers)
        return f"20.{self.octet}.{1 + number // 250}.{1 + number % 250}"

    def offload(self, namespace: str, strategy: str = "LocalAndRemote") -> str:
        """Offload a namespace of this cluster to it alone; the path of the NamespaceOffloading."""
        self._mapped[namespace] = f"{namespace}-{LINK_TO}"
        self._map()
        return self._offloading(namespace, strategy, "True")

    def withdraw(self, namespace: str) -> None:
        """Have Liqo say that a namespace is not offloaded to it any more, and take it out of the map."""
        del self._mapped[namespace]
        self._map()
        self._offloading(namespace, "LocalAndRemote", "False")

    def _offloading(self, namespace: str, strategy: str, required: str) -> str:
        term = {"matchExpressions": [{"key": CLUSTER_LABEL, "operator": "In", "values": [self.name]}]}
        condition = {"type": "OffloadingRequired", "status": required}
        return self.place.put(
            {
                "apiVersion": "offloading.liqo.io/v1beta1",
                "kind": "NamespaceOffloading",
                "metadata": {"name": "offloading", "namespace": namespace},
                "spec": {"podOffloadingStrategy": strategy, "clusterSelector": {"nodeSelectorTerms": [term]}},
                "status": {"remoteNamespacesConditions": {self.name: [condition]}},
            }
        )

    def host(self) -> str:
        """A namespace of this cluster that holds what it offloads to here."""
        name = self.place.plane.namespace("hosted", {CLUSTER_LABEL: self.name})
        path = f"/api/v1/namespaces/{name}"
        managed_by = {"liqo.io/managed-by-namespace-map": f"{self.namespace}/{LINK_TO}"}
        self.place.client.patch(path, {"metadata": {"annotations": managed_by}})
        return name

    @property
    def origin(self) -> dict[str, str]:
        """The labels of a pod that it offloaded to here."""
        return {"offloading.liqo.io/origin": self.name, "liqo.io/managed-by": "shadowpod"}

    def policy(self, *rules: PolicyRule, name: str = "policy") -> str:
        """Write a policy for it; its path."""
        return self.place.put(written_policy(self.namespace, name, rules))

    def _map(self) -> None:
        labels = {CLUSTER_LABEL: self.name, "liqo.io/remoteID": self.name, "liqo.io/replication": "true"}
        found = self._own("offloading.liqo.io/v1beta1", "NamespaceMap", self.name, spec={})
        path = self.place.put(found | {"metadata": {**found["metadata"], "labels": labels}})
        mapping = {here: {"remoteNamespace": there, "phase": "Accepted"} for here, there in self._mapped.items()}
        self.place.client.patch(
            f"{path}/status",
            [{"op": "add", "path": "/status", "value": {"currentMapping": mapping}}],
            "application/json-patch+json",
        )

    def _own(self, api_version: str, kind: str, name: str, spec: object, namespace: str | None = None) -> Object:
        where = self.namespace if namespace is None else namespace
        metadata = {"name": name, "labels": {CLUSTER_LABEL: self.name}} | ({"namespace": where} if where else {})
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}


def network(namespace: str, name: str, labels: Mapping[str, str], real: str, seen: str | None) -> Object:
    """A Network with the CIDR that IPAM assigned, unless it has none yet."""
    return {
        "apiVersion": "ipam.liqo.io/v1alpha1",
        "kind": "Network",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels)},
        "spec": {"cidr": real},
        "status": {"cidr": seen},
    }


def written_policy(namespace: str, name: str, rules: Sequence[PolicyRule]) -> Object:
    """A PeeringConnectivity in some namespace."""
    return {
        "apiVersion": "security.liqo.io/v1",
        "kind": "PeeringConnectivity",
        "metadata": {"name": name, "namespace": namespace},
        "spec": policy("none", *rules)["spec"],
    }
