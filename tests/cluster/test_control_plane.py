"""The control plane that tests start is a real one: what Kubernetes refuses, prunes, watches and collects, it does."""

import json
import signal
import subprocess
import sys
import threading
from copy import deepcopy
from functools import partial
from pathlib import Path

import pytest
from urllib3.exceptions import HTTPError

from tests.support.api_client import ApiError, Object
from tests.support.control_plane import ControlPlane
from tests.support.liqo_crds import VERSIONS, crds, with_sets_and_ctstate
from tests.support.liqo_webhook_server import WebhookServer
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

GROUP = "/apis/networking.liqo.io/v1beta1"
CONFIGURATION: Object = {
    "apiVersion": "networking.liqo.io/v1beta1",
    "kind": "FirewallConfiguration",
    "metadata": {"name": "milan-connectivity", "labels": {"networking.liqo.io/firewall-category": "fabric"}},
    "spec": {
        "table": {
            "name": "connectivity-milan",
            "family": "IPV4",
            "sets": [{"name": "vcremote", "keyType": "ipv4_addr", "elements": [{"key": "10.71.2.7"}]}],
            "chains": [
                {
                    "name": "filter",
                    "hook": "postrouting",
                    "type": "filter",
                    "policy": "accept",
                    "priority": 90,
                    "rules": {
                        "filterRules": [
                            {
                                "name": "established",
                                "counter": False,
                                "action": "accept",
                                "match": [{"op": "eq", "ctstate": {"value": ["established", "related"]}}],
                            },
                            {
                                "name": "r0",
                                "counter": False,
                                "action": "drop",
                                "match": [{"op": "eq", "ip": {"value": "@vcremote", "position": "src"}}],
                            },
                        ]
                    },
                }
            ],
        }
    },
}


def configuration(namespace: str) -> Object:
    """One with a set and a match on ctstate, which Liqo's webhook admits; it is the caller's to change."""
    made = deepcopy(CONFIGURATION)
    made["metadata"]["namespace"] = namespace
    made["metadata"]["labels"]["networking.liqo.io/firewall-subcategory"] = namespace
    return made


def rules(stored: Object) -> list[Object]:
    found: list[Object] = stored["spec"]["table"]["chains"][0]["rules"]["filterRules"]
    return found


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


@pytest.mark.parametrize("version", VERSIONS)
def test_the_crd_of_a_release_prunes_what_the_pull_requests_add(
    fresh_control_plane: ControlPlane, version: str
) -> None:
    admin = fresh_control_plane.admin
    released = crds(version)
    fresh_control_plane.install(released)
    for crd in released:
        conditions = admin.get(admin.path(crd))["status"]["conditions"]
        assert {one["type"]: one["status"] for one in conditions}["Established"] == "True"
    wanted = configuration("default")
    with pytest.raises(ApiError, match=r'unknown field "spec.table.sets"') as refused:
        admin.create(wanted, fieldValidation="Strict")
    assert (refused.value.status, refused.value.reason) == (400, "BadRequest")
    pruned = admin.create(wanted)
    assert "sets" not in pruned["spec"]["table"]
    assert rules(pruned)[0]["match"] == [{"op": "eq"}]  # which accepts everything

    fresh_control_plane.install(with_sets_and_ctstate(released))
    stored = eventually(lambda: admin.apply(wanted, fieldValidation="Strict"))
    assert stored["spec"] == wanted["spec"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "ns-a"), ("name", ""), ("keyType", "ipv4_cidr"), ("elements", [{"data": "10.0.0.1"}])],
)
def test_the_extended_crd_limits_sets(control_plane: ControlPlane, field: str, value: object) -> None:
    bad = configuration(control_plane.namespace())
    bad["spec"]["table"]["sets"][0][field] = value
    with pytest.raises(ApiError, match=r"spec\.table\.sets") as refused:
        control_plane.admin.create(bad)
    assert refused.value.reason == "Invalid"


@pytest.mark.parametrize("states", [[], ["closed"]])
def test_the_extended_crd_limits_ctstate(control_plane: ControlPlane, states: list[str]) -> None:
    bad = configuration(control_plane.namespace())
    rules(bad)[0]["match"][0]["ctstate"]["value"] = states
    with pytest.raises(ApiError, match=r"ctstate\.value"):
        control_plane.admin.create(bad)


def test_rules_in_cel_are_kept(control_plane: ControlPlane) -> None:
    network = {
        "apiVersion": "ipam.liqo.io/v1alpha1",
        "kind": "Network",
        "metadata": {"namespace": control_plane.namespace(), "name": "pod-cidr"},
        "spec": {"cidr": "10.244.0.0/16"},
    }
    path = control_plane.admin.path(control_plane.admin.create(network))
    with pytest.raises(ApiError, match="CIDR field is immutable"):
        control_plane.admin.patch(path, {"spec": {"cidr": "10.245.0.0/16"}})
    assert control_plane.admin.patch_status(path, {"cidr": "10.71.0.0/16"})["status"] == {"cidr": "10.71.0.0/16"}


# ---- The webhook ----


def test_the_webhook_admits_by_liqos_rules(control_plane: ControlPlane) -> None:
    admin = control_plane.admin
    good = configuration(control_plane.namespace())
    bad = configuration(control_plane.namespace())
    rules(bad)[1]["match"][0]["ip"]["value"] = "@nosuch"
    with WebhookServer(control_plane):
        stored = admin.create(good)
        with pytest.raises(ApiError, match=r'denied the request: .*"?nosuch') as refused:
            admin.create(bad)
        assert refused.value.status == 403
        with pytest.raises(ApiError, match="the table name is immutable"):
            admin.patch(admin.path(good), {"spec": {"table": {"name": "other"}}})
        twin = deepcopy(good) | {"metadata": {**good["metadata"], "name": "twin"}}
        with pytest.raises(ApiError, match="already used with the same labels"):
            admin.create(twin)
    assert admin.get(admin.path(good))["spec"] == stored["spec"]
    assert admin.create(bad)["spec"] == bad["spec"]  # nobody is asked any more


def test_the_webhook_can_be_down_and_can_deny_everything(control_plane: ControlPlane) -> None:
    admin = control_plane.admin
    good = configuration(control_plane.namespace())
    with WebhookServer(control_plane) as webhook:
        webhook.down()
        with pytest.raises(ApiError, match="failed calling webhook") as failed:
            admin.create(good)
        assert failed.value.status == 500
        webhook.up()
        webhook.refusal = "the cluster is in maintenance"
        with pytest.raises(ApiError, match="the cluster is in maintenance") as denied:
            admin.create(good)
        assert denied.value.status == 403
        webhook.refusal = None
        admin.create(good)
        webhook.down()
        admin.delete(admin.path(good))  # Liqo's webhook is not asked about deletions


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
