"""Somebody else writes, refuses or alters what the controller writes: it restores, waits, says why, and goes on.

The tests bear the numbers of the scenarios that they play on a real API server.
"""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.api_client import ApiError, Object
from tests.support.liqo_peerings import Peering
from tests.support.manifest_tools import NAME
from tests.support.operator_cluster import FIREWALLS, POLICIES, party
from tests.support.operator_scene import Scene
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

MANAGED_BY = "app.kubernetes.io/managed-by"
CLUSTER_ROLE = f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{NAME}"


@pytest.fixture
def peering(scene: Scene) -> Peering:
    """A peering whose policy is ready."""
    peering = scene.place.peering()
    scene.cluster.said(peering.policy(("deny", "remote-cluster", "any")), "Ready", "True")
    return peering


def policy_of(peering: Peering) -> str:
    return f"/apis/security.liqo.io/v1/namespaces/{peering.namespace}/peeringconnectivities/policy"


EDITS: dict[str, Any] = {
    "no rules": {"spec": {"table": {"chains": []}}},
    "another chain": {
        "spec": {
            "table": {
                "chains": [
                    {
                        "name": "connectivity",
                        "hook": "postrouting",
                        "type": "filter",
                        "policy": "drop",
                        "priority": 90,
                        "rules": {"filterRules": []},
                    }
                ]
            }
        }
    },
    "a set more": {"spec": {"table": {"sets": [{"name": "more", "keyType": "ipv4_addr", "elements": []}]}}},
    "no category": {"metadata": {"labels": {"networking.liqo.io/firewall-category": None}}},
    "another owner": {"metadata": {"annotations": {"security.liqo.io/owner": "somebody"}}},
    "another owner uid": {"metadata": {"labels": {"security.liqo.io/owner-uid": "none"}}},
}


def _ours(stored: Object) -> Object:
    """What the controller wrote of an object."""
    metadata = stored["metadata"]
    return {"labels": metadata["labels"], "annotations": metadata["annotations"], "spec": stored["spec"]}


@pytest.mark.parametrize("edit", EDITS)
def test_scenario_31_an_edit_by_hand_is_undone(scene: Scene, peering: Peering, edit: str) -> None:
    before = scene.cluster.client.get(peering.firewall)
    edited = scene.cluster.client.patch(peering.firewall, EDITS[edit])
    assert _ours(edited) != _ours(before)
    eventually(lambda: _ours(scene.cluster.client.get(peering.firewall)) == _ours(before))
    assert scene.cluster.client.get(peering.firewall)["metadata"]["uid"] == before["metadata"]["uid"]
    scene.cluster.settled()
    scene.cluster.said(policy_of(peering), "Ready", "True")


def test_scenario_31_what_is_deleted_by_hand_is_made_again(scene: Scene, peering: Peering) -> None:
    before = scene.cluster.client.get(peering.firewall)
    scene.cluster.client.delete(peering.firewall)
    eventually(lambda: (scene.cluster.get(peering.firewall) or before)["metadata"]["uid"] != before["metadata"]["uid"])
    scene.cluster.as_rendered(peering.namespace)
    scene.cluster.said(policy_of(peering), "Ready", "True")
    eventually(lambda: scene.fabric.holds(f"connectivity-{peering.name}") == ["fabric-a", "fabric-b"])


def test_labels_and_annotations_of_others_stay_while_members_change(scene: Scene) -> None:
    peering = scene.place.peering()
    scene.cluster.said(peering.policy(("deny", "vc-local", "remote-cluster")), "Ready", "True")
    others = {"labels": {"example.org/team": "blue"}, "annotations": {"example.org/note": "mine"}}
    scene.cluster.client.patch(peering.firewall, {"metadata": others})
    namespace, address = scene.place.namespace(), scene.place.address()
    peering.offload(namespace)
    scene.place.pod(namespace, "web", address)
    scene.cluster.holds(peering.firewall, "group.vc_local", address)
    metadata = scene.cluster.client.get(peering.firewall)["metadata"]
    assert metadata["labels"]["example.org/team"] == "blue"
    assert metadata["annotations"]["example.org/note"] == "mine"
    scene.cluster.as_rendered(peering.namespace)


def test_an_object_of_somebody_else_is_left_alone_and_named(scene: Scene) -> None:
    peering = scene.place.peering()
    table = {"name": "mine", "family": "IPV4", "chains": [], "sets": []}
    foreign = {
        "apiVersion": "networking.liqo.io/v1beta1",
        "kind": "FirewallConfiguration",
        "metadata": {"name": f"{peering.name}-connectivity", "namespace": peering.namespace},
        "spec": {"table": table},
    }
    before = scene.cluster.client.create(foreign)
    policy = peering.policy(("deny", "remote-cluster", "any"))
    condition = scene.cluster.said(policy, "Programmed", "False", "FabricSyncFailed")
    assert f"{peering.namespace}/{peering.name}-connectivity" in condition["message"]
    scene.cluster.settled()
    assert scene.cluster.client.get(peering.firewall) == before
    scene.cluster.client.delete(peering.firewall)
    scene.cluster.said(policy, "Ready", "True")
    scene.cluster.as_rendered(peering.namespace)


def test_an_object_that_lost_our_label_is_somebody_elses_until_it_has_it_again(scene: Scene, peering: Peering) -> None:
    scene.cluster.client.patch(peering.firewall, {"metadata": {"labels": {MANAGED_BY: None}}})
    scene.cluster.said(policy_of(peering), "Programmed", "False", "FabricSyncFailed")
    scene.cluster.client.patch(peering.firewall, {"metadata": {"labels": {MANAGED_BY: NAME}}})
    scene.cluster.said(policy_of(peering), "Ready", "True")


def test_scenario_35_a_write_that_comes_second_is_tried_again_and_never_told(scene: Scene) -> None:
    namespace, peering = scene.place.namespace(), scene.place.peering()
    policy = peering.policy(("deny", f"ns:{namespace}", "any"))
    scene.cluster.said(policy, "Ready", "True")
    stop, bad = threading.Event(), list[str]()

    def disturb() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            scene.cluster.client.patch(peering.firewall, {"metadata": {"annotations": {"test": f"{number}"}}})

    def look() -> None:
        while not stop.is_set():
            found = scene.cluster.conditions(policy)
            bad.extend(f"{kind}: {reason}" for kind, (status, reason) in found.items() if status == "False")
            stop.wait(0.05)

    threads = [threading.Thread(target=disturb), threading.Thread(target=look)]
    for thread in threads:
        thread.start()
    addresses = [scene.place.address() for _ in range(30)]
    try:
        for number, address in enumerate(addresses):
            scene.place.pod(namespace, f"pod-{number}", address)
            stop.wait(0.05)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    scene.cluster.holds(peering.firewall, party(namespace), *addresses)
    assert not bad
    scene.cluster.as_rendered(peering.namespace)


def _refused_and_mended(
    scene: Scene, peering: Peering, refuse: Callable[[], object], mend: Callable[[], object], word: str
) -> None:
    before = scene.cluster.client.get(peering.firewall)["spec"]
    refuse()
    try:
        peering.policy(("deny", "any", "remote-cluster"))
        condition = scene.cluster.said(policy_of(peering), "Programmed", "False", "FabricSyncFailed")
        assert word in condition["message"]
        assert "the last enforced chain stays in place" in condition["message"]
        assert scene.cluster.conditions(policy_of(peering))["Ready"] == ("False", "FabricSyncFailed")
        held = scene.cluster.settled(peering.namespace, 10)
        assert scene.cluster.client.get(peering.firewall)["spec"] == before
        assert scene.cluster.versions(peering.namespace) == held, "it tries again without writing the same status again"
    finally:
        mend()
    scene.cluster.said(policy_of(peering), "Ready", "True")
    scene.cluster.as_rendered(peering.namespace)
    assert scene.cluster.client.get(peering.firewall)["spec"] != before


def test_scenario_35_what_the_webhook_denies_is_told_and_tried_again(scene: Scene, peering: Peering) -> None:
    def deny(reason: str | None) -> None:
        scene.webhook.refusal = reason

    _refused_and_mended(scene, peering, lambda: deny("not on a Monday"), lambda: deny(None), "not on a Monday")


def test_scenario_35_a_webhook_that_is_down_is_waited_for(scene: Scene, peering: Peering) -> None:
    _refused_and_mended(scene, peering, scene.webhook.down, scene.webhook.up, "webhook")


def test_scenario_35_a_permission_that_is_missing_is_told(scene: Scene, peering: Peering) -> None:
    role = scene.cluster.client.get(CLUSTER_ROLE)
    kept = [rule for rule in role["rules"] if "firewallconfigurations" not in rule["resources"]]
    reading = {"apiGroups": ["networking.liqo.io"], "resources": ["firewallconfigurations"]}
    less = [*kept, {**reading, "verbs": ["get", "list", "watch"]}]

    def allow(rules: list[Object]) -> None:
        scene.cluster.client.patch(CLUSTER_ROLE, {"rules": rules})
        # The authorizer learns of it by a watch.
        client = scene.plane.client(scene.cluster.kubeconfig)
        eventually(lambda: _may_patch(client, peering.firewall) == (rules is not less))

    _refused_and_mended(scene, peering, lambda: allow(less), lambda: allow(role["rules"]), "firewallconfigurations")


def _may_patch(client: Any, path: str) -> bool:
    try:
        client.patch(path, {}, dryRun="All")
    except ApiError as error:
        return error.status != 403
    return True


def test_what_is_ours_is_exactly_what_policies_ask_for(scene: Scene) -> None:
    """Whatever the tests before did."""
    scene.cluster.settled()
    written, rendered = scene.cluster.written(), scene.cluster.rendered()
    assert {key: spec for key, spec in written.items() if key in rendered} == rendered
    waiting = {
        one["metadata"]["namespace"]
        for one in scene.cluster.client.list(POLICIES)
        if {each["type"]: each["status"] for each in one["status"]["conditions"]}["Programmed"] != "True"
    }
    assert {namespace for namespace, _ in written.keys() - rendered.keys()} <= waiting
    stored = scene.cluster.client.list(FIREWALLS)
    assert all(one["metadata"]["labels"][MANAGED_BY] == NAME for one in stored), json.dumps(stored)
