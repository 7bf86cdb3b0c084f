"""Orphans: what is ours and belongs to no policy any more goes; what only looks so stays."""

from liqo_connectivity.operator.controller.objects.stored import stored_firewall, stored_policy
from liqo_connectivity.operator.controller.writing.orphans import is_orphan
from liqo_connectivity.operator.kube.connection import connect
from liqo_connectivity.operator.kube.rest_client import RestClient
from tests.support.control_plane import ControlPlane
from tests.support.controller_rig import Rig, Site, rig
from tests.support.faulty_calls import FaultyCalls


def programmed(running: Rig, place: Site) -> None:
    running.until(lambda: place.conditions().get("Programmed") == ("True", "Programmed"))
    running.rest()


def without_finalizer(place: Site) -> None:
    """The policy goes while nobody looks after it."""
    place.client.patch(place.policy(), {"metadata": {"finalizers": None}})
    place.client.delete(place.policy())


def test_what_was_written_for_a_policy_that_is_gone_goes_at_the_start(plane: ControlPlane, place: Site) -> None:
    place.add_policy()
    with rig(plane) as running:
        programmed(running, place)
    without_finalizer(place)
    made: list[FaultyCalls] = []

    def wrap(api: RestClient) -> FaultyCalls:
        made.append(FaultyCalls(api))
        return made[0]

    with rig(plane, wrap=wrap) as running:
        running.until(lambda: place.stored() is None)
    assert made[0].writes(place.firewall) == ["apply", "delete"], "emptied first"


def test_it_goes_while_the_controller_runs(plane: ControlPlane, place: Site) -> None:
    place.add_policy()
    with rig(plane) as running:
        programmed(running, place)
        without_finalizer(place)
        running.until(lambda: place.stored() is None)


def test_a_policy_that_was_made_again_takes_it_over(plane: ControlPlane, place: Site) -> None:
    place.add_policy()
    with rig(plane) as running:
        programmed(running, place)
    uid = (place.stored() or {})["metadata"]["uid"]
    without_finalizer(place)
    again = place.add_policy()
    with rig(plane) as running:
        programmed(running, place)
        stored = place.stored() or {}
        assert stored["metadata"]["uid"] == uid
        assert stored["metadata"]["labels"]["security.liqo.io/owner-uid"] == again["metadata"]["uid"]
        assert stored["metadata"]["generation"] == 1, "its spec is the same all the time"


def test_it_stays_when_the_namespace_loses_its_label(plane: ControlPlane, place: Site) -> None:
    place.add_policy()
    with rig(plane) as running:
        programmed(running, place)
        before = (place.stored() or {})["metadata"]["generation"]
        path = f"/api/v1/namespaces/{place.tenant}"
        place.client.patch(path, {"metadata": {"labels": {"liqo.io/tenant-namespace": None}}})
        running.until(lambda: place.conditions()["Accepted"] == ("False", "ClusterIDExtractionFailed"))
        running.rest()
        assert (place.stored() or {})["metadata"]["generation"] == before
        # The policy may still go, and takes it along.
        place.client.delete(place.policy())
        running.until(lambda: place.get(place.policy()) is None)
        running.until(lambda: place.stored() is None)


def test_what_is_not_ours_is_never_swept(plane: ControlPlane, place: Site) -> None:
    place.add_policy()
    with rig(plane) as running:
        programmed(running, place)
    label = {"app.kubernetes.io/managed-by": None}
    place.client.patch(place.firewall, {"metadata": {"labels": label}})
    without_finalizer(place)
    with rig(plane) as running:
        running.until(lambda: running.loop.loaded)
        running.rest()
        assert (place.stored() or {})["spec"]["table"]["chains"]


def test_the_sweep_finds_what_no_watch_told_of(plane: ControlPlane, place: Site) -> None:
    place.add_policy()
    with rig(plane, sweep_interval=0.2) as running:
        programmed(running, place)
        key = next(key for key in running.state.firewalls if key.namespace == place.tenant)
        # As if the watch had lost an event: the object is edited, and the state does not know.
        for watch in running.reflectors:
            if watch.resource.name == "firewallconfigurations":
                watch.stop()
                watch.join(5)
        place.client.delete(place.firewall)
        running.state.apply({("firewallconfigurations", key): None})
        running.until(place.stored)


# ---- Asking before it goes ----


def test_a_policy_that_the_watch_does_not_know_yet_is_no_reason_to_take_anything_away(
    plane: ControlPlane, place: Site
) -> None:
    place.add_policy()
    with rig(plane) as running:
        programmed(running, place)
    api = RestClient(connect(str(plane.kubeconfig())))
    stored = stored_firewall(place.stored())
    policy = stored_policy(place.get(place.policy()))
    assert not is_orphan(api, stored, None), "the watch of policies is behind"
    place.client.patch(place.policy(), {"spec": {"rules": []}})
    assert not is_orphan(api, stored, policy), "it knows an older one"
    policy = stored_policy(place.get(place.policy()))
    assert is_orphan(api, stored, policy), "it was judged as it is"
    place.client.delete(place.policy())
    assert is_orphan(api, stored, None), "it is going"
    place.client.patch(place.policy(), {"metadata": {"finalizers": None}})
    assert is_orphan(api, stored, policy), "it is gone"
