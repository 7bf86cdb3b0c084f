"""Writes against a real API server: guarded, whole, never on what is somebody else's, and what goes wrong is survived."""

import json
from copy import deepcopy
from typing import Any

import pytest

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import (
    FIREWALL,
    Counts,
    StoredPolicy,
    digest,
    rules_digest,
    stored_firewall,
    stored_policy,
)
from liqo_connectivity.operator.controller.state.desired import DesiredFirewall
from liqo_connectivity.operator.controller.writing.firewall_body import LABELS
from liqo_connectivity.operator.controller.writing.firewall_writer import FirewallWriter, read_firewall
from liqo_connectivity.operator.kube.connection import connect
from liqo_connectivity.operator.kube.errors import Conflict, Forbidden, ServerFault, Throttled, Unreachable
from liqo_connectivity.operator.kube.rest_client import RestClient
from tests.support.api_client import Object
from tests.support.control_plane import ControlPlane
from tests.support.controller_rig import Site, placed, rig
from tests.support.faulty_calls import FaultyCalls, failing
from tests.support.go_json import omit_empty


@pytest.fixture
def calls(plane: ControlPlane) -> FaultyCalls:
    return FaultyCalls(RestClient(connect(str(plane.kubeconfig()))))


def key_of(place: Site) -> ObjectKey:
    return ObjectKey(FIREWALL, place.tenant, f"{place.cluster}-connectivity")


def body(place: Site, *addresses: str) -> Any:
    rule = {
        "name": "r000",
        "counter": False,
        "action": "drop",
        "match": [{"op": "eq", "ip": {"value": "@namespace.a.0", "position": "src"}}],
    }
    chain = {"name": "c", "hook": "postrouting", "policy": "accept", "priority": 90, "type": "filter"}
    held = {"name": "namespace.a.0", "keyType": "ipv4_addr", "elements": [{"key": each} for each in addresses]}
    table = {
        "name": f"connectivity-{place.cluster}",
        "family": "IPV4",
        "sets": [held],
        "chains": [{**chain, "rules": {"filterRules": [rule]}}],
    }
    metadata = {"name": f"{place.cluster}-connectivity", "namespace": place.tenant, "labels": dict(LABELS)}
    return {
        "apiVersion": "networking.liqo.io/v1beta1",
        "kind": FIREWALL,
        "metadata": metadata,
        "spec": {"table": table},
    }


def wanted(place: Site, *addresses: str) -> DesiredFirewall:
    made = body(place, *addresses)
    return DesiredFirewall(
        key_of(place), made, digest(made["spec"]), rules_digest(made["spec"]), Counts(1, len(addresses))
    )


def owner(place: Site, name: str = "guard") -> StoredPolicy:
    return stored_policy(place.get(place.policy(name)) or place.add_policy(name))


def test_created_updated_unchanged(place: Site, calls: FaultyCalls) -> None:
    writer, policy = FirewallWriter(calls), owner(place)
    result, stored = writer.write(wanted(place, "10.0.0.1"), policy, None)
    assert result == "created"
    assert stored == stored_firewall(place.stored())
    result, stored = writer.write(wanted(place, "10.0.0.1", "10.0.0.2"), policy, stored)
    assert result == "updated"
    assert stored == stored_firewall(place.stored()), "though the answer has metadata only"
    before = list(calls.done)
    assert writer.write(wanted(place, "10.0.0.1", "10.0.0.2"), policy, stored) == ("unchanged", stored)
    assert calls.done == before


def test_what_is_read_and_what_is_written_have_one_digest(place: Site, calls: FaultyCalls) -> None:
    FirewallWriter(calls).write(wanted(place, "10.0.0.1"), owner(place), None)
    found = read_firewall(calls, key_of(place))
    assert found is not None
    assert found.digest == wanted(place, "10.0.0.1").digest
    assert not found.empty


def test_of_two_writers_the_slower_one_fails_and_reads_again(place: Site, calls: FaultyCalls) -> None:
    policy = owner(place)
    one, other = FirewallWriter(calls), FirewallWriter(calls)
    _, stored = one.write(wanted(place, "10.0.0.1"), policy, None)
    one.write(wanted(place, "10.0.0.2"), policy, stored)
    with pytest.raises(Conflict):
        other.write(wanted(place, "10.0.0.3"), policy, stored)
    assert (place.stored() or {})["spec"] == body(place, "10.0.0.2")["spec"]
    other.write(wanted(place, "10.0.0.3"), policy, read_firewall(calls, key_of(place)))
    assert (place.stored() or {})["spec"] == body(place, "10.0.0.3")["spec"]


def test_a_write_to_an_object_that_is_gone_or_another_makes_none(place: Site, calls: FaultyCalls) -> None:
    writer, policy = FirewallWriter(calls), owner(place)
    _, stored = writer.write(wanted(place, "10.0.0.1"), policy, None)
    place.client.delete(place.firewall)
    with pytest.raises(Conflict):
        writer.write(wanted(place, "10.0.0.2"), policy, stored)
    assert place.stored() is None
    place.client.create(body(place, "10.0.0.9"))
    with pytest.raises(Conflict):
        writer.write(wanted(place, "10.0.0.2"), policy, stored)
    assert (place.stored() or {})["spec"] == body(place, "10.0.0.9")["spec"]


def test_an_object_of_somebody_else_is_left_alone(plane: ControlPlane, place: Site) -> None:
    foreign = body(place, "10.0.0.9")
    foreign["metadata"]["labels"].pop("app.kubernetes.io/managed-by")
    before = place.client.create(foreign)
    place.add_policy()
    with rig(plane) as running:
        running.until(lambda: place.conditions().get("Programmed") == ("False", "FabricSyncFailed"))
        assert f"{place.tenant}/{place.cluster}-connectivity exists without the label" in place.message("Ready")
        assert place.stored() == before
        # The other writer deletes its object.
        place.client.delete(place.firewall)
        running.until(lambda: place.conditions()["Programmed"] == ("True", "Programmed"))


def test_fields_of_others_are_kept_and_ours_are_taken_back(place: Site, calls: FaultyCalls) -> None:
    writer, policy = FirewallWriter(calls), owner(place)
    writer.write(wanted(place, "10.0.0.1"), policy, None)
    noted = {"metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}, "finalizers": ["test/agent"]}}
    place.client.patch(place.firewall, noted)
    found = read_firewall(calls, key_of(place))
    result, _ = writer.write(wanted(place, "10.0.0.2"), policy, found)
    assert result == "updated"
    metadata = (place.stored() or {})["metadata"]
    assert metadata["labels"]["team"] == "a"
    assert metadata["annotations"]["note"] == "b"
    assert metadata["finalizers"] == ["test/agent"]


def has_elements(stored: Object | None) -> bool:
    return stored is not None and "elements" in stored["spec"]["table"]["sets"][0]


def test_what_a_program_in_go_writes_back_without_its_empty_fields_is_what_was_sent(
    place: Site, calls: FaultyCalls
) -> None:
    writer, policy = FirewallWriter(calls), owner(place)
    writer.write(wanted(place), policy, None)
    assert has_elements(place.stored())
    place.client.replace(json.loads(json.dumps(place.stored()), object_hook=omit_empty))
    assert not has_elements(place.stored())
    found = read_firewall(calls, key_of(place))
    assert writer.write(wanted(place), policy, found) == ("unchanged", found)


def test_empty_fields_that_are_dropped_on_write_are_no_failure(plane: ControlPlane, place: Site) -> None:
    made: list[FaultyCalls] = []

    def drop(sent: Object) -> None:
        if sent["kind"] == FIREWALL:
            sent["spec"] = json.loads(json.dumps(sent["spec"]), object_hook=omit_empty)

    def wrap(api: RestClient) -> FaultyCalls:
        made.append(FaultyCalls(api))
        made[0].change = drop
        return made[0]

    # Its set has no member yet.
    place.add_policy()
    with rig(plane, wrap=wrap) as running:
        running.until(lambda: place.conditions().get("Programmed") == ("True", "Programmed"))
        assert not has_elements(place.stored())
        running.rest()
        assert len(made[0].writes(place.firewall)) == 1


def mutate(sent: Object) -> None:
    """What a mutating webhook may do: it drops the last rule."""
    if "spec" in sent and sent["kind"] == FIREWALL:
        sent["spec"] = deepcopy(sent["spec"])
        sent["spec"]["table"]["chains"][0]["rules"]["filterRules"].pop()


def test_what_is_stored_otherwise_than_sent_is_told_and_not_fought(plane: ControlPlane, place: Site) -> None:
    made: list[FaultyCalls] = []

    def wrap(api: RestClient) -> FaultyCalls:
        made.append(FaultyCalls(api))
        made[0].change = mutate
        return made[0]

    place.add_policy()
    with rig(plane, wrap=wrap, retry_backoff=0.5, retry_backoff_limit=0.5) as running:
        running.until(lambda: place.conditions().get("Programmed") == ("False", "FabricSyncFailed"))
        assert (
            "was changed on write, by an admission webhook or because the installed CRD lacks a field"
            in place.message("Programmed")
        )
        writes = len(made[0].writes(place.firewall))
        for _ in range(30):
            running.loop.step(0.02)
        assert len(made[0].writes(place.firewall)) - writes <= 3, "no hot loop"
        assert place.conditions()["Programmed"] == ("False", "FabricSyncFailed"), "nor does it flap"
        made[0].change = lambda body: None
        running.until(lambda: place.conditions()["Programmed"] == ("True", "Programmed"))
        # From then on it may be altered again: the watch tells.
        made[0].change = mutate
        place.add_pod("10.200.0.1")
        running.until(lambda: place.conditions()["Programmed"] == ("False", "FabricSyncFailed"))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_write_of_unknown_outcome_is_read_again_before_it_is_retried(
    plane: ControlPlane, place: Site, after: bool
) -> None:
    made: list[FaultyCalls] = []
    fault = failing(Unreachable("no answer"), method="apply", part=place.firewall, after=after)

    def wrap(api: RestClient) -> FaultyCalls:
        made.append(FaultyCalls(api, fault))
        return made[0]

    place.add_policy()
    with rig(plane, wrap=wrap) as running:
        running.until(lambda: place.conditions().get("Programmed") == ("True", "Programmed"))
        asked = [method for method, path in made[0].done if path == place.firewall]
        assert asked == (["get", "apply", "get"] if after else ["get", "apply", "get", "apply"])
        assert (place.stored() or {})["metadata"]["generation"] == 1


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (Conflict(409, "Conflict", "changed"), False),
        (Throttled(429, "TooManyRequests", "slow down", 0.05), False),
        (Forbidden(403, "Forbidden", 'admission webhook "fw.liqo.io" denied the request: table name used'), True),
        (ServerFault(500, "InternalError", "failed calling webhook"), True),
    ],
)
def test_a_refused_write_is_told_if_it_lasts_and_tried_again(
    plane: ControlPlane, place: Site, error: Exception, shown: bool
) -> None:
    times = 2
    place.add_policy()
    seen: set[tuple[str, str]] = set()
    fault = failing(error, method="apply", part=place.firewall, times=times)
    with rig(plane, wrap=lambda api: FaultyCalls(api, fault), retry_backoff=0.3, retry_backoff_limit=0.3) as running:

        def programmed() -> bool:
            found = place.conditions().get("Programmed")
            if found:
                seen.add(found)
            return found == ("True", "Programmed")

        running.until(programmed)
    assert (("False", "FabricSyncFailed") in seen) == shown


def test_one_peering_that_cannot_be_written_keeps_no_other_waiting(plane: ControlPlane, place: Site) -> None:
    denied = Forbidden(403, "Forbidden", "admission webhook denied the request")
    fault = failing(denied, method="apply", part=place.firewall, times=10**6)
    with placed(plane) as other, rig(plane, wrap=lambda api: FaultyCalls(api, fault)) as running:
        place.add_policy()
        other.add_policy()
        running.until(lambda: other.conditions().get("Programmed") == ("True", "Programmed"))
        running.until(lambda: place.conditions().get("Ready") == ("False", "FabricSyncFailed"))
        assert "admission webhook denied the request" in place.message("Ready")
        running.rest()
        assert running.loop.failing


def test_a_mistake_of_ours_about_one_object_stops_nothing(plane: ControlPlane, place: Site) -> None:
    fault = failing(KeyError("spec"), method="apply", part=place.firewall, times=2)
    with rig(plane, wrap=lambda api: FaultyCalls(api, fault)) as running:
        place.add_policy()
        running.until(lambda: place.conditions().get("Programmed") == ("True", "Programmed"))
