"""What is watched, and what is read from each object."""

import json

import pytest

from liqo_connectivity.facts import KIND_BY_NAME, KINDS, decode_mapping
from liqo_connectivity.facts.base.fact import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import Agent, Observed, StoredFirewall, StoredPolicy
from liqo_connectivity.operator.controller.state.state import GOALS
from liqo_connectivity.operator.controller.watching.resources import (
    Bookmark,
    Failure,
    WatchEvent,
    WatchEventError,
)
from liqo_connectivity.operator.kube.rest_client import PARTIAL
from liqo_connectivity.rules import relations
from liqo_connectivity.rules.program import load
from tests.support.reflector_rig import PODS, RESOURCES
from tests.support.scripted_api import Json
from tests.support.scripted_pods import pod

# ---- The table ----


def test_what_is_watched() -> None:
    assert {(name, resource.path, resource.crd) for name, resource in RESOURCES.items()} == {
        ("pods", "/api/v1/pods", ""),
        ("namespaces", "/api/v1/namespaces", ""),
        ("nodes", "/api/v1/nodes", ""),
        ("customresourcedefinitions", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", ""),
        ("networks", "/apis/ipam.liqo.io/v1alpha1/networks", "networks.ipam.liqo.io"),
        ("configurations", "/apis/networking.liqo.io/v1beta1/configurations", "configurations.networking.liqo.io"),
        (
            "namespaceoffloadings",
            "/apis/offloading.liqo.io/v1beta1/namespaceoffloadings",
            "namespaceoffloadings.offloading.liqo.io",
        ),
        ("namespacemaps", "/apis/offloading.liqo.io/v1beta1/namespacemaps", "namespacemaps.offloading.liqo.io"),
        ("virtualnodes", "/apis/offloading.liqo.io/v1beta1/virtualnodes", "virtualnodes.offloading.liqo.io"),
        ("foreignclusters", "/apis/core.liqo.io/v1beta1/foreignclusters", "foreignclusters.core.liqo.io"),
        (
            "peeringconnectivities",
            "/apis/security.liqo.io/v1/peeringconnectivities",
            "peeringconnectivities.security.liqo.io",
        ),
        (
            "firewallconfigurations",
            "/apis/networking.liqo.io/v1beta1/firewallconfigurations",
            "firewallconfigurations.networking.liqo.io",
        ),
        ("agents", "/api/v1/namespaces/liqo/pods", ""),
        ("endpointslices", "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices", ""),
    }
    assert RESOURCES["endpointslices"].query == (("labelSelector", "k8s-app=kube-dns"),)
    assert [name for name, resource in RESOURCES.items() if "PartialObjectMetadata" in resource.accept] == [
        "namespaces",
        "nodes",
    ]


def event(resource: str, item: Json, kind: str = "ADDED") -> WatchEvent | Bookmark | Failure:
    return RESOURCES[resource].parse(json.dumps({"type": kind, "object": item}).encode())


def test_what_only_an_answer_needs_costs_the_controller_nothing() -> None:
    """No Service is watched, of its endpoints only those of the DNS, no status of a Node is read, which changes with each heartbeat, and no blind spot derived."""
    unwatched = {kind.plural for kind in KINDS if not kind.watched}
    assert unwatched == {"services", "endpointslices"}
    assert not unwatched & RESOURCES.keys() - {"endpointslices"}, "those of the DNS alone are watched"
    assert RESOURCES["nodes"].accept == PARTIAL
    derived = load().slice(GOALS).rules_by_head
    assert "chain_element" in derived
    assert not [name for name in derived if name.startswith(("service", "blind", "object_blind", "node_ip", "flow"))]


def test_the_quick_way_to_read_a_pod_gives_what_the_slow_way_gives() -> None:
    item = pod("a", 7)
    item["metadata"]["labels"] = {"liqo.io/shadowPod": "true", "app": "web"}
    told = event("pods", item)
    assert told == WatchEvent(PODS.read(item), gone=False)
    assert isinstance(told, WatchEvent)
    assert told.object.observed.labels == ("app", "web", "liqo.io/shadowPod", "true")
    assert event("pods", item, "DELETED") == WatchEvent(PODS.read(item), gone=True)
    assert PODS.read_line is not None
    assert PODS.read_line(json.dumps({"type": "BOOKMARK", "object": item}).encode()) is None


def test_a_policy_is_facts_and_a_stored_policy() -> None:
    item: Json = {
        "metadata": {
            "name": "guard",
            "namespace": "liqo-tenant-milan",
            "uid": "u",
            "resourceVersion": "8",
            "generation": 3,
        },
        "spec": {"rules": []},
    }
    told = event("peeringconnectivities", item)
    assert isinstance(told, WatchEvent)
    assert told.object.observed.facts == decode_mapping(KIND_BY_NAME["PeeringConnectivity"], item).facts
    stored = told.object.observed.stored
    assert isinstance(stored, StoredPolicy)
    assert (stored.key, stored.generation, told.object.key) == (told.object.key, 3, ObjectKey(*told.object.key))
    # One that cannot be read has a status all the same, to say it in.
    broken = event("peeringconnectivities", item | {"spec": {"rules": 1}})
    assert isinstance(broken, WatchEvent)
    assert broken.object.observed.stored == stored
    assert [type(fact.row) for fact in broken.object.observed.facts] == [relations.Unreadable]


def test_a_firewall_configuration_and_an_agent_assert_no_facts() -> None:
    firewall: Json = {
        "metadata": {"name": "milan-connectivity", "namespace": "liqo-tenant-milan", "resourceVersion": "8"},
        "spec": {"table": {"name": "t"}},
    }
    told = event("firewallconfigurations", firewall)
    assert isinstance(told, WatchEvent)
    assert told.object.observed.facts == ()
    assert isinstance(told.object.observed.stored, StoredFirewall)
    assert told.object.key == told.object.observed.stored.key
    agent = event("agents", pod("fabric-1", 9, namespace="liqo"))
    assert isinstance(agent, WatchEvent)
    assert agent.object.observed == Observed((), Agent(agent.object.key, live=True, node="worker"))
    with pytest.raises(WatchEventError, match="no name"):
        event("agents", {"metadata": {"resourceVersion": "1"}})
