"""An object of every kind that is read, with the fields that facts come from."""

import copy
from typing import Any

from liqo_connectivity.facts import KIND_BY_NAME, decode_mapping
from liqo_connectivity.facts.base.fact import segments

Json = dict[str, Any]
POD: Json = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "web-0",
        "namespace": "shop",
        "uid": "u1",
        "resourceVersion": "7",
        "labels": {"app": "web", "liqo.io/shadowPod": "true", "offloading.liqo.io/origin": "rome"},
        "annotations": {
            "k8s.v1.cni.cncf.io/network-status": '[{"name": "cni", "ips": ["10.71.2.7"], "default": true}, '
            '{"name": "shop/storage", "interface": "net1", "ips": ["192.168.77.7"]}]'
        },
    },
    "spec": {"nodeName": "milan", "hostNetwork": True, "containers": [{"name": "c"}]},
    "status": {"phase": "Running", "podIP": "10.71.2.7", "podIPs": [{"ip": "10.71.2.7"}, {"ip": "FD00::1"}]},
}
NAMESPACE: Json = {
    "metadata": {
        "name": "liqo-tenant-milan",
        "labels": {"liqo.io/remote-cluster-id": "milan", "liqo.io/tenant-namespace": "true"},
        "annotations": {"liqo.io/managed-by-namespace-map": "liqo-tenant-milan/milan", "other": "secret"},
    }
}
NODE: Json = {
    "metadata": {"name": "milan", "labels": {"liqo.io/type": "virtual-node", "liqo.io/remote-cluster-id": "milan"}},
    "status": {
        "addresses": [{"type": "InternalIP", "address": "10.244.1.5"}, {"type": "Hostname", "address": "milan"}]
    },
}
NETWORK: Json = {
    "metadata": {
        "name": "milan-pod-10-244-0-0-16",
        "namespace": "liqo-tenant-milan",
        "deletionTimestamp": "2026-11-22T23:53:00Z",
        "labels": {
            "liqo.io/remote-cluster-id": "milan",
            "configuration.liqo.io/cidr-type": "pod",
            "ipam.liqo.io/network-type": "pod-cidr",
        },
    },
    "spec": {"cidr": "10.244.0.0/16", "preAllocated": 0},
    "status": {"cidr": "10.71.0.0/16"},
}
CONFIGURATION: Json = {
    "metadata": {"name": "milan", "namespace": "liqo-tenant-milan", "labels": {"liqo.io/remote-cluster-id": "milan"}},
    "spec": {
        "local": {"cidr": {"pod": ["10.200.0.0/17"]}},
        "remote": {"cidr": {"pod": ["10.244.0.0/16", "10.60.0.0/16"], "external": "10.70.0.0/16"}},
    },
    "status": {"remote": {"cidr": {"pod": ["10.71.0.0/16"]}}},
}
OFFLOADING: Json = {
    "metadata": {"name": "offloading", "namespace": "shop", "deletionTimestamp": "2026-11-22T23:53:00Z"},
    "spec": {
        "podOffloadingStrategy": "Remote",
        "clusterSelector": {
            "nodeSelectorTerms": [
                {
                    "matchExpressions": [{"key": "region", "operator": "In", "values": ["north"]}],
                    "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["milan"]}],
                },
                {"matchExpressions": "region"},
            ]
        },
    },
    "status": {
        "remoteNamespacesConditions": {
            "milan": [{"type": "Ready", "status": "True"}, {"type": "OffloadingRequired", "status": "True"}],
            "naples": [{"type": "OffloadingRequired", "status": "False"}],
        }
    },
}
NAMESPACE_MAP: Json = {
    "metadata": {
        "name": "milan",
        "namespace": "liqo-tenant-milan",
        "labels": {"liqo.io/remote-cluster-id": "milan", "liqo.io/replication": "true"},
    },
    "status": {
        "currentMapping": {
            "shop": {"phase": "Accepted", "remoteNamespace": "shop-rome"},
            "batch": {"phase": "CreationLoopBackOff"},
            "No Name\n": {"phase": "Accepted"},
        }
    },
}
VIRTUAL_NODE: Json = {
    "metadata": {"name": "mypool", "namespace": "liqo-tenant-milan"},
    "spec": {"clusterID": "milan", "labels": {"zone": "north"}},
}
FOREIGN_CLUSTER: Json = {
    "metadata": {"name": "milan"},
    "spec": {"clusterID": "milan"},
    "status": {"role": "Provider", "tenantNamespace": {"local": "liqo-tenant-milan"}},
}
SERVICE: Json = {
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {
        "type": "LoadBalancer",
        "clusterIP": "10.96.33.7",
        "clusterIPs": ["10.96.33.7", "FD00:96::7"],
        "externalIPs": ["198.51.100.7"],
        "ports": [
            {"name": "http", "port": 80, "nodePort": 30080, "targetPort": "web"},
            {"port": 53, "protocol": "UDP"},
        ],
    },
    "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.80", "ipMode": "Proxy"}, {"hostname": "lb.example"}]}},
}
EXTERNAL_NAME: Json = {
    "metadata": {"name": "mail", "namespace": "shop"},
    "spec": {"type": "ExternalName", "externalName": "mail.example.com"},
}
ENDPOINT_SLICE: Json = {
    "metadata": {
        "name": "web-x",
        "namespace": "shop",
        "labels": {"kubernetes.io/service-name": "web", "k8s-app": "kube-dns"},
    },
    "addressType": "IPv4",
    "endpoints": [{"addresses": ["10.71.2.7"], "conditions": {"ready": False}}, {"addresses": ["host.example"]}],
    "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}, {"port": 5353, "protocol": "UDP"}, {"name": "any"}],
}
POLICY: Json = {
    "metadata": {
        "name": "guard",
        "namespace": "liqo-tenant-milan",
        "creationTimestamp": "1970-01-01T00:01:00Z",
        "deletionTimestamp": "2026-11-22T23:53:00Z",
    },
    "spec": {
        "rules": [
            {"action": "allow", "source": {"group": "vc-local"}, "destination": {"namespace": "shop"}},
            {"action": "nonsense", "source": {}, "priority": 1},
            {},
        ]
    },
}


EVERY_FIELD: Json = {
    "metadata": {"name": "guard", "namespace": "liqo-tenant-milan"},
    "spec": {
        "defaultAction": "deny",
        "rules": [
            {
                "name": "web",
                "action": "allow",
                "source": {"group": "vc-local", "podSelector": {"matchLabels": {"app": "web", "acme.io/tier": "gold"}}},
                "destination": {
                    "namespaceSelector": {
                        "matchExpressions": [
                            {"key": "env", "operator": "NotIn", "values": ["test", "acme", "test"]},
                            {"key": "env", "operator": "Exists"},
                            {"key": "acme-legacy", "operator": "DoesNotExist"},
                            {"key": "team", "operator": "In", "values": ["acme"]},
                        ]
                    },
                },
                "ports": [{"protocol": "TCP", "port": 443}, {"protocol": "UDP", "port": 5000, "endPort": 5010}, {}],
            },
            {
                "action": "deny",
                "destination": {"cidr": {"cidr": "192.0.2.0/24", "except": ["192.0.2.7/32", "192.0.2.9/32"]}},
                "ports": [],
            },
        ],
    },
}
"""A policy with every field that EXAMPLES' has not."""


def schema(*fields: str) -> Json:
    match = {"properties": {"ctstate": {"type": "object"}} if "ctstate" in fields else {}}
    rules = {"properties": {"filterRules": {"items": {"properties": {"match": {"items": match}}}}}}
    table: Json = {"properties": {"chains": {"items": {"properties": {"rules": rules}}}}}
    if "sets" in fields:
        table["properties"]["sets"] = {"type": "array"}
    return {"openAPIV3Schema": {"properties": {"spec": {"properties": {"table": table}}}}}


def crd(*versions: Json) -> Json:
    return {"metadata": {"name": "firewallconfigurations.networking.liqo.io"}, "spec": {"versions": list(versions)}}


CRD = crd({"name": "v1beta1", "served": True, "storage": True, "schema": schema("sets", "ctstate")})
EXAMPLES: dict[str, Json] = {
    "Pod": POD,
    "Namespace": NAMESPACE,
    "Node": NODE,
    "Network": NETWORK,
    "Configuration": CONFIGURATION,
    "NamespaceOffloading": OFFLOADING,
    "NamespaceMap": NAMESPACE_MAP,
    "VirtualNode": VIRTUAL_NODE,
    "ForeignCluster": FOREIGN_CLUSTER,
    "PeeringConnectivity": POLICY,
    "CustomResourceDefinition": CRD,
    "Service": SERVICE,
    "EndpointSlice": ENDPOINT_SLICE,
}


def rows(kind: str, value: object) -> set[tuple[str | int, ...]]:
    """The rows of an object, each with its relation first."""
    decoded = decode_mapping(KIND_BY_NAME[kind], value)
    assert decoded.problem is None, str(decoded.problem)
    return {(fact.relation, *fact.row) for fact in decoded.facts}


def changed(value: Json, path: str, to: object) -> Json:
    """A deep copy with another value at a pointer; ``...`` removes the field."""
    result = copy.deepcopy(value)
    *parents, last = segments(path)
    inner: Any = result
    for step in parents:
        inner = inner[int(step)] if isinstance(inner, list) else inner.setdefault(step, {})
    if to is ...:
        del inner[last]
    else:
        inner[last] = to
    return result
