"""Whether a flow is allowed: verdicts, exit codes and output formats of ``why``."""

import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from tests.support.checkout import ROOT
from tests.support.recorded_cluster import outputs


def test_an_allowed_flow_exits_with_0(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = outputs(capsys, "why", "shop/web-0", "shop/web-2:80/tcp", "-f", cluster)
    assert code == 0
    assert out.startswith("ALLOWED  shop/web-0 (10.71.2.10) -> shop/web-2 (10.244.1.8) tcp/80, new connection\n")


def test_a_denied_flow_exits_with_1(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = outputs(capsys, "why", "shop/web-0", "infra/dns-0", "-f", cluster)
    assert code == 1
    assert "DENIED by rule 1 of PeeringConnectivity liqo-tenant-milan/milan: deny remote-cluster -> any" in out


def test_an_established_connection_passes_a_deny(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["why", "shop/web-0", "infra/dns-0", "-f", cluster, "--state", "established"]
    code, out, _ = outputs(capsys, *arguments, "-o", "json")
    assert code == 0
    assert json.loads(out)["peerings"][0]["decidedBy"] == {"kind": "established", "index": None, "action": "allow"}


def test_a_pod_without_address_is_unknown(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = outputs(capsys, "why", "shop/unscheduled", "shop/db-0", "-f", cluster, "-o", "json")
    assert code == 3
    assert json.loads(out)["unknown"][0]["object"] == "Pod shop/unscheduled"


def test_between_groups_the_worst_pair_decides(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["why", "group:remote-cluster@milan", "group:local-cluster@milan", "-f", cluster]
    code, out, _ = outputs(capsys, *arguments, "-o", "json")
    answer = json.loads(out)
    assert (code, answer["verdict"]) == (1, "denied")
    assert answer["pairs"]["allowed"] > 0, "members of vc-remote may reach members of vc-local"
    assert answer["pairs"]["denied"] > 0


def test_between_groups_that_may_talk_every_pair_is_allowed(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["why", "group:vc-remote@milan", "group:vc-local@milan", "-f", cluster]
    assert outputs(capsys, *arguments)[0] == 0


def test_an_ipv4_mapped_address_is_the_ipv4_address(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    plain = json.loads(outputs(capsys, "why", "ip:10.71.9.9", "ip:10.244.1.9", "-f", cluster, "-o", "json")[1])
    for written in ("::ffff:10.71.9.9", "[::ffff:a47:909]", "0:0:0:0:0:FFFF:10.71.9.9"):
        code, out, _ = outputs(capsys, "why", f"ip:{written}", "ip:::ffff:10.244.1.9", "-f", cluster, "-o", "json")
        mapped = json.loads(out)
        assert (code, mapped["verdict"], mapped["peerings"]) == (1, "denied", plain["peerings"])
        assert mapped["source"]["address"] == "10.71.9.9"


def test_the_same_answer_in_json_and_yaml(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["why", "shop/web-0", "shop/web-2", "-f", cluster, "-o"]
    assert json.loads(outputs(capsys, *arguments, "json")[1]) == yaml.safe_load(outputs(capsys, *arguments, "yaml")[1])


def test_a_proof_is_drawn_as_a_graph(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    dot = outputs(capsys, "why", "shop/web-0", "shop/web-2", "-f", cluster, "-o", "dot")[1]
    drawn = subprocess.run(["dot", "-Tsvg"], input=dot, text=True, capture_output=True, check=True).stdout
    assert "status/podIP" in "".join(ElementTree.fromstring(drawn).itertext())


def test_why_asks_about_two_addresses_that_no_rule_tells_apart(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    party = {"group": "offloaded"}
    policy = {
        "apiVersion": "security.liqo.io/v1",
        "kind": "PeeringConnectivity",
        "metadata": {"name": "rome", "namespace": "liqo-tenant-rome"},
        "spec": {"rules": [{"source": party, "destination": party, "action": "deny"}]},
    }
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(policy), "utf-8")
    provider = ROOT / "examples" / "provider"
    files = [word for file in ("cluster", "liqo", "pods") for word in ("-f", str(provider / f"{file}.yaml"))]
    files += ["-f", str(tmp_path)]
    for group in ("offloaded", "local-cluster"):
        code, out, _ = outputs(capsys, "why", f"group:{group}@rome", f"group:{group}@rome", *files)
        assert code == 1, out
    assert outputs(capsys, "why", "group:internet@rome", "group:internet@rome", *files)[0] == 0
