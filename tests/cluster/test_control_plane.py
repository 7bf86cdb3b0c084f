"""The control plane that tests start is a real one: what Kubernetes refuses, watches and collects, it does."""

import json
import signal
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest
from urllib3.exceptions import HTTPError

from tests.support.api_client import ApiError, Object
from tests.support.control_plane import ControlPlane
from tests.support.firewall_configurations import GROUP, configuration
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow


def config_map(namespace: str, name: str, **metadata: object) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": namespace, "name": name, **metadata}}


def is_gone(plane: ControlPlane, path: str) -> bool:
    try:
        plane.admin.get(path)
    except ApiError as error:
        return error.status == 404
    return False


# ---- Versions and schemas ----


def test_kubectl_reads_the_version_of_the_server(control_plane: ControlPlane) -> None:
    done = control_plane.kubectl("version", "-o", "json")
    assert done.returncode == 0, done.stderr
    version = json.loads(done.stdout)
    assert "WARNING" not in done.stderr  # it compares the two
    assert int(version["serverVersion"]["minor"]) >= 34  # watch-list without a switch
    assert version["clientVersion"]["gitVersion"].startswith("v1.")


# ---- Users ----


def test_a_service_account_may_do_what_a_role_says(control_plane: ControlPlane) -> None:
    namespace = control_plane.namespace()
    account = control_plane.client(control_plane.service_account_kubeconfig(namespace, "operator"))
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {}}
    who = account.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
    assert who["status"]["userInfo"]["username"] == f"system:serviceaccount:{namespace}:operator"

    path = f"{GROUP}/namespaces/{namespace}/firewallconfigurations"
    with pytest.raises(ApiError, match="cannot list resource") as refused:
        account.list(path)
    assert (refused.value.status, refused.value.reason) == (403, "Forbidden")

    role = control_plane.kubectl(
        *("create", "role", "reader", "-n", namespace, "--verb=list", "--resource=firewallconfigurations")
    )
    assert role.returncode == 0, role.stderr
    binding = control_plane.kubectl(
        *("create", "rolebinding", "reader", "-n", namespace, "--role=reader"),
        f"--serviceaccount={namespace}:operator",
    )
    assert binding.returncode == 0, binding.stderr
    assert eventually(lambda: [account.list(path)]) == [[]]
    with pytest.raises(ApiError, match="cannot create resource"):
        account.create(configuration(namespace))


def test_a_user_has_a_name_and_a_group(control_plane: ControlPlane) -> None:
    kubeconfig = control_plane.kubeconfig("system:node:worker", "tenants")
    told = json.loads(control_plane.kubectl("auth", "whoami", "-o", "json", kubeconfig=kubeconfig).stdout)
    assert told["status"]["userInfo"]["username"] == "system:node:worker"
    assert "tenants" in told["status"]["userInfo"]["groups"]


def test_a_stranger_is_not_let_in(control_plane: ControlPlane, tmp_path: Path) -> None:
    config = json.loads(control_plane.service_account_kubeconfig("default", "known").read_text())
    config["users"][0]["user"]["token"] += "x"
    forged = tmp_path / "kubeconfig"
    forged.write_text(json.dumps(config))
    with pytest.raises(ApiError) as refused:
        control_plane.client(forged).list("/api/v1/namespaces")
    assert refused.value.status == 401


# ---- Watches and controllers ----


def test_a_watch_sends_first_what_there_is(control_plane: ControlPlane) -> None:
    namespace = control_plane.namespace()
    for name in ("a", "b"):
        control_plane.admin.create(config_map(namespace, name))
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    events = control_plane.admin.watch(
        path,
        30,
        sendInitialEvents="true",
        allowWatchBookmarks="true",
        resourceVersionMatch="NotOlderThan",
    )
    first = [next(events) for _ in range(3)]
    assert sorted((e["type"], e["object"]["metadata"].get("name")) for e in first[:2]) == [
        ("ADDED", "a"),
        ("ADDED", "b"),
    ]
    assert first[2]["type"] == "BOOKMARK"
    assert first[2]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true"
    control_plane.admin.create(config_map(namespace, "c"))
    later = next(event for event in events if event["type"] != "BOOKMARK")
    assert (later["type"], later["object"]["metadata"]["name"]) == ("ADDED", "c")
    events.close()


def test_a_namespace_takes_its_objects_along(control_plane: ControlPlane) -> None:
    namespace = control_plane.namespace()
    control_plane.admin.create(configuration(namespace))
    held = control_plane.admin.create(config_map(namespace, "held", finalizers=["test.example/held"]))
    control_plane.admin.delete(f"/api/v1/namespaces/{namespace}")
    eventually(lambda: is_gone(control_plane, control_plane.admin.path(configuration(namespace))))
    assert control_plane.admin.get(f"/api/v1/namespaces/{namespace}")["status"]["phase"] == "Terminating"
    control_plane.admin.patch(control_plane.admin.path(held), {"metadata": {"finalizers": None}})
    eventually(lambda: is_gone(control_plane, f"/api/v1/namespaces/{namespace}"), 60)


def test_what_an_object_owns_is_collected(control_plane: ControlPlane) -> None:
    namespace = control_plane.namespace()
    owner = control_plane.admin.create(config_map(namespace, "owner"))
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    owned = control_plane.admin.create(config_map(namespace, "owned", ownerReferences=[reference]))
    control_plane.admin.delete(control_plane.admin.path(owner))
    eventually(lambda: is_gone(control_plane, control_plane.admin.path(owned)), 60)


# ---- Faults ----


def test_objects_outlive_the_server_and_writes_wait_for_etcd(fresh_control_plane: ControlPlane) -> None:
    admin = fresh_control_plane.admin
    kept = admin.create(config_map("default", "kept"))
    fresh_control_plane.kill_apiserver()
    with pytest.raises(HTTPError):
        admin.get(admin.path(kept))
    fresh_control_plane.restart_apiserver()
    assert admin.get(admin.path(kept))["metadata"]["uid"] == kept["metadata"]["uid"]

    path, written = admin.path(kept), threading.Event()

    def write() -> None:
        admin.patch(path, {"data": {"written": "late"}})
        written.set()

    fresh_control_plane.pause_etcd()
    writer = threading.Thread(target=write)
    writer.start()
    assert not written.wait(1)
    assert "data" not in admin.get(path, resourceVersion="0")  # the server's own cache
    fresh_control_plane.resume_etcd()
    writer.join(30)
    assert admin.get(path)["data"] == {"written": "late"}

    fresh_control_plane.reset()
    assert is_gone(fresh_control_plane, "/api/v1/namespaces/default/configmaps/kept")


def test_nothing_stays_when_the_tests_are_killed() -> None:
    script = """
import sys, time
sys.path.insert(0, sys.argv[1])
from tests.support.control_plane import ControlPlane
plane = ControlPlane(controllers=False)
plane.start()
print(plane.folder, *(process.pid for process in plane._running.values()), flush=True)
time.sleep(600)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script, str(Path(__file__).parents[2])], stdout=subprocess.PIPE, text=True
    ) as tests:
        assert tests.stdout
        folder, *groups = tests.stdout.readline().split()
        assert len(groups) == 2
        tests.send_signal(signal.SIGKILL)
    eventually(lambda: not Path(folder).exists())
    for group in map(int, groups):
        eventually(partial(_ended, group))


def _ended(pid: int) -> bool:
    """Whether it ended; nobody may have waited for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
