"""A policy goes: its chain is emptied, then deleted once Liqo's agents have removed it, and the policy only then."""

import pytest

from liqo_connectivity.operator.controller.objects.stored import stored_policy
from liqo_connectivity.operator.controller.writing.policy_status import FINALIZER, release
from liqo_connectivity.operator.kube.connection import connect
from liqo_connectivity.operator.kube.errors import Forbidden, ServerFault, Unreachable
from liqo_connectivity.operator.kube.rest_client import RestClient
from tests.support.api_client import Object
from tests.support.control_plane import ControlPlane
from tests.support.controller_rig import Rig, Site, placed, rig
from tests.support.faulty_calls import FaultyCalls, failing
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def liqo(plane: ControlPlane) -> str:
    """A namespace with one agent, fabric-a."""
    name = plane.namespace("liqo")
    eventually(lambda: plane.admin.get(f"/api/v1/namespaces/{name}/serviceaccounts/default"))
    fabric: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "fabric-a", "namespace": name, "labels": {"app.kubernetes.io/name": "fabric"}},
        "spec": {
            "containers": [{"name": "c", "image": "none"}],
            "nodeName": "worker-1",
            "automountServiceAccountToken": False,
        },
    }
    plane.admin.create(fabric)
    return name


def programmed(running: Rig, place: Site) -> None:
    running.until(lambda: place.conditions().get("Programmed") == ("True", "Programmed"))
    running.rest()


def gone(place: Site) -> bool:
    return place.get(place.policy()) is None and place.stored() is None


def test_the_finalizer_is_there_before_the_object(plane: ControlPlane, place: Site) -> None:
    fault = failing(Forbidden(403, "Forbidden", "no"), method="apply", part=place.firewall, times=10**6)
    place.add_policy()
    with rig(plane, wrap=lambda api: FaultyCalls(api, fault)) as running:
        running.until(lambda: place.conditions().get("Ready") == ("False", "FabricSyncFailed"))
        assert (place.get(place.policy()) or {})["metadata"]["finalizers"] == [FINALIZER]
        place.client.delete(place.policy())
        running.until(lambda: gone(place))


def test_emptied_then_deleted_then_released(plane: ControlPlane, place: Site, liqo: str) -> None:
    place.add_pod("10.200.0.1")
    place.add_policy()
    with rig(plane, liqo_namespace=liqo, agent_timeout=30) as running:
        programmed(running, place)
        place.report(fabric_a="False")
        begin = (place.stored() or {})["metadata"]["resourceVersion"]
        place.client.delete(place.policy())
        running.until(lambda: not (place.stored() or {})["spec"]["table"]["chains"])
        for _ in range(15):
            running.loop.step(0.02)
        emptied = place.stored() or {}
        assert "deletionTimestamp" not in emptied["metadata"], "the agent has not removed it yet"
        assert emptied["spec"]["table"] == {
            "name": f"connectivity-{place.cluster}",
            "family": "IPV4",
            "chains": [],
            "sets": [],
        }
        assert emptied["metadata"]["labels"]["networking.liqo.io/firewall-category"] == "fabric", "agents still see it"
        assert (place.get(place.policy()) or {})["metadata"]["finalizers"] == [FINALIZER]
        place.report(fabric_a="True")
        running.until(lambda: gone(place))
        seen = list(place.client.watch(place.firewall.rpartition("/")[0], 1, resourceVersion=begin))
        kinds = [(event["type"], bool(event["object"]["spec"]["table"]["chains"])) for event in seen]
        assert list(dict.fromkeys(kinds)) == [("MODIFIED", False), ("DELETED", False)]


def test_an_agent_that_is_down_is_waited_for_only_so_long(plane: ControlPlane, place: Site, liqo: str) -> None:
    place.add_policy()
    with rig(plane, liqo_namespace=liqo, agent_timeout=0.5) as running:
        programmed(running, place)
        place.client.delete(place.policy())
        running.until(lambda: gone(place))
        events = place.client.list(f"/apis/events.k8s.io/v1/namespaces/{place.tenant}/events")
        assert any(
            event["reason"] == "DeletionOverdue" and "1 of 1 agents (fabric-a) have not reported yet" in event["note"]
            for event in events
        )


def test_an_object_that_a_dead_agent_keeps_holds_no_policy_for_ever(plane: ControlPlane, place: Site) -> None:
    place.add_policy()
    with rig(plane, agent_timeout=0.3) as running:
        programmed(running, place)
        place.client.patch(
            place.firewall, {"metadata": {"finalizers": ["firewallconfigurations-controller.liqo.io/finalizer"]}}
        )
        place.client.delete(place.policy())
        running.until(lambda: "deletionTimestamp" in (place.stored() or {})["metadata"])
        assert place.get(place.policy()) is not None
        running.until(lambda: place.get(place.policy()) is None)
        assert place.stored() is not None
        events = place.client.list(f"/apis/events.k8s.io/v1/namespaces/{place.tenant}/events")
        assert any("a finalizer of Liqo's agents still holds it" in event["note"] for event in events)


def test_a_namespace_that_goes_waits_for_nobody(plane: ControlPlane, liqo: str) -> None:
    with placed(plane) as place, rig(plane, liqo_namespace=liqo, agent_timeout=60, agent_settle=30) as running:
        place.add_policy()
        programmed(running, place)
        place.client.delete(f"/api/v1/namespaces/{place.tenant}")
        running.until(lambda: place.get(f"/api/v1/namespaces/{place.tenant}") is None, 30)


@pytest.mark.parametrize(
    ("method", "error", "after"),
    [
        ("apply", ServerFault(500, "InternalError", "failed calling webhook"), False),
        ("apply", Unreachable("no answer"), True),
        ("delete", Unreachable("no answer"), False),
        ("delete", Unreachable("no answer"), True),
        ("delete", Forbidden(403, "Forbidden", "no"), False),
    ],
)
def test_what_goes_wrong_is_tried_again_and_the_policy_stays_until_then(
    plane: ControlPlane, place: Site, method: str, error: Exception, after: bool
) -> None:
    made: list[FaultyCalls] = []

    def wrap(api: RestClient) -> FaultyCalls:
        made.append(FaultyCalls(api))
        return made[0]

    place.add_policy()
    with rig(plane, wrap=wrap) as running:
        programmed(running, place)
        made[0].fault = failing(error, method=method, part=place.firewall, times=3, after=after)
        place.client.delete(place.policy())

        def done() -> bool:
            policy, stored = place.get(place.policy()), place.stored()
            assert policy is not None or stored is None, "the policy is the last to go"
            return policy is None

        running.until(done)


def test_a_deletion_that_fails_is_shown(plane: ControlPlane, place: Site) -> None:
    made: list[FaultyCalls] = []

    def wrap(api: RestClient) -> FaultyCalls:
        made.append(FaultyCalls(api))
        return made[0]

    place.add_policy()
    with rig(plane, wrap=wrap) as running:
        programmed(running, place)
        denied = Forbidden(403, "Forbidden", "admission webhook denied the request")
        made[0].fault = failing(denied, method="apply", part=place.firewall, times=10**6)
        place.client.delete(place.policy())
        running.until(lambda: place.conditions()["Ready"] == ("False", "DeletionFailed"))
        assert "admission webhook denied the request" in place.message("Ready")
        assert (place.stored() or {})["spec"]["table"]["chains"], "it still enforces"
        made[0].fault = lambda method, path, go: go()
        running.until(lambda: gone(place))


def test_a_controller_that_begins_in_the_middle_goes_on(plane: ControlPlane, place: Site, liqo: str) -> None:
    """It is stopped after each write of a deletion, and another one started."""
    place.add_policy()
    with rig(plane, liqo_namespace=liqo) as running:
        programmed(running, place)
    place.client.delete(place.policy())
    # Policies of other tests are written about too.
    for _ in range(40):
        if gone(place):
            break
        made: list[FaultyCalls] = []

        def wrap(api: RestClient, made: list[FaultyCalls] = made) -> FaultyCalls:
            made.append(FaultyCalls(api))
            return made[0]

        with rig(plane, liqo_namespace=liqo, wrap=wrap, agent_timeout=0.2) as running:
            running.until(lambda made=made: gone(place) or [m for m, _ in made[0].done if m != "get"])  # type: ignore[misc]  # bound above
    assert gone(place)


def test_a_finalizer_that_somebody_else_put_there_is_taken_off(plane: ControlPlane, place: Site) -> None:
    """Such as one from a backup: applying our fields without it leaves it there."""
    policy = stored_policy(place.add_policy(finalizers=(FINALIZER, "test/other")))
    place.client.delete(place.policy())
    api = RestClient(connect(str(plane.kubeconfig())))
    release(api, policy)
    assert (place.get(place.policy()) or {})["metadata"]["finalizers"] == ["test/other"]
    place.client.patch(place.policy(), {"metadata": {"finalizers": None}})
    release(api, policy)
    assert place.get(place.policy()) is None, "a policy that is gone is not recreated"
    place.add_policy(finalizers=(FINALIZER,))
    release(api, policy)
    assert (place.get(place.policy()) or {})["metadata"]["finalizers"] == [FINALIZER], "it is another policy"
