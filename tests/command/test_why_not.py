"""``why-not`` and ``query --why-not``: each rule that would have allowed, and the first condition that fails there."""

import json
from gzip import decompress
from pathlib import Path

import pytest

from liqo_connectivity.operator.cli import run

ROOT = Path(__file__).parents[2]
POLICY = """\
apiVersion: security.liqo.io/v1
kind: PeeringConnectivity
metadata: {name: milan, namespace: liqo-tenant-milan, uid: "1", resourceVersion: "2", creationTimestamp: "2026-11-22T23:50:00Z"}
spec:
  rules:
  - {source: {group: vc-local}, destination: {group: vc-remote}, action: allow}
  - {source: {group: vc-remote}, destination: {group: vc-local}, action: allow}
  - {source: {group: remote-cluster}, destination: {namespace: infra}, action: deny}
  - {source: {group: vc-remote}, action: allow}
  - {source: {group: remote-cluster}, action: deny}
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The recorded cluster ``rome`` with a policy for its peering."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "rome.yaml").write_bytes(
        decompress((ROOT / "tests" / "data" / "snapshots" / "rome.yaml.gz").read_bytes())
    )
    (folder / "policy.yaml").write_text(POLICY)
    return str(folder)


def outputs(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = run(list(arguments))
    return code, capsys.readouterr().out


def test_a_denial_is_explained_rule_by_rule(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = outputs(capsys, "why-not", "shop/web-0", "infra/dns-0:53/udp", "-f", cluster)
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("DENIED  shop/web-0 (10.71.2.10) -> infra/dns-0 (10.244.1.9) udp/53")
    assert "milan: DENIED by rule 2" in lines[2]
    own = [line.strip() for line in lines if line.startswith("  rule ")]
    assert own == [
        "rule 0 (allow vc-local -> vc-remote) does not match:",
        "rule 1 (allow vc-remote -> vc-local) does not match:",
        "rule 3 (allow vc-remote -> any) matches, but comes later",
    ]
    assert 'no mapped_namespace("milan", "infra")' in out
    assert len(lines) <= 40


def test_what_should_not_hold_is_proved(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, out = outputs(capsys, "why-not", "shop/web-0", "infra/dns-0", "-f", cluster)
    assert 'but node_virtual("milan")' in out
    assert "Node milan (resourceVersion" in out


def test_the_full_form_shows_every_rule(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, short = outputs(capsys, "why-not", "shop/web-0", "infra/dns-0", "-f", cluster)
    _, full = outputs(capsys, "why-not", "shop/web-0", "infra/dns-0", "-f", cluster, "--full")
    assert len(full) > len(short)
    assert "party_any" in full
    assert "party_any" not in short


def test_an_allowed_flow_has_nothing_to_explain(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = outputs(capsys, "why-not", "shop/web-2", "shop/web-0", "-f", cluster)
    assert code == 1
    _, why = outputs(capsys, "why", "shop/web-2", "shop/web-0", "-f", cluster)
    assert out == why


def test_what_is_not_known_is_said(cluster: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dump = tmp_path / "facts.jsonl"
    _, facts = outputs(capsys, "facts", "dump", "-f", cluster)
    dump.write_text("".join(f"{line}\n" for line in facts.splitlines() if '"network_status_cidr"' not in line))
    code, out = outputs(capsys, "why-not", "shop/web-0", "shop/web-2", "-f", str(dump))
    assert code == 3
    assert "unknown: NetworkNotReady" in out


def test_depth_is_given(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, out = outputs(capsys, "why-not", "shop/web-0", "infra/dns-0", "-f", cluster, "--depth", "1")
    assert "not followed any further" in out
    assert "mapped_namespace" not in out


def test_the_explanation_is_data(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = outputs(capsys, "why-not", "shop/web-0", "infra/dns-0", "-f", cluster, "-o", "json")
    document = json.loads(out)
    assert (code, document["verdict"], document["expected"]) == (0, "denied", "allowed")
    (denial,) = document["denials"]
    assert [(r["index"], r["beforeTheDecision"], [m["side"] for m in r["misses"]]) for r in denial["allowRules"]] == [
        (0, True, ["source", "destination"]),
        (1, True, ["destination"]),
        (3, False, []),
    ]
    explained = denial["allowRules"][1]["misses"][0]["whyNot"]
    failure = explained["goals"][0]["failures"][0]
    assert failure["fails"] == 'in_group("milan", "vc-local", "10.244.1.9")'
    below = explained["goals"][failure["because"]["goal"]]
    assert (below["text"], below["reason"]) == (failure["fails"], "derived")
    assert document["why"]["peerings"][0]["decidedBy"]["index"] == 2


def test_a_goal_without_rows_is_explained(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    goal = 'member(P, "vc-local", "10.244.1.9"), peering(P)'
    code, out = outputs(capsys, "query", goal, "--why-not", "-f", cluster)
    assert code == 1
    assert out.splitlines()[:2] == ["P", "no row:"]
    assert 'no member(_, "vc-local", "10.244.1.9") <- no mapped_namespace(_, "infra")' in out


def test_a_goal_with_rows_needs_no_explanation(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, plain = outputs(capsys, "query", "peering(P)", "-f", cluster)
    assert outputs(capsys, "query", "peering(P)", "-f", cluster, "--why-not") == (code, plain)
    _, text = outputs(capsys, "query", "peering(P)", "-f", cluster, "--why-not", "-o", "json")
    assert json.loads(text)["whyNot"] is None


def test_a_goal_through_negation_is_explained(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = outputs(capsys, "query", 'pod("shop/web-2", N), !live("shop/web-2", _)', "--why-not", "-f", cluster)
    assert code == 1
    assert 'but live("shop/web-2", _)  [goal:1]  although pod("shop/web-2", "shop")' in out
    assert 'live_local("shop/web-2", "10.244.1.8")' in out
