"""Labels and the cluster's DNS change while the controller runs: the sets of every policy that selects by them follow."""

import json
from functools import partial
from typing import Any

import pytest

from tests.support.api_client import Object
from tests.support.liqo_peerings import Peering
from tests.support.operator_scene import Scene
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow


def policy(scene: Scene, peering: Peering, **source: Any) -> None:
    """Write a policy whose only rule denies a source, and wait until its chain is stored."""
    rule: Object = {"action": "deny", "source": source, "destination": {"group": "remote-cluster"}}
    written = {
        "apiVersion": "security.liqo.io/v1",
        "kind": "PeeringConnectivity",
        "metadata": {"name": "policy", "namespace": peering.namespace},
        "spec": {"rules": [rule]},
    }
    scene.cluster.programmed(scene.place.put(written))


def selected(scene: Scene, peering: Peering) -> set[str]:
    """The addresses of all sets of the stored chain."""
    sets = (scene.cluster.get(peering.firewall) or {}).get("spec", {}).get("table", {}).get("sets", [])
    return {entry["key"] for held in sets for entry in held["elements"]}


def selects(scene: Scene, peering: Peering, *wanted: str) -> None:
    """Wait until the sets have exactly these addresses, as a rendering of all objects has them."""
    eventually(
        lambda: selected(scene, peering) == {*wanted},
        20,
        shows=lambda: json.dumps(scene.cluster.get(peering.firewall))[:4000],
    )
    scene.cluster.as_rendered(peering.namespace)


def test_a_pod_is_selected_as_long_as_it_has_the_label(scene: Scene) -> None:
    peering, namespace = scene.place.peering(), scene.place.namespace()
    web, database = scene.place.address(), scene.place.address()
    put = partial(scene.place.pod, namespace)
    put("web", web, labels={"app": "web", "tier": "gold"})
    put("db", database, labels={"app": "db", "tier": "gold"})
    policy(scene, peering, namespace=namespace, podSelector={"matchLabels": {"app": "web"}})
    selects(scene, peering, web)
    put("db", database, labels={"app": "web", "tier": "gold"})
    selects(scene, peering, web, database)
    put("web", web, labels={"tier": "gold"})
    selects(scene, peering, database)


def test_a_policy_that_names_another_label_selects_by_it(scene: Scene) -> None:
    peering, namespace = scene.place.peering(), scene.place.namespace()
    web, database, plain = (scene.place.address() for _ in range(3))
    scene.place.pod(namespace, "web", web, labels={"app": "web", "tier": "gold"})
    scene.place.pod(namespace, "db", database, labels={"app": "db", "tier": "silver"})
    scene.place.pod(namespace, "plain", plain)
    policy(scene, peering, namespace=namespace, podSelector={"matchLabels": {"app": "web"}})
    selects(scene, peering, web)
    for expression, wanted in (
        ({"key": "tier", "operator": "In", "values": ["silver", "bronze"]}, {database}),
        ({"key": "tier", "operator": "NotIn", "values": ["gold"]}, {database, plain}),
        ({"key": "tier", "operator": "Exists"}, {web, database}),
        ({"key": "tier", "operator": "DoesNotExist"}, {plain}),
    ):
        policy(scene, peering, namespace=namespace, podSelector={"matchExpressions": [expression]})
        selects(scene, peering, *wanted)


def test_a_labelled_namespace_is_selected_with_its_pods(scene: Scene) -> None:
    peering, namespace, address = scene.place.peering(), scene.place.namespace(), scene.place.address()
    scene.place.pod(namespace, "web", address)
    policy(scene, peering, namespaceSelector={"matchLabels": {"team": namespace}})
    selects(scene, peering)
    path = f"/api/v1/namespaces/{namespace}"
    scene.cluster.client.patch(path, {"metadata": {"labels": {"team": namespace}}})
    selects(scene, peering, address)
    scene.cluster.client.patch(path, {"metadata": {"labels": {"team": None}}})
    selects(scene, peering)


def test_the_nameserver_is_where_the_dns_is_now(scene: Scene) -> None:
    peering = scene.place.peering()
    made = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4"}
    metadata = {"name": f"dns-{peering.name}", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}}
    policy(scene, peering, group="nameserver")
    first, second = scene.place.address(), scene.place.address()

    def stored(*addresses: str) -> None:
        text = json.dumps(scene.cluster.get(peering.firewall) or {})
        assert all((address in text) == (address in addresses) for address in (first, second))

    path = ""
    try:
        for address in (first, second):
            path = scene.place.put({**made, "metadata": metadata, "endpoints": [{"addresses": [address]}]})
            scene.cluster.as_rendered(peering.namespace)
            stored(address)
    finally:
        scene.place.remove(path)
    scene.cluster.as_rendered(peering.namespace)
    stored()
