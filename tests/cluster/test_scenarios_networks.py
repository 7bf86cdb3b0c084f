"""What a policy waits for, and which policy governs: the last enforced chain stays until what is known is enough.

The tests bear the numbers of the scenarios that they play on a real API server.
"""

import json

import pytest

from tests.support.liqo_peerings import LOCAL_CIDR, Peering, written_policy
from tests.support.operator_cluster import FINALIZER
from tests.support.operator_scene import Scene

pytestmark = pytest.mark.slow

BOTH_WAYS = (("allow", "vc-remote", "vc-local"), ("deny", "remote-cluster", "any"))


def cidrs(scene: Scene, peering: Peering) -> set[str]:
    """Every address and CIDR that the rules of its chain match, without sets."""
    stored = scene.cluster.client.get(peering.firewall)
    rules = [rule for chain in stored["spec"]["table"]["chains"] for rule in chain["rules"]["filterRules"]]
    found = {match["ip"]["value"] for rule in rules for match in rule["match"] if "ip" in match}
    return {value for value in found if not value.startswith("@")}


def test_scenario_11_nothing_is_written_before_the_networks_have_their_cidrs(scene: Scene) -> None:
    peering = scene.place.peering(ready=False)
    policy = peering.policy(*BOTH_WAYS)
    condition = scene.cluster.said(policy, "Programmed", "False", "NetworkNotReady")
    assert f"{peering.namespace}/cfg-{peering.octet}-pod" in condition["message"]
    assert scene.cluster.conditions(policy)["Ready"] == ("False", "NetworkNotReady")
    assert scene.cluster.conditions(policy)["Accepted"][0] == "True"
    assert scene.cluster.get(peering.firewall) is None
    peering.network("pod", "10.244.0.0/16", peering.cidr)
    assert scene.cluster.said(policy, "Programmed", "False", "NetworkNotReady")
    peering.network("external", "10.70.0.0/16", peering.external_cidr)
    scene.cluster.programmed(policy)
    scene.cluster.as_rendered(peering.namespace)


def test_scenario_11_and_13_a_second_network_is_waited_for_with_the_last_chain_in_place(scene: Scene) -> None:
    peering = scene.place.peering()
    policy = peering.policy(*BOTH_WAYS)
    scene.cluster.said(policy, "Ready", "True")
    before = scene.cluster.client.get(peering.firewall)
    second = f"22.{peering.octet}.0.0/16"
    # As long as Liqo does not use it, a CIDR that is asked for holds nothing up.
    peering.network("pod", "10.245.0.0/16", None)
    scene.cluster.settled(peering.namespace)
    assert scene.cluster.conditions(policy)["Programmed"][0] == "True"
    peering.uses(peering.cidr, second)
    waiting = scene.cluster.said(policy, "Programmed", "False", "NetworkNotReady")
    assert "the last enforced chain stays in place" in waiting["message"]
    scene.cluster.settled(peering.namespace)
    assert scene.cluster.client.get(peering.firewall)["spec"] == before["spec"]
    peering.network("pod", "10.245.0.0/16", second)
    scene.cluster.programmed(policy)
    scene.cluster.as_rendered(peering.namespace)
    assert cidrs(scene, peering) == {peering.cidr, peering.external_cidr, second}


def test_scenario_12_networks_are_known_by_their_labels(scene: Scene) -> None:
    peering = scene.place.peering()
    old_name = f"cfg-{peering.octet}-pod"
    policy = peering.policy(*BOTH_WAYS)
    scene.cluster.programmed(policy)
    peering.network("pod", "10.244.0.0/16", peering.cidr, name=old_name)
    scene.place.remove(peering.pod_network)
    scene.cluster.settled(peering.namespace)
    assert scene.cluster.conditions(policy)["Ready"][0] == "True"
    scene.cluster.as_rendered(peering.namespace)


def test_scenario_14_and_16_the_chain_has_the_assigned_cidrs_without_host_bits(scene: Scene) -> None:
    peering = scene.place.peering(ready=False)
    policy = peering.policy(*BOTH_WAYS)
    peering.network("external", "10.70.0.0/16", peering.external_cidr)
    peering.network("pod", "10.244.0.0/16", peering.cidr.replace(".0.0/", ".0.5/"))
    scene.cluster.programmed(policy)
    assert cidrs(scene, peering) == {peering.cidr, peering.external_cidr}
    assert LOCAL_CIDR not in cidrs(scene, peering)


def test_scenario_15_a_network_that_goes_does_not_change_the_chain(scene: Scene) -> None:
    peering = scene.place.peering()
    policy = peering.policy(*BOTH_WAYS)
    scene.cluster.programmed(policy)
    before = scene.cluster.client.get(peering.firewall)["spec"]
    scene.cluster.client.patch(peering.pod_network, {"metadata": {"finalizers": ["network.ipam.liqo.io/finalizer"]}})
    scene.cluster.client.delete(peering.pod_network)
    scene.cluster.said(policy, "Programmed", "False", "NetworkTerminating")
    scene.place.remove(peering.pod_network)
    scene.cluster.said(policy, "Programmed", "False", "NetworkMissing")
    scene.cluster.settled(peering.namespace)
    assert scene.cluster.client.get(peering.firewall)["spec"] == before
    peering.network("pod", "10.244.0.0/16", f"23.{peering.octet}.0.0/16")
    scene.cluster.programmed(policy)
    scene.cluster.as_rendered(peering.namespace)
    assert cidrs(scene, peering) == {f"23.{peering.octet}.0.0/16", peering.external_cidr}


def test_scenario_29_a_tenant_namespace_is_known_by_its_labels(scene: Scene) -> None:
    peering = scene.place.peering(tenant_name="anything-else")
    policy = peering.policy(*BOTH_WAYS, name="my-own-name")
    scene.cluster.said(policy, "Ready", "True")
    assert scene.cluster.client.get(peering.firewall)["spec"]["table"]["name"] == f"connectivity-{peering.name}"
    scene.cluster.as_rendered(peering.namespace)


def test_scenario_29_a_policy_elsewhere_says_so_and_can_be_deleted(scene: Scene) -> None:
    path = scene.place.put(written_policy(scene.place.namespace("elsewhere"), "policy", BOTH_WAYS))
    condition = scene.cluster.said(path, "Accepted", "False", "ClusterIDExtractionFailed")
    assert "liqo-tenant-" in condition["message"]
    assert scene.cluster.conditions(path)["Ready"] == ("False", "ClusterIDExtractionFailed")
    assert FINALIZER not in scene.cluster.client.get(path)["metadata"].get("finalizers", [])
    scene.cluster.client.delete(path)
    assert scene.cluster.get(path) is None


def test_scenario_30_of_two_policies_the_older_governs_and_the_other_takes_over(scene: Scene) -> None:
    peering = scene.place.peering()
    older = peering.policy(("deny", "remote-cluster", "any"), name="older")
    scene.cluster.programmed(older)
    younger = peering.policy(("deny", "any", "remote-cluster"), name="an-other")
    # In the same second the smaller name would govern: creationTimestamp has no fraction.
    created = [scene.cluster.client.get(path)["metadata"]["creationTimestamp"] for path in (older, younger)]
    governing, other = (older, younger) if created[0] < created[1] else (younger, older)
    condition = scene.cluster.said(other, "Accepted", "False", "Conflict")
    assert governing.rpartition("/")[2] in condition["message"]
    scene.cluster.said(governing, "Ready", "True")
    scene.cluster.as_rendered(peering.namespace)
    scene.cluster.client.delete(governing)
    scene.cluster.said(other, "Ready", "True")
    scene.cluster.as_rendered(peering.namespace)
    after = scene.cluster.client.get(peering.firewall)
    assert scene.cluster.client.get(other)["metadata"]["uid"] in json.dumps(after["metadata"]["labels"])


def test_scenario_30_the_policy_that_does_not_govern_goes_without_a_trace(scene: Scene) -> None:
    peering = scene.place.peering()
    first, second = (peering.policy(*BOTH_WAYS, name=name) for name in ("a-first", "b-second"))
    scene.cluster.said(first, "Ready", "True")
    scene.cluster.said(second, "Accepted", "False", "Conflict")
    scene.cluster.settled(peering.namespace)
    before = scene.cluster.client.get(peering.firewall)
    scene.cluster.client.delete(second)
    scene.cluster.settled(peering.namespace)
    assert scene.cluster.get(second) is None
    assert scene.cluster.client.get(peering.firewall) == before


def test_scenario_39_a_group_that_the_role_leaves_empty_is_warned_of(scene: Scene) -> None:
    peering = scene.place.peering(role="Provider")
    policy = peering.policy(("deny", "offloaded", "any"))
    scene.cluster.said(policy, "Ready", "True")
    assert "offloaded" in scene.cluster.message(policy, "Accepted")
    before = scene.cluster.whole_conditions(policy)["Accepted"]
    path = f"/apis/core.liqo.io/v1beta1/foreignclusters/{peering.name}"
    scene.cluster.client.patch_status(path, {"role": "ConsumerAndProvider"})
    scene.cluster.settled(peering.namespace)
    after = scene.cluster.whole_conditions(policy)["Accepted"]
    assert "RoleMismatch" in before["message"]
    assert "RoleMismatch" not in after["message"]
    assert before["lastTransitionTime"] == after["lastTransitionTime"], "the status did not change"


def test_an_invalid_policy_keeps_its_chain_and_names_its_mistake(scene: Scene) -> None:
    peering = scene.place.peering()
    policy = peering.policy(*BOTH_WAYS)
    scene.cluster.said(policy, "Ready", "True")
    before = scene.cluster.client.get(peering.firewall)["spec"]
    peering.policy(("deny", "nobody", "any"))
    condition = scene.cluster.said(policy, "Accepted", "False", "InvalidPolicy")
    assert "/spec/rules/0/source" in condition["message"]
    scene.cluster.settled(peering.namespace)
    assert scene.cluster.client.get(peering.firewall)["spec"] == before
    peering.policy(("deny", "vc-remote", "any"))
    scene.cluster.said(policy, "Ready", "True")
    scene.cluster.as_rendered(peering.namespace)
