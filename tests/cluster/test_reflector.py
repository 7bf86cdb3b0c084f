"""Watches and leadership on a real API server: streamed lists, bookmarks, admission, restarts and storage that hangs."""

import json

import pytest

from liqo_connectivity.facts import KIND_BY_NAME, decode_mapping
from liqo_connectivity.facts.base.fact import ObjectKey
from liqo_connectivity.operator.controller.leader_election import LeaderElector
from liqo_connectivity.operator.controller.serving.metrics import Metrics
from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.controller.watching.resources import resources
from liqo_connectivity.operator.kube.connection import connect
from liqo_connectivity.operator.kube.errors import Conflict, Forbidden, NotFound, ServerFault
from liqo_connectivity.operator.kube.rest_client import RestClient
from tests.support.control_plane import ControlPlane
from tests.support.liqo_crds import crds
from tests.support.waiting import eventually, pause
from tests.support.watches import watching


def new_pod(plane: ControlPlane, namespace: str, name: str) -> None:
    container = {"name": "c", "image": "none"}
    metadata = {"namespace": namespace, "name": name}
    plane.admin.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}})


def test_everything_is_synced_and_followed(control_plane: ControlPlane) -> None:
    namespace = control_plane.namespace("watch")
    new_pod(control_plane, namespace, "before")
    with watching(control_plane) as watches:
        watches.synced()
        assert set(watches.look("pods", namespace)) == {"before"}
        # A namespace arrives as metadata only, and asserts what the whole object asserts.
        path = f"/api/v1/namespaces/{namespace}"
        whole = decode_mapping(KIND_BY_NAME["Namespace"], control_plane.admin.get(path))
        assert watches.look("namespaces", "")[namespace].facts == whole.facts
        crd = watches.look("customresourcedefinitions", "")["firewallconfigurations.networking.liqo.io"]
        assert {fact.relation for fact in crd.facts} == {"firewall_crd", "firewall_crd_field"}
        new_pod(control_plane, namespace, "after")
        eventually(lambda: set(watches.look("pods", namespace)) == {"before", "after"}, 5)
        pod = f"/api/v1/namespaces/{namespace}/pods/after"
        control_plane.admin.patch_status(pod, {"phase": "Running", "podIP": "10.1.1.1", "podIPs": [{"ip": "10.1.1.1"}]})
        expected = decode_mapping(KIND_BY_NAME["Pod"], control_plane.admin.get(pod))
        eventually(lambda: watches.look("pods", namespace)["after"].facts == expected.facts, 5)
        control_plane.admin.delete(pod, gracePeriodSeconds="0")
        eventually(lambda: set(watches.look("pods", namespace)) == {"before"}, 5)
        # Every list was streamed, and every watch goes on since: two requests each, and two for what is absent.
        assert all(watches.restarts(watch.resource.name, "ended") == 0 for watch in watches.all)


def test_of_all_endpoints_those_of_the_dns_are_seen(control_plane: ControlPlane) -> None:
    def create(name: str, namespace: str, app: str, address: str) -> None:
        metadata = {"name": name, "namespace": namespace, "labels": {"k8s-app": app}}
        made = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4"}
        control_plane.admin.create({**made, "metadata": metadata, "endpoints": [{"addresses": [address]}]})

    create("dns", "kube-system", "kube-dns", "10.1.0.53")
    create("other", "kube-system", "metrics", "10.1.0.54")
    create("dns", control_plane.namespace("watch"), "kube-dns", "10.1.0.55")
    try:
        with watching(control_plane, "endpointslices") as watches:
            watches.synced()
            create("dns-ipv6", "kube-system", "kube-dns", "10.1.0.56")
            eventually(lambda: set(watches.look("endpointslices", "kube-system")) == {"dns", "dns-ipv6"}, 5)
            assert {key for _, key in watches.state} == {
                ObjectKey("EndpointSlice", "kube-system", name) for name in ("dns", "dns-ipv6")
            }
            rows = {fact.row for observed in watches.state.values() for fact in observed.facts}
            assert ("kube-system/dns", "10.1.0.53") in rows
            assert ("kube-system/dns",) in rows
    finally:
        for name in ("dns", "other", "dns-ipv6"):
            path = f"/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/{name}"
            control_plane.admin.delete(path)


def test_a_version_that_is_too_old_is_listed_anew(control_plane: ControlPlane) -> None:
    namespace = control_plane.namespace("watch")

    def create(name: str) -> None:
        network = {"apiVersion": "ipam.liqo.io/v1alpha1", "kind": "Network", "spec": {"cidr": "10.0.0.0/24"}}
        control_plane.admin.create({**network, "metadata": {"namespace": namespace, "name": name}})

    create("a")
    with watching(control_plane, "networks") as watches:
        watches.synced()
        (watch,) = watches.all
        # What it shows now came by the watch and not by the list before it.
        create("b")
        eventually(lambda: set(watches.look("networks", namespace)) == {"a", "b"}, 10)
        shown = int(watches.look("networks", namespace)["b"].facts[0].source.resource_version)
        eventually(lambda: (watch._version or 0) >= shown)
        assert watch._stream is not None
        # Before the CustomResourceDefinition was: the server begins to remember a kind when it learns of it.
        watch._version = 1
        watch._stream.stop()
        create("c")
        eventually(lambda: set(watches.look("networks", namespace)) == {"a", "b", "c"}, 10)
        assert watches.restarts("networks", "gone") == 1


def test_a_kind_that_is_installed_and_removed_while_watching(fresh_control_plane: ControlPlane) -> None:
    network_crd = [crd for crd in crds() if crd["metadata"]["name"] == "networks.ipam.liqo.io"]
    network = {
        "apiVersion": "ipam.liqo.io/v1alpha1",
        "kind": "Network",
        "metadata": {"name": "pod-cidr", "namespace": "default"},
        "spec": {"cidr": "10.244.0.0/16"},
    }
    with watching(fresh_control_plane) as watches:
        watches.synced()
        assert watches.look("networks", "default") == {}
        fresh_control_plane.install(network_crd)
        # The server forgets and learns a kind in steps.
        eventually(lambda: fresh_control_plane.admin.apply(network))
        eventually(lambda: set(watches.look("networks", "default")) == {"pod-cidr"}, 10)
        fresh_control_plane.admin.delete(
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/networks.ipam.liqo.io"
        )
        eventually(lambda: watches.look("networks", "default") == {}, 10)
        fresh_control_plane.install(network_crd)
        # The server forgets and learns a kind in steps.
        eventually(lambda: fresh_control_plane.admin.apply(network))
        eventually(lambda: set(watches.look("networks", "default")) == {"pod-cidr"}, 10)


@pytest.mark.slow
def test_after_a_crash_of_the_server_the_state_is_right_within_ten_seconds(fresh_control_plane: ControlPlane) -> None:
    plane = fresh_control_plane
    namespace = plane.namespace("watch")
    new_pod(plane, namespace, "a")
    new_pod(plane, namespace, "b")
    with watching(plane) as watches:
        watches.synced()
        plane.kill_apiserver()
        pause(2)
        plane.restart_apiserver()
        plane.admin.delete(f"/api/v1/namespaces/{namespace}/pods/a", gracePeriodSeconds="0")
        new_pod(plane, namespace, "c")
        eventually(lambda: set(watches.look("pods", namespace)) == {"b", "c"}, 10)
        failed = [code for _, code in watches.requests if code == "<error>"]
        # Thirteen watches for a few seconds.
        assert len(failed) < 13 * 30


@pytest.mark.slow
def test_storage_that_hangs_delays_and_loses_nothing(fresh_control_plane: ControlPlane) -> None:
    plane = fresh_control_plane
    namespace = plane.namespace("watch")
    new_pod(plane, namespace, "a")
    with watching(plane, "pods", "namespaces") as watches:
        watches.synced()
        plane.pause_etcd()
        pause(5)
        plane.resume_etcd()
        new_pod(plane, namespace, "b")
        eventually(lambda: set(watches.look("pods", namespace)) == {"a", "b"}, 10)


def test_a_user_without_permission_is_refused(control_plane: ControlPlane) -> None:
    namespace = control_plane.namespace("watch")
    api = RestClient(connect(str(control_plane.service_account_kubeconfig(namespace, "nobody"))))
    with pytest.raises(Forbidden, match="cannot list resource"):
        api.get("/api/v1/pods")


def test_writes_are_guarded_strict_and_apply_only_what_is_ours(control_plane: ControlPlane) -> None:
    namespace = control_plane.namespace("write")
    api = RestClient(connect(str(control_plane.kubeconfig())))
    path = f"/api/v1/namespaces/{namespace}/configmaps/c"

    def body(data: dict[str, str], **metadata: str) -> dict[str, object]:
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"} | metadata, "data": data}

    with pytest.raises(NotFound):
        api.get(path)
    first = api.apply(path, body({"a": "1"}), force=False)
    control_plane.admin.patch(path, {"data": {"theirs": "1"}})
    metadata = first["metadata"]
    assert isinstance(metadata, dict)
    with pytest.raises(Conflict):
        api.apply(path, body({"a": "2"}, resourceVersion=str(metadata["resourceVersion"])), force=True)
    stranger = "f0f0f0f0-0000-0000-0000-000000000000"
    with pytest.raises(Conflict):
        api.apply(path, body({"a": "2"}, uid=stranger, resourceVersion="1"), force=True)
    with pytest.raises(Conflict, match="conflict"):
        api.apply(path, body({"theirs": "2"}), force=False)
    with pytest.raises(ServerFault, match=r"unknown field|not declared in schema"):
        api.apply(path, {**body({}), "nonsense": 1}, force=True)
    partial = api.apply(path, body({"a": "3"}, uid=str(metadata["uid"])), force=True, partial=True)
    assert partial["kind"] == "PartialObjectMetadata"
    assert "data" not in partial
    assert api.get(path)["data"] == {"a": "3", "theirs": "1"}
    with pytest.raises(Conflict):
        api.delete(path, uid=stranger)
    api.delete(path, uid=str(metadata["uid"]))
    with pytest.raises(NotFound):
        api.get(path)
    # The uid is what keeps a write from bringing back what somebody deleted.
    with pytest.raises(Conflict, match="uid mismatch"):
        api.apply(path, body({"a": "3"}, uid=str(metadata["uid"]), resourceVersion="1"), force=True)


def test_a_lease_is_got_renewed_released_and_taken_over(control_plane: ControlPlane) -> None:
    namespace = control_plane.namespace("lease")
    settings = Settings(lease_duration=60.0, renew_deadline=30.0, retry_period=0.1)
    lost: list[str] = []

    def candidate(identity: str) -> LeaderElector:
        api = RestClient(connect(str(control_plane.kubeconfig())))
        lease = LeaderElector(
            api, settings, namespace, lost=lambda: lost.append(identity), metrics=Metrics(), identity=identity
        )
        lease.start()
        return lease

    def stored() -> dict[str, object]:
        path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/liqo-connectivity-engine"
        spec: dict[str, object] = control_plane.admin.get(path)["spec"]
        return spec

    first = candidate("first")
    eventually(first.is_leader, 5)
    second = candidate("second")
    try:
        renewed = stored()["renewTime"]
        eventually(lambda: stored()["renewTime"] != renewed, 5)
        eventually(lambda: second.holder == "first", 5)
        first.stop(5)
        eventually(second.is_leader, 5)
        assert stored()["holderIdentity"] == "second"
        assert stored()["leaseTransitions"] == 1
    finally:
        first.stop(5)
        second.stop(5)
    assert "holderIdentity" not in stored()
    assert lost == []


def test_the_lines_of_a_watch_are_json_objects(control_plane: ControlPlane) -> None:
    # What read_line relies on, said by the server itself.
    namespace = control_plane.namespace("watch")
    new_pod(control_plane, namespace, "a")
    kinds: list[str] = []
    (pods,) = [resource for resource in resources("liqo") if resource.name == "pods"]
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    for event in control_plane.admin.watch(f"/api/v1/namespaces/{namespace}/pods", 5, **query):
        kinds.append(type(pods.parse(json.dumps(event).encode())).__name__)
        if kinds[-1] == "Bookmark":
            break
    assert kinds == ["WatchEvent", "Bookmark"]
