"""A small state of the controller, and objects that change it."""

from liqo_connectivity.engine import Program
from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import (
    FIREWALL,
    POLICY,
    Observed,
    StoredFirewall,
    stored_firewall,
    stored_policy,
)
from liqo_connectivity.operator.controller.state.state import State
from tests.support.clusters import decoded_of, program
from tests.support.descriptions import Cluster
from tests.support.manifests import Object, objects

Batch = dict[tuple[str, ObjectKey], Observed | None]
CRD = objects(Cluster(firewall_fields=frozenset({"sets", "ctstate"})))[0]
WRITTEN = ObjectKey(FIREWALL, "liqo-tenant-milan", "milan-connectivity")


def observed(found: Object) -> tuple[tuple[str, ObjectKey], Observed]:
    decoded = decoded_of(found)
    stored = stored_policy(found) if found["kind"] == POLICY else None
    return (found["kind"], decoded.key), Observed(decoded.facts, stored, decoded.labels)


def fresh(batch: Batch, rules: Program | None = None) -> State:
    state = State(rules or program())
    state.apply(batch)
    return state


# ---- What changed ----


def policy(
    name: str = "guard", *, created: str = "2026-01-01T00:00:00Z", version: str = "1", **metadata: object
) -> Object:
    return {
        "apiVersion": "security.liqo.io/v1",
        "kind": POLICY,
        "metadata": {
            "name": name,
            "namespace": "liqo-tenant-milan",
            "uid": f"uid-{name}",
            "resourceVersion": version,
            "generation": 1,
            "creationTimestamp": created,
            **metadata,
        },
        "spec": {"rules": [{"action": "deny", "source": {"namespace": "shop"}}]},
    }


def network() -> Object:
    labels = {"liqo.io/remote-cluster-id": "milan", "configuration.liqo.io/cidr-type": "pod"}
    return {
        "apiVersion": "ipam.liqo.io/v1alpha1",
        "kind": "Network",
        "metadata": {"name": "milan-pod", "namespace": "liqo-tenant-milan", "labels": labels},
        "spec": {"cidr": "10.244.0.0/16"},
        "status": {"cidr": "10.71.0.0/16"},
    }


def pod(address: str, name: str = "web", version: str = "1", **more: object) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "resourceVersion": version, **more},
        "spec": {"nodeName": "worker"},
        "status": {"phase": "Running", "podIP": address},
    }


def node() -> Object:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "worker", "resourceVersion": "1"}}


def small(*more: Object, rules: Program | None = None) -> State:
    return fresh(dict(map(observed, [CRD, network(), node(), policy(), *more])), rules)


def tell(state: State, *found: Object) -> object:
    return state.apply(dict(map(observed, found)))


def firewall(version: str = "5", **more: object) -> StoredFirewall:
    metadata: dict[str, object] = {
        "name": WRITTEN.name,
        "namespace": WRITTEN.namespace,
        "uid": "u",
        "resourceVersion": version,
        "labels": {
            "app.kubernetes.io/managed-by": "liqo-connectivity-engine",
            "security.liqo.io/owner-uid": "uid-guard",
        },
        "annotations": {"security.liqo.io/owner": "guard"},
    }
    return stored_firewall({"metadata": {**metadata, **more}, "spec": {"table": {"chains": [{}]}}})
