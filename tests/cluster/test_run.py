"""The process ``liqo-connectivity run`` against a real API server: what it writes, when it may, and how it ends."""

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from liqo_connectivity.operator.cli import run
from tests.support.api_client import ApiError
from tests.support.control_plane import ControlPlane
from tests.support.liqo_crds import crds, with_sets_and_ctstate
from tests.support.operator_process import ROOT, command, environment, running
from tests.support.planted import plant
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

TENANT = "liqo-tenant-milan"
FIREWALL = f"/apis/networking.liqo.io/v1beta1/namespaces/{TENANT}/firewallconfigurations/milan-connectivity"
POLICY = f"/apis/security.liqo.io/v1/namespaces/{TENANT}/peeringconnectivities/milan"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/default/leases/liqo-connectivity-engine"
Object = dict[str, Any]


@pytest.fixture(scope="module")
def whole_plane() -> Iterator[ControlPlane]:
    """A control plane with the CRDs of Liqo and of the policy, and the cluster of the consumer's example."""
    definition = yaml.load((ROOT / "deploy/base/crd.yaml").read_text("utf-8"), Loader=yaml.CSafeLoader)
    with ControlPlane(crds=with_sets_and_ctstate(crds())) as plane:
        plane.install([definition])
        plant(plane.admin, ROOT / "examples" / "consumer")
        yield plane


@pytest.fixture
def plane(whole_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The same, with nothing that a controller left behind."""
    yield whole_plane
    admin = whole_plane.admin
    admin.patch(POLICY, {"metadata": {"finalizers": None}})
    for path in (FIREWALL, LEASE):
        try:
            admin.delete(path)
        except ApiError as error:
            assert error.status == 404  # noqa: PT017  any other refusal is a failure


@pytest.fixture
def kubeconfig(plane: ControlPlane) -> Path:
    return plane.kubeconfig()


def stored(plane: ControlPlane, path: str) -> Object | None:
    try:
        return plane.admin.get(path)
    except ApiError as error:
        if error.status == 404:
            return None
        raise


def conditions(plane: ControlPlane) -> dict[str, tuple[str, str]]:
    found = plane.admin.get(POLICY).get("status", {}).get("conditions", [])
    return {each["type"]: (each["status"], each["reason"]) for each in found}


def outputs(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def once(kubeconfig: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(kubeconfig, *options), env=environment(), capture_output=True, text=True, check=False, timeout=120
    )


# ---- Writing ----


def test_the_chain_of_an_example_is_stored_and_its_status_says_so(
    plane: ControlPlane, kubeconfig: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(kubeconfig, tmp_path / "log") as controller:
        found = eventually(lambda: stored(plane, FIREWALL))
        assert found
        eventually(lambda: conditions(plane).get("Programmed", ("", ""))[0] == "True")
        assert conditions(plane)["Accepted"][0] == "True"
        eventually(controller.ready)
        assert controller.get("/healthz")[0] == 200
        synced = 'liqo_connectivity_policy_conditions{reason="Programmed",status="True",type="Programmed"} 1.0'
        eventually(lambda: synced in controller.get("/metrics")[1])
        metrics = controller.get("/metrics")[1]
        assert 'liqo_connectivity_facts{relation="pod"} ' in metrics
        assert 'leader_election_master_status{name="liqo-connectivity-engine"} 1.0' in metrics
        assert "shop" not in metrics
    # What the command line makes of the same cluster is what was stored.
    rendered = yaml.load(outputs(capsys, "render", "--kubeconfig", str(kubeconfig))[1], Loader=yaml.CSafeLoader)
    assert found["spec"] == rendered["spec"]
    assert found["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "liqo-connectivity-engine"


def test_a_change_of_a_pod_reaches_its_set(plane: ControlPlane, kubeconfig: Path, tmp_path: Path) -> None:
    path = "/api/v1/namespaces/shop/pods/web-2"
    before = plane.admin.get(path)["status"]
    try:
        with running(kubeconfig, tmp_path / "log"):
            eventually(lambda: stored(plane, FIREWALL))
            plane.admin.patch_status(path, {"podIP": "10.244.1.77", "podIPs": [{"ip": "10.244.1.77"}]})
            eventually(lambda: "10.244.1.77" in json.dumps(stored(plane, FIREWALL)))
    finally:
        plane.admin.patch_status(path, {"podIP": before["podIP"], "podIPs": before["podIPs"]})


def test_once_writes_and_ends(plane: ControlPlane, kubeconfig: Path) -> None:
    done = once(kubeconfig, "--once")
    assert done.returncode == 0, done.stderr
    assert stored(plane, FIREWALL)
    assert conditions(plane)["Programmed"][0] == "True"
    assert not plane.admin.get(LEASE)["spec"].get("holderIdentity")


def test_once_exits_with_3_when_a_policy_is_pending(plane: ControlPlane, kubeconfig: Path, tmp_path: Path) -> None:
    before = plane.admin.get(POLICY)["spec"]
    rules = tmp_path / "wrong.dl"
    rules.write_text('invalid_rule(Policy, 0, "action", "it is Monday") :- policy(Policy, _).\n')
    done = once(kubeconfig, "--once", "--rules", str(rules))
    assert done.returncode == 3, done.stderr
    assert conditions(plane)["Accepted"] == ("False", "InvalidPolicy")
    assert plane.admin.get(POLICY)["spec"] == before


def test_once_gives_up_when_somebody_else_leads(plane: ControlPlane, kubeconfig: Path, tmp_path: Path) -> None:
    with running(kubeconfig, tmp_path / "log") as leader:
        identity = leader.logged("Became leader")["identity"]
        done = once(kubeconfig, "--once", "--once-timeout=4")
    assert done.returncode == 3
    assert json.loads(done.stderr.splitlines()[-1])["leader"] == identity


def test_a_dry_run_prints_a_diff_and_writes_nothing(plane: ControlPlane, kubeconfig: Path) -> None:
    policy = plane.admin.get(POLICY)
    done = once(kubeconfig, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"--- {TENANT}/milan-connectivity")
    assert "+kind: FirewallConfiguration" in done.stdout
    assert stored(plane, FIREWALL) is None
    assert stored(plane, LEASE) is None
    assert plane.admin.get(POLICY)["metadata"]["resourceVersion"] == policy["metadata"]["resourceVersion"]
    once(kubeconfig, "--once")
    again = once(kubeconfig, "--dry-run")
    assert (again.returncode, again.stdout) == (0, "")


# ---- Explaining ----


@pytest.mark.parametrize(
    "question",
    [
        ["why", "shop/web-2", "shop/web-0:8080/tcp"],
        ["why-not", "infra/metrics-0", "shop/web-0", "-o", "json"],
        ["query", "governing(P, Q)", "--why"],
    ],
    ids=lambda question: question[0],
)
def test_the_controller_is_asked_and_answers_as_its_dump(
    question: list[str],
    kubeconfig: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ask() -> str:
        return outputs(capsys, "facts", "dump", "--operator")[1]

    dump = tmp_path / "facts.jsonl"
    with running(kubeconfig, tmp_path / "log") as controller:
        monkeypatch.setenv("LIQO_CONNECTIVITY_OPERATOR", f"http://127.0.0.1:{controller.port('answers')}")
        controller.logged("Became leader")
        before = eventually(ask)
        # A status that is written meanwhile is another version of the policy, and so another answer.
        while True:
            answered = outputs(capsys, *question, "--operator")
            if (after := ask()) == before:
                break
            before = after
        dump.write_text(before)
    assert answered[0] == 0
    # Only the notes differ: of the controller's cluster, no kubeconfig here lists the Services.
    assert answered[:2] == outputs(capsys, *question, "-f", str(dump))[:2]


# ---- Leading ----


def test_a_standby_takes_over_from_a_leader_that_dies(plane: ControlPlane, kubeconfig: Path, tmp_path: Path) -> None:
    with running(kubeconfig, tmp_path / "first") as first:
        first.logged("Became leader")
        with running(kubeconfig, tmp_path / "second") as second:
            eventually(second.ready)
            assert not second.entries("Became leader")
            eventually(lambda: stored(plane, FIREWALL))
            first.process.kill()
            plane.admin.delete(FIREWALL)
            second.logged("Became leader")
            eventually(lambda: stored(plane, FIREWALL))


def test_a_leader_that_stops_hands_over_at_once(plane: ControlPlane, kubeconfig: Path, tmp_path: Path) -> None:
    options = ("--lease-duration=600",)
    with running(kubeconfig, tmp_path / "first", *options) as first:
        first.logged("Became leader")
        with running(kubeconfig, tmp_path / "second", *options) as second:
            eventually(second.ready)
            first.process.send_signal(signal.SIGTERM)
            assert first.ended() == 0
            second.logged("Became leader")


def test_a_lost_lease_is_the_end(plane: ControlPlane, kubeconfig: Path, tmp_path: Path) -> None:
    with running(kubeconfig, tmp_path / "log") as controller:
        controller.logged("Became leader")
        eventually(lambda: _usurp(plane))
        assert controller.ended() == 1
        assert controller.entries("Lost the lease")


def _usurp(plane: ControlPlane) -> bool:
    plane.admin.patch(LEASE, {"spec": {"holderIdentity": "somebody else", "leaseDurationSeconds": 3600}})
    return True


def test_who_may_not_list_is_not_ready_and_never_leads(
    plane: ControlPlane, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = plane.service_account_kubeconfig("default", "nobody")
    with running(nobody, tmp_path / "log") as controller:
        assert "forbidden" in controller.logged("Resource could not be watched")["error"]
        status, text = controller.get("/readyz")
        assert status == 503
        assert "[-]watch pods: not listed yet" in text
        assert controller.get("/healthz")[0] == 200
        monkeypatch.setenv("LIQO_CONNECTIVITY_OPERATOR", f"http://127.0.0.1:{controller.port('answers')}")
        code, out, err = outputs(capsys, "facts", "dump", "--operator")
        assert (code, out) == (2, "")
        assert "the cluster has not been read yet" in err
        controller.process.send_signal(signal.SIGTERM)
        assert controller.ended() == 0
    assert stored(plane, LEASE) is None


# ---- Ending ----


def test_a_signal_drains_and_gives_the_lease_back(plane: ControlPlane, kubeconfig: Path, tmp_path: Path) -> None:
    with running(kubeconfig, tmp_path / "log") as controller:
        eventually(lambda: stored(plane, FIREWALL))
        controller.process.send_signal(signal.SIGTERM)
        assert controller.ended() == 0
        assert not plane.admin.get(LEASE)["spec"].get("holderIdentity")
        assert [entry["level"] for entry in controller.entries()] == ["info"] * len(controller.entries())


def test_a_second_signal_ends_it_at_once(plane: ControlPlane, kubeconfig: Path, tmp_path: Path) -> None:
    # Writes hang, and are given all the time that there is.
    options = ("--request-timeout=60", "--renew-deadline=300", "--lease-duration=600", "--retry-period=0.1")
    with running(kubeconfig, tmp_path / "log", *options) as controller:
        controller.logged("Became leader")
        plane.pause_etcd()
        try:
            controller.process.send_signal(signal.SIGTERM)
            eventually(lambda: controller.entries("Began to drain"))
            assert controller.process.poll() is None
            controller.process.send_signal(signal.SIGTERM)
            assert controller.ended(5) == 128 + signal.SIGTERM
        finally:
            plane.resume_etcd()


def test_an_address_that_is_taken_is_wrong_usage(kubeconfig: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = once(kubeconfig, f"--probes-address=127.0.0.1:{taken.getsockname()[1]}")
    assert done.returncode == 2
    assert "--probes-address" in done.stderr
