"""The quick start of the README: its policy, the commands of the real kubectl, and what they show while the controller runs."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.chain_verdict import Packet, configuration_verdict
from tests.support.checkout import ROOT
from tests.support.liqo_peerings import Peering
from tests.support.operator_scene import Scene
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

CLUSTER = "remote-cluster-id"
TENANT = f"liqo-tenant-{CLUSTER}"
README = (ROOT / "README.md").read_text("utf-8").partition("## Quick start")[2]
POLICY = README.partition("```yaml\n")[2].partition("```")[0]
PATH = f"/apis/security.liqo.io/v1/namespaces/{TENANT}/peeringconnectivities/{CLUSTER}"


@pytest.fixture(scope="module")
def peering(scene: Scene) -> Peering:
    """The peering, and a pod that it offloaded to this cluster."""
    peering = scene.place.peering(name=CLUSTER, role="Consumer")
    scene.place.pod(peering.host(), "guest", "10.244.7.7", labels=peering.origin)
    return peering


@pytest.fixture(scope="module")
def applied(scene: Scene, peering: Peering, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What ``kubectl apply`` says of the policy; it is there and ready."""
    file = tmp_path_factory.mktemp("quick") / "peeringconnectivity.yaml"
    file.write_text(POLICY, "utf-8")
    said = kubectl(scene, "apply", "-f", str(file))
    scene.cluster.said(PATH, "Ready", "True")
    yield said
    assert "deleted" in kubectl(scene, "delete", "-f", str(file))
    assert scene.cluster.get(peering.firewall) is None


def kubectl(scene: Scene, *arguments: str) -> str:
    done = scene.plane.kubectl(*arguments)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return done.stdout


def table(text: str) -> list[dict[str, str]]:
    """The rows of what ``kubectl get`` shows, by the heading of their columns."""
    heading, *rows = (line.split() for line in text.splitlines())
    return [dict(zip(heading, row, strict=True)) for row in rows]


def test_the_policy_is_applied(applied: str) -> None:
    assert applied == f"peeringconnectivity.security.liqo.io/{CLUSTER} created\n"


def test_get_shows_whether_it_is_enforced(scene: Scene, applied: str) -> None:
    eventually(lambda: table(kubectl(scene, "get", "peeringconnectivity", "-n", TENANT))[0].get("MEMBERS") == "1")
    [row] = table(kubectl(scene, "get", "peeringconnectivity", "-n", TENANT))
    assert {**row, "AGE": ""} == {"NAME": CLUSTER, "READY": "True", "RULES": "3", "MEMBERS": "1", "AGE": ""}
    [short] = table(kubectl(scene, "get", "pcon", "-n", TENANT, "-o", "wide"))
    assert short["REASON"] == "FabricSynced"


def test_get_shows_the_chain(scene: Scene, applied: str) -> None:
    [row] = table(kubectl(scene, "get", "firewallconfiguration", "-n", TENANT))
    assert row["NAME"] == f"{CLUSTER}-connectivity"


def test_describe_tells_the_conditions_and_the_events(scene: Scene, applied: str) -> None:
    said = kubectl(scene, "describe", "peeringconnectivity", CLUSTER, "-n", TENANT)
    assert [line.split()[-1] for line in said.splitlines() if line.strip().startswith("Type:")] == [
        "Accepted",
        "Programmed",
        "Enforced",
        "Ready",
    ]
    assert "2 of 2 agents report that they have applied the chain" in said
    events = said.partition("Events:")[2]
    assert "FabricSynced" in events
    assert "Normal" in events


def test_wait_works_on_the_condition(scene: Scene, applied: str) -> None:
    assert kubectl(scene, "wait", "--for=condition=Ready", "--timeout=10s", "-n", TENANT, f"pcon/{CLUSTER}")


def test_what_is_stored_does_what_the_policy_says(scene: Scene, peering: Peering, applied: str) -> None:
    stored = scene.cluster.client.get(peering.firewall)
    remote, guest, other = peering.address(), "10.244.7.7", "10.244.9.9"
    verdicts = {
        (remote, guest): "accept",
        (guest, remote): "accept",
        (guest, other): "drop",
        (guest, "192.0.2.1"): "drop",
        (other, remote): "accept",
        (other, "192.0.2.1"): "accept",
    }
    assert {flow: configuration_verdict([stored], Packet(*flow)) for flow in verdicts} == verdicts
    eventually(lambda: scene.fabric.holds(f"connectivity-{CLUSTER}") == ["fabric-a", "fabric-b"])


def test_applying_it_again_changes_nothing(scene: Scene, applied: str, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY, "utf-8")
    before = scene.cluster.settled(TENANT)
    assert kubectl(scene, "apply", "-f", str(file)).endswith("unchanged\n")
    assert scene.cluster.settled(TENANT) == before


def test_explain_tells_what_the_fields_mean(scene: Scene, applied: str) -> None:
    assert "first whose source, destination and ports all match" in " ".join(
        kubectl(scene, "explain", "peeringconnectivity.spec.rules").split()
    )


def test_the_status_is_what_the_definition_says(scene: Scene, applied: str) -> None:
    stored = scene.cluster.client.get(PATH)
    assert stored["status"]["observedGeneration"] == stored["metadata"]["generation"]
    assert [one["observedGeneration"] for one in stored["status"]["conditions"]] == [1] * 4, json.dumps(stored)
