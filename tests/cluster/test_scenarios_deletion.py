"""Policies go: the chain is emptied, then deleted, and the policy last; and what Liqo's agents report of a chain.

The tests bear the numbers of the scenarios that they play on a real API server.
"""

import time

import pytest

from tests.support.api_client import Object
from tests.support.liqo_fabric import BROKEN, SILENT, reported
from tests.support.liqo_peerings import Peering, written_policy
from tests.support.operator_cluster import FINALIZER, FIREWALLS, POLICIES
from tests.support.operator_scene import HOSTS, Scene
from tests.support.recorder import Recorder, version
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

RULES = (("deny", "remote-cluster", "any"), ("allow", "vc-local", "vc-remote"))


def enforced(scene: Scene) -> tuple[Peering, str]:
    """A peering whose policy is ready, and in the agents' kernels; and the policy's path."""
    peering = scene.place.peering()
    policy = peering.policy(*RULES)
    scene.cluster.said(policy, "Ready", "True")
    eventually(lambda: scene.fabric.holds(f"connectivity-{peering.name}") == list(HOSTS))
    return peering, policy


def is_empty(event: Object) -> bool:
    table = event["object"]["spec"]["table"]
    return not table.get("chains") and not table.get("sets")


def test_scenario_32_a_chain_is_emptied_then_deleted_and_the_policy_goes_last(scene: Scene) -> None:
    with Recorder(scene.plane, FIREWALLS, POLICIES) as recorder:
        peering, policy = enforced(scene)
        assert scene.cluster.client.get(policy)["metadata"]["finalizers"] == [FINALIZER]
        scene.cluster.client.delete(policy)
        eventually(lambda: scene.cluster.get(policy) is None)
        assert scene.cluster.get(peering.firewall) is None
        assert scene.fabric.holds(f"connectivity-{peering.name}") == []
        name = f"{peering.name}-connectivity"
        eventually(lambda: recorder.of("FirewallConfiguration", name)[-1]["type"] == "DELETED")
        written = recorder.of("FirewallConfiguration", name)
        policies = [
            event
            for event in recorder.of("PeeringConnectivity", "policy")
            if event["object"]["metadata"]["namespace"] == peering.namespace
        ]
    # The finalizer is on the policy before there is anything that would be left behind.
    held = next(event for event in policies if FINALIZER in event["object"]["metadata"].get("finalizers", []))
    assert version(held) < version(written[0])
    emptied = next(event for event in written if is_empty(event))
    deleted = next(event for event in written if "deletionTimestamp" in event["object"]["metadata"])
    assert version(emptied) < version(deleted)
    assert written[-1]["type"] == policies[-1]["type"] == "DELETED"
    assert version(written[-1]) < version(policies[-1])


def test_scenario_32_a_deletion_that_is_refused_is_told_and_goes_on_later(scene: Scene) -> None:
    peering, policy = enforced(scene)
    scene.webhook.down()
    try:
        scene.cluster.client.delete(policy)
        condition = scene.cluster.said(policy, "Ready", "False", "DeletionFailed")
        assert "webhook" in condition["message"]
        scene.cluster.settled(peering.namespace, 10)
        assert FINALIZER in scene.cluster.client.get(policy)["metadata"]["finalizers"]
        assert scene.cluster.client.get(peering.firewall)["spec"]["table"]["chains"]
    finally:
        scene.webhook.up()
    eventually(lambda: scene.cluster.get(policy) is None)
    assert scene.cluster.get(peering.firewall) is None


def test_scenario_32_an_agent_that_never_reports_is_waited_for_so_long_and_no_longer(scene: Scene) -> None:
    with scene.fabric.with_host("fabric-silent", SILENT), Recorder(scene.plane, FIREWALLS) as recorder:
        peering = scene.place.peering()
        policy = peering.policy(*RULES)
        scene.cluster.said(policy, "Enforced", "Unknown")
        scene.cluster.client.delete(policy)
        begin = time.monotonic()
        eventually(lambda: scene.cluster.get(policy) is None)
        assert time.monotonic() - begin > 1.5, "it was given its time"
        written = recorder.of("FirewallConfiguration", f"{peering.name}-connectivity")
        assert any(is_empty(event) for event in written)
    events = scene.cluster.client.list(f"/apis/events.k8s.io/v1/namespaces/{peering.namespace}/events")
    assert any("fabric-silent" in event.get("note", "") for event in events), events


def test_scenario_33_a_policy_that_comes_back_waits_for_the_old_object_to_be_gone(scene: Scene) -> None:
    peering, policy = enforced(scene)
    old = scene.cluster.client.get(peering.firewall)["metadata"]["uid"]
    scene.fabric.pause()
    try:
        scene.cluster.client.delete(policy)
        # Nobody takes Liqo's finalizer off, so the controller gives up waiting.
        eventually(lambda: scene.cluster.get(policy) is None)
        terminating = scene.cluster.client.get(peering.firewall)
        assert terminating["metadata"]["deletionTimestamp"]
        peering.policy(*RULES)
        condition = scene.cluster.said(policy, "Programmed", "False")
        assert f"{peering.name}-connectivity" in condition["message"]
        scene.cluster.settled(peering.namespace, 10)
        assert scene.cluster.client.get(peering.firewall) == terminating, "it is not written any more"
    finally:
        scene.fabric.resume()
    scene.cluster.said(policy, "Ready", "True")
    assert scene.cluster.client.get(peering.firewall)["metadata"]["uid"] != old
    scene.cluster.as_rendered(peering.namespace)
    eventually(lambda: scene.fabric.holds(f"connectivity-{peering.name}") == list(HOSTS))


def test_scenario_30_a_chain_is_handed_over_without_a_gap(scene: Scene) -> None:
    peering = scene.place.peering()
    first = peering.policy(*RULES, name="a-first")
    scene.cluster.said(first, "Ready", "True")
    second = peering.policy(*RULES, name="b-second")
    scene.cluster.said(second, "Accepted", "False", "Conflict")
    with Recorder(scene.plane, FIREWALLS) as recorder:
        scene.cluster.client.delete(first)
        scene.cluster.said(second, "Ready", "True")
        # The two policies are reconciled one after the other: which is last is open.
        eventually(lambda: scene.cluster.get(first) is None)
        written = recorder.of("FirewallConfiguration", f"{peering.name}-connectivity")
    assert not [event for event in written if is_empty(event) or event["type"] == "DELETED"]


def test_a_policy_that_governs_nothing_goes_at_once(scene: Scene) -> None:
    elsewhere = scene.place.put(written_policy(scene.place.namespace("elsewhere"), "policy", RULES))
    scene.cluster.said(elsewhere, "Accepted", "False")
    # As if it had governed before its namespace lost its labels.
    scene.cluster.client.patch(elsewhere, {"metadata": {"finalizers": [FINALIZER]}})
    scene.cluster.client.delete(elsewhere)
    eventually(lambda: scene.cluster.get(elsewhere) is None)


def test_a_tenant_namespace_can_be_deleted_with_all_that_is_in_it(scene: Scene) -> None:
    peering, policy = enforced(scene)
    namespace = f"/api/v1/namespaces/{peering.namespace}"
    scene.fabric.pause()  # with the last of a cluster's peerings Liqo itself may be gone
    try:
        scene.cluster.client.delete(namespace)
        eventually(lambda: scene.cluster.get(policy) is None, 10)
    finally:
        scene.fabric.resume()
    eventually(lambda: scene.cluster.get(namespace) is None)
    assert scene.cluster.get(peering.firewall) is None


def test_a_policy_that_loses_its_tenant_label_keeps_its_chain(scene: Scene) -> None:
    peering = scene.place.peering(tenant_name="by-its-labels")
    policy = peering.policy(*RULES)
    scene.cluster.said(policy, "Ready", "True")
    before = scene.cluster.client.get(peering.firewall)["spec"]
    namespace, label = f"/api/v1/namespaces/{peering.namespace}", "liqo.io/tenant-namespace"
    # Before a peering is authenticated, its ForeignCluster does not name the namespace, and the labels alone do.
    foreign = f"/apis/core.liqo.io/v1beta1/foreignclusters/{peering.name}"
    scene.cluster.client.patch_status(foreign, {"tenantNamespace": {"local": None}})
    scene.cluster.client.patch(namespace, {"metadata": {"labels": {label: None}}})
    scene.cluster.said(policy, "Accepted", "False", "ClusterIDExtractionFailed")
    scene.cluster.settled(peering.namespace)
    assert scene.cluster.client.get(peering.firewall)["spec"] == before
    scene.cluster.client.patch(namespace, {"metadata": {"labels": {label: "true"}}})
    scene.cluster.said(policy, "Ready", "True")
    scene.cluster.client.delete(policy)
    eventually(lambda: scene.cluster.get(policy) is None)
    assert scene.cluster.get(peering.firewall) is None


# ---- What agents report ----


def test_scenario_41_one_agent_that_fails_makes_the_policy_not_ready(scene: Scene) -> None:
    peering, policy = enforced(scene)
    with scene.fabric.with_host("fabric-c", BROKEN):
        condition = scene.cluster.said(policy, "Enforced", "False")
        assert "fabric-c" in condition["message"]
        assert scene.cluster.conditions(policy)["Ready"][0] == "False"
        assert scene.cluster.conditions(policy)["Programmed"][0] == "True"
        scene.fabric.mend("fabric-c")
        scene.cluster.said(policy, "Ready", "True")
    # It left its reports behind.
    reported(scene.plane, peering.firewall, **{"fabric-c": "True"})


def test_scenario_41_an_agent_that_did_not_report_is_waited_for(scene: Scene) -> None:
    _, policy = enforced(scene)
    with scene.fabric.with_host("fabric-d", SILENT):
        condition = scene.cluster.said(policy, "Enforced", "Unknown")
        assert "fabric-d" in condition["message"]
        assert scene.cluster.conditions(policy)["Ready"][0] != "True"
        scene.fabric.mend("fabric-d")
        scene.cluster.said(policy, "Ready", "True")


def test_scenario_41_the_report_of_a_dead_agent_does_not_count(scene: Scene) -> None:
    peering, policy = enforced(scene)
    with scene.fabric.with_host("fabric-e", BROKEN):
        scene.cluster.said(policy, "Enforced", "False")
    scene.cluster.said(policy, "Ready", "True")
    reported(scene.plane, peering.firewall, **{"fabric-e": "False"})


def test_scenario_41_an_empty_report_is_none(scene: Scene) -> None:
    peering, policy = enforced(scene)
    with scene.fabric.with_host("fabric-f", SILENT):
        stored = scene.cluster.client.get(peering.firewall)["status"]["conditions"]
        empty = {"host": "fabric-f", "type": "", "status": ""}
        scene.cluster.client.patch_status(peering.firewall, {"conditions": [*stored, empty]})
        scene.cluster.said(policy, "Enforced", "Unknown")


def test_scenario_41_without_any_agent_nothing_is_enforced(scene: Scene) -> None:
    _, policy = enforced(scene)
    for host in HOSTS:
        scene.fabric.leave(host)
    try:
        scene.cluster.said(policy, "Enforced", "Unknown", "NoAgents")
        assert scene.cluster.conditions(policy)["Ready"] == ("Unknown", "NoAgents")
    finally:
        for host in HOSTS:
            scene.fabric.join(host)
    scene.cluster.said(policy, "Ready", "True")
