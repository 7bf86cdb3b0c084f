"""The loop against a real API server: from a policy to its FirewallConfiguration and status, through whatever happens."""

from typing import Any

import pytest

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import FIREWALL
from tests.support.api_client import Object
from tests.support.control_plane import ControlPlane
from tests.support.controller_rig import Rig, Site, add_network, install, placed, rig, site
from tests.support.liqo_crds import crds, with_sets_and_ctstate
from tests.support.waiting import eventually

CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/firewallconfigurations.networking.liqo.io"


def version(place: Site, path: str) -> str:
    return str((place.get(path) or {})["metadata"]["resourceVersion"])


def key_of(place: Site) -> ObjectKey:
    return ObjectKey(FIREWALL, place.tenant, f"{place.cluster}-connectivity")


def test_a_policy_becomes_a_firewall_configuration(plane: ControlPlane, place: Site) -> None:
    place.add_pod("10.200.0.1")
    with rig(plane) as running:
        policy = place.add_policy()
        stored = running.until(place.stored)
        assert place.elements() == ["10.200.0.1"]
        metadata = stored["metadata"]
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "liqo-connectivity-engine"
        assert metadata["labels"]["security.liqo.io/owner-uid"] == policy["metadata"]["uid"]
        assert metadata["annotations"] == {"security.liqo.io/owner": "guard"}
        assert "ownerReferences" not in metadata
        running.until(lambda: place.conditions().get("Programmed") == ("True", "Programmed"))
        conditions = place.conditions()
        assert conditions["Accepted"] == ("True", "Accepted")
        assert conditions["Enforced"] == ("Unknown", "NoAgents") == conditions["Ready"]
        status = (place.get(place.policy()) or {})["status"]
        assert (status["rules"], status["members"], status["observedGeneration"]) == (1, 1, 1)
        running.rest()
        before = version(place, place.firewall), version(place, place.policy())
        place.client.patch(f"/api/v1/namespaces/{place.pods}", {"metadata": {"annotations": {"note": "not read"}}})
        running.rest()
        assert (version(place, place.firewall), version(place, place.policy())) == before, "nothing changed"
    with rig(plane) as again:
        again.rest()
        assert (version(place, place.firewall), version(place, place.policy())) == before, "nor for another controller"


def test_pods_come_and_go(plane: ControlPlane, place: Site) -> None:
    place.add_policy()
    with rig(plane) as running:
        running.until(place.stored)
        first, second = place.add_pod("10.200.0.2"), place.add_pod("10.200.0.1")
        running.until(lambda: place.elements() == ["10.200.0.1", "10.200.0.2"])
        place.client.delete(first, gracePeriodSeconds="0")
        place.client.patch_status(second, {"podIP": "10.200.0.9", "podIPs": [{"ip": "10.200.0.9"}]})
        running.until(lambda: place.elements() == ["10.200.0.9"])


def test_a_burst_is_few_writes_and_exact(plane: ControlPlane, place: Site) -> None:
    place.add_policy()
    with rig(plane, write_interval=0.3, write_interval_limit=2.0) as running:
        running.until(place.stored)
        running.rest()
        written = (place.stored() or {})["metadata"]["generation"]
        for number in range(60):
            place.add_pod(f"10.200.1.{number}")
        running.until(lambda: len(place.elements()) == 60)
        assert (place.stored() or {})["metadata"]["generation"] - written <= 3


def test_a_policy_waits_for_its_network_and_the_last_chain_stays(plane: ControlPlane) -> None:
    with placed(plane, network=False) as place, rig(plane) as running:
        place.add_policy()
        running.until(lambda: place.conditions().get("Programmed") == ("False", "NoRemoteNetwork"))
        assert place.stored() is None
        network = add_network(place)
        running.until(lambda: place.conditions().get("Programmed") == ("True", "Programmed"))
        spec = (place.stored() or {})["spec"]
        place.client.patch_status(network, {"cidr": None})
        running.until(lambda: place.conditions()["Programmed"] == ("False", "NetworkNotReady"))
        assert place.message("Programmed").endswith("; the last enforced chain stays in place")
        running.rest()
        assert (place.stored() or {})["spec"] == spec


def test_what_was_edited_or_deleted_by_hand_is_restored(plane: ControlPlane, place: Site) -> None:
    place.add_pod("10.200.0.1")
    place.add_policy()
    with rig(plane) as running:
        spec = running.until(place.stored)["spec"]
        running.rest()
        edited: Object = {"spec": {"table": {"chains": [], "sets": []}}}
        place.client.patch(place.firewall, edited)
        running.until(lambda: (place.stored() or {})["spec"] == spec)
        place.client.patch(
            place.firewall, {"metadata": {"labels": {"networking.liqo.io/firewall-category": "gateway"}}}
        )
        running.until(
            lambda: (place.stored() or {})["metadata"]["labels"]["networking.liqo.io/firewall-category"] == "fabric"
        )
        place.client.delete(place.firewall)
        restored = running.until(place.stored)
        assert restored["spec"] == spec
        running.rest()
        assert place.conditions()["Programmed"] == ("True", "Programmed")


def replaced(running: Rig, place: Site, action: str) -> Object:
    """Wait until an edit is done; the object that does what its last rule says, and that nothing stands in for."""

    def done() -> Object | None:
        stored = place.stored()
        if (
            stored is None
            or place.get(f"{place.firewall}-standin") is not None
            or not stored["spec"]["table"]["chains"]
        ):
            return None
        return stored if stored["spec"]["table"]["chains"][0]["rules"]["filterRules"][-1]["action"] == action else None

    return running.until(done)


def test_an_edited_policy_is_written_once_and_shown_once(plane: ControlPlane, place: Site) -> None:
    place.add_policy()
    with rig(plane) as running:
        running.until(lambda: place.conditions().get("Programmed") == ("True", "Programmed"))
        running.rest()
        before = (place.stored() or {})["metadata"]["uid"]
        moved = (place.get(place.policy()) or {})["status"]["conditions"]
        spec = {"spec": {"rules": [{"action": "allow", "source": {"namespace": place.pods}}]}}
        place.client.patch(place.policy(), spec)
        running.until(lambda: (place.get(place.policy()) or {})["status"]["observedGeneration"] == 2)
        metadata = replaced(running, place, "accept")["metadata"]
        assert metadata["uid"] != before, "it was replaced, behind another"
        assert metadata["generation"] == 2, "it was filled once, and never changed"
        after = (place.get(place.policy()) or {})["status"]["conditions"]
        assert [each["lastTransitionTime"] for each in after] == [each["lastTransitionTime"] for each in moved]


def test_a_younger_policy_takes_over_without_an_empty_chain(plane: ControlPlane, place: Site) -> None:
    place.add_pod("10.200.0.1")
    with rig(plane) as running:
        place.add_policy()
        running.until(place.stored)
        # Creation times have seconds; of two policies of the same second, the smaller name governs.
        place.add_policy("other", action="allow")
        running.until(lambda: place.conditions("other").get("Accepted") == ("False", "Conflict"))
        begin = version(place, place.firewall)
        place.client.delete(place.policy())
        running.until(lambda: place.conditions("other").get("Programmed") == ("True", "Programmed"))
        running.until(lambda: place.get(place.policy()) is None)
        stored = replaced(running, place, "accept")
        assert stored["metadata"]["annotations"]["security.liqo.io/owner"] == "other"
        seen = place.client.watch(place.firewall.rpartition("/")[0], 1, resourceVersion=begin)
        whole = {stored["metadata"]["name"]: True}
        for event in seen:
            table = event["object"]["spec"]["table"]
            whole[event["object"]["metadata"]["name"]] = event["type"] != "DELETED" and bool(table.get("chains"))
            assert any(whole.values()), "there was a chain all the time"
        assert len(whole) == 2


def test_a_loser_of_a_conflict_goes_at_once(plane: ControlPlane, place: Site) -> None:
    place.add_policy()
    place.add_policy("other", finalizers=("security.liqo.io/peering-connectivity",))
    with rig(plane) as running:
        running.until(place.stored)
        running.rest()
        before = version(place, place.firewall)
        place.client.delete(place.policy("other"))
        running.until(lambda: place.get(place.policy("other")) is None)
        running.rest()
        assert version(place, place.firewall) == before


def test_a_policy_made_again_waits_until_the_old_object_is_gone(plane: ControlPlane, place: Site) -> None:
    place.add_policy()
    with rig(plane) as running:
        old = running.until(place.stored)["metadata"]["uid"]
        place.client.patch(place.firewall, {"metadata": {"finalizers": ["test/agent"]}})
        place.client.delete(place.policy())
        running.until(lambda: "deletionTimestamp" in (place.stored() or {})["metadata"])
        running.until(lambda: place.get(place.policy()) is None)
        place.add_policy(action="allow")
        for _ in range(20):
            running.loop.step(0.01)
        assert (place.stored() or {})["metadata"]["uid"] == old
        place.client.patch(place.firewall, {"metadata": {"finalizers": None}})
        fresh = running.until(
            lambda: (found := place.stored()) is not None and found["metadata"]["uid"] != old and found
        )
        assert isinstance(fresh, dict)
        assert fresh["spec"]["table"]["chains"][0]["rules"]["filterRules"][-1]["action"] == "accept"


def test_agents_make_a_policy_ready(plane: ControlPlane, place: Site) -> None:
    liqo = plane.namespace("liqo")
    fabric: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "fabric-a", "namespace": liqo, "labels": {"app.kubernetes.io/name": "fabric"}},
        "spec": {
            "containers": [{"name": "c", "image": "none"}],
            "nodeName": "worker-1",
            "automountServiceAccountToken": False,
        },
    }
    place.get(f"/api/v1/namespaces/{liqo}/serviceaccounts/default")
    place.add_policy()
    with rig(plane, liqo_namespace=liqo, agent_grace=0.5) as running:
        running.until(place.stored)
        running.until(lambda: place.get(f"/api/v1/namespaces/{liqo}/serviceaccounts/default"))
        place.client.create(fabric)
        running.until(lambda: place.conditions().get("Enforced") == ("Unknown", "AgentsPending"))
        place.report(fabric_a="False", gone="False")
        running.until(lambda: place.conditions()["Ready"] == ("False", "AgentsFailed"))
        assert "fabric-a" in place.message("Ready")
        place.report(fabric_a="True", gone="False")
        running.until(lambda: place.conditions()["Ready"] == ("True", "FabricSynced"))
        events = place.client.list(f"/apis/events.k8s.io/v1/namespaces/{place.tenant}/events")
        told = {(event["type"], event["reason"]) for event in events if event["regarding"]["name"] == "guard"}
        assert ("Normal", "FabricSynced") in told
        assert ("Warning", "AgentsFailed") in told


def test_nothing_is_written_without_the_lease(plane: ControlPlane, place: Site) -> None:
    leads: list[bool] = []
    place.add_policy()
    with rig(plane, leading=lambda: bool(leads)) as running:
        running.until(lambda: running.loop.loaded)
        for _ in range(10):
            running.loop.step(0.01)
        assert place.stored() is None
        assert not (place.get(place.policy()) or {})["metadata"].get("finalizers")
        assert not running.loop.quiescent
        leads.append(True)
        running.until(place.stored)


def test_nothing_is_written_before_everything_was_read(plane: ControlPlane, place: Site) -> None:
    place.add_policy()
    with rig(plane, never_synced=True) as running:
        for _ in range(40):
            running.loop.step(0.02)
        assert not running.loop.loaded
        assert place.stored() is None


def test_the_facts_are_those_of_the_objects(plane: ControlPlane, place: Site) -> None:
    place.add_pod("10.200.0.1")
    place.add_policy()
    with rig(plane) as running:
        running.until(place.stored)
        running.rest()
        number, facts = running.loop.facts()
        assert number == running.state.number
        rows = {(fact.relation, *fact.row) for fact in facts}
        name = f"{place.tenant}/{place.cluster}-connectivity"
        assert ("policy", f"{place.tenant}/guard", place.tenant) in rows
        assert ("firewall_configuration", name, place.tenant, place.cluster, f"{place.tenant}/guard") in rows
        assert ("enforcing", "firewallconfigurations.networking.liqo.io") in rows
        assert running.loop.gauges().facts["policy"] >= 1


@pytest.mark.slow
def test_a_liqo_that_cannot_enforce_makes_policies_wait(fresh_control_plane: ControlPlane) -> None:
    plane = fresh_control_plane
    install(plane)
    everything = crds()
    plane.install(crd for crd in everything if not is_firewall(crd))
    place = site(plane)
    with rig(plane) as running:
        place.add_policy()
        running.until(lambda: place.conditions().get("Programmed") == ("False", "UnsupportedLiqo"))
        assert "the definition, and with it sets and ctstate" in place.message("Ready")
        assert "as does every release up to v1.2.0" in place.message("Ready")
        plane.install(crd for crd in everything if is_firewall(crd))
        running.until(lambda: "(ctstate; sets)" in place.message("Ready"))
        # The API server is busy with a definition that is new.
        eventually(lambda: place.client.list(place.firewall.rpartition("/")[0]) == [])
        plane.install(crd for crd in with_sets_and_ctstate(everything) if is_firewall(crd))
        running.until(place.stored)
        running.until(lambda: place.conditions()["Programmed"] == ("True", "Programmed"))


def is_firewall(crd: Any) -> bool:
    return bool(crd["spec"]["names"]["kind"] == "FirewallConfiguration")
