"""The command line as such: help, exit codes, formats, input, and which evaluator answered."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from liqo_connectivity.engine.pydatalog import second_opinion
from liqo_connectivity.operator import cli
from liqo_connectivity.operator.cli import run
from liqo_connectivity.operator.sources import files

ROOT = Path(__file__).parents[2]
SUBCOMMANDS = {"facts": ["dump", "load"], "rules": ["show", "graph"]}
COMMANDS = [
    [verb, *sub]
    for verb in [*cli.VERBS, "version"]
    for sub in ([[s] for s in SUBCOMMANDS[verb]] if verb in SUBCOMMANDS else [[]])
]
POLICY = """\
apiVersion: security.liqo.io/v1
kind: PeeringConnectivity
metadata: {name: milan, namespace: liqo-tenant-milan, uid: "1", resourceVersion: "2", creationTimestamp: "2026-11-22T23:50:00Z"}
spec:
  rules:
  - {source: {group: vc-remote}, destination: {group: vc-local}, action: allow}
  - {source: {group: remote-cluster}, action: deny}
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with the recorded cluster ``rome`` and a policy for its peering."""
    folder = tmp_path_factory.mktemp("cluster")
    recorded = ROOT / "tests" / "data" / "snapshots" / "rome.yaml.gz"
    (folder / "rome.yaml").write_bytes(gzip.decompress(recorded.read_bytes()))
    (folder / "policy.yaml").write_text(POLICY)
    return str(folder)


def outputs(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


# ---- Help ----


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_an_example_in_its_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = outputs(capsys, *command, "--help")
    assert code == 0
    assert f"liqo-connectivity {' '.join(command)}" in out.split("Example", 1)[1]


def test_help_names_kubectl_when_called_as_its_plugin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/local/bin/kubectl-liqo_connectivity"])
    assert "Usage: kubectl liqo-connectivity" in outputs(capsys, "--help")[1]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = outputs(capsys, "completion", shell)
    assert code == 0
    assert "_LIQO_CONNECTIVITY_COMPLETE" in out


# ---- Verdicts and exit codes ----


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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["why", "shop/nobody", "shop/db-0"], "there is no Pod 'shop/nobody'"),
        (["why", "8.8.8.8", "shop/db-0"], "write an address as ip:8.8.8.8"),
        (["why", "shop/db-0", "shop/web-0:80"], "write a port with its protocol, like shop/web-0:80/tcp"),
        (["why", "shop/db-0", "web-0"], "an endpoint is NAMESPACE/POD, ip:ADDRESS or group:GROUP@PEERING"),
        (["why", "ip:8.8.8.300", "shop/db-0"], "'8.8.8.300' is not an IP address"),
        (["why", "ip:1.1.1.1", "shop/db-0:99999/tcp"], "a port is a number from 1 to 65535"),
        (["why", "group:offloaded", "shop/db-0"], "write a group with its peering, like group:offloaded@milan"),
        (["why", "group:nothing@milan", "shop/db-0"], "there is no group 'nothing'; groups: local-cluster, offloaded"),
        (["why", "group:vc-local@paris", "shop/db-0"], "there is no peering 'paris'; peerings: milan"),
        (["why", "ip:fd00::1", "shop/db-0"], "addresses of different families"),
        (["query", "member(P, G"], "the text ends inside a statement"),
        (["query", "membr(P, G, A)"], "did you mean 'member'?"),
        (["facts", "dump", "-o", "souffle"], "-o souffle and --output-folder go together"),
    ],
    ids=lambda value: value[1] if isinstance(value, list) else "",
)
def test_wrong_usage_exits_with_2_and_says_what_to_do(
    arguments: list[str], said: str, cluster: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = outputs(capsys, *arguments, "-f", cluster)
    assert (code, out) == (2, "")
    assert said in err


def test_a_file_that_does_not_exist_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = outputs(capsys, "render", "-f", "nowhere.yaml")
    assert code == 2
    assert "there is no file or folder 'nowhere.yaml'" in err


@pytest.mark.parametrize(
    "command", ["render", "why ip:1.1.1.1 ip:2.2.2.2", "check", "query 'pod(P,_)'", "facts dump", "rules graph"]
)
def test_an_unsupported_format_is_wrong_usage(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = outputs(capsys, *command.split(), "-o", "csv")
    assert code == 2
    assert "'csv' is not one of" in err


# ---- Between groups ----


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


# ---- Formats ----


def test_the_same_answer_in_json_and_yaml(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["why", "shop/web-0", "shop/web-2", "-f", cluster, "-o"]
    assert json.loads(outputs(capsys, *arguments, "json")[1]) == yaml.safe_load(outputs(capsys, *arguments, "yaml")[1])


def test_a_proof_is_drawn_as_a_graph(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    dot = outputs(capsys, "why", "shop/web-0", "shop/web-2", "-f", cluster, "-o", "dot")[1]
    drawn = subprocess.run(["dot", "-Tsvg"], input=dot, text=True, capture_output=True, check=True).stdout
    assert "status/podIP" in "".join(ElementTree.fromstring(drawn).itertext())


def test_the_rules_are_drawn_as_svg(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = outputs(capsys, "rules", "graph", "-o", "svg")
    assert code == 0
    assert "flow_verdict" in "".join(ElementTree.fromstring(out).itertext())


def test_the_strata_are_listed_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    lines = outputs(capsys, "rules", "graph")[1].splitlines()
    assert lines[0].startswith("facts: pod, pod_node")
    assert lines[-1].endswith("flow_verdict")


def test_one_relation_is_shown_with_its_rules(capsys: pytest.CaptureFixture[str]) -> None:
    out = outputs(capsys, "rules", "show", "member")[1]
    assert out.count('member(Peering, "') == 3
    assert ".decl range" not in out


def test_the_shown_program_is_the_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = outputs(capsys, "rules", "show")[1]
    assert "group(" in shown
    assert shown.count(".decl ") > 100


# ---- Queries ----


def test_a_goal_is_answered_as_a_table(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = outputs(capsys, "query", 'member(P, "vc-local", Ip), pod_ip(Pod, Ip)', "-f", cluster)
    assert code == 0
    assert out.splitlines()[:2] == ["P      Ip          Pod", "milan  10.200.2.7  shop/db-0"]


def test_each_row_of_a_goal_is_proved(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = outputs(capsys, "query", 'member(P, "vc-local", Ip)', "-f", cluster, "--why", "-o", "json")[1]
    rows = json.loads(out)["rows"]
    assert rows[0]["row"] == {"P": "milan", "Ip": "10.200.2.7"}
    goal, member, *_ = rows[0]["proof"]["steps"]
    assert (goal["premises"], goal["rule"]["file"]) == ([1], "goal")
    assert (member["relation"], member["row"]) == ("member", ["milan", "vc-local", "10.200.2.7"])


def test_a_goal_without_rows_exits_with_1(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert outputs(capsys, "query", 'member(P, "offloaded", Ip)', "-f", cluster)[:2] == (1, "P  Ip\n")


# ---- The second evaluator ----


@pytest.mark.parametrize("arguments", [["why", "shop/web-0", "infra/dns-0"], ["render"], ["query", "governing(P, Q)"]])
def test_pydatalog_gives_the_same_answer(
    arguments: list[str], cluster: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = outputs(capsys, *arguments, "-f", cluster)
    assert outputs(capsys, *arguments, "-f", cluster, "--engine", "pydatalog") == ours
    assert outputs(capsys, *arguments, "-f", cluster, "--verify") == ours


@pytest.mark.parametrize(
    ("ends", "relation", "row"),
    [
        (["shop/web-0", "infra/dns-0"], "flow_verdict", 'flow_verdict("10.71.2.10 -> 10.244.1.9", "denied")'),
        # What only chooses the addresses that stand for a group is part of the answer too.
        (["group:remote-cluster@milan", "group:local-cluster@milan"], "local_cidr", 'local_cidr("10.200.0.0/17")'),
    ],
    ids=["pods", "groups"],
)
def test_a_difference_between_evaluators_is_no_answer(
    ends: list[str],
    relation: str,
    row: str,
    cluster: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    evaluated = second_opinion.evaluate_relations

    def forget(*arguments: object, **limits: object) -> dict[str, list[tuple[str | int, ...]]]:
        rows = evaluated(*arguments, **limits)  # type: ignore[arg-type]  # handed on as given
        return {name: [] if name == relation else found for name, found in rows.items()}

    monkeypatch.setattr(second_opinion, "evaluate_relations", forget)
    code, out, err = outputs(capsys, "why", *ends, "-f", cluster, "--verify")
    assert (code, out) == (4, "")
    assert f"{row} is derived by the engine only" in err


def test_a_limit_of_pydatalog_is_no_answer(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = outputs(capsys, "render", "-f", cluster, "--engine", "pydatalog", "--limit-seconds", "0.001")
    assert (code, out) == (4, "")
    assert "0.001 s" in err


# ---- Input ----


def child(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "liqo_connectivity", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, env=environment, cwd=ROOT, check=False)


def test_manifests_come_from_stdin(cluster: str) -> None:
    manifests = b"\n---\n".join(path.read_bytes() for path in sorted(Path(cluster).iterdir()))
    piped = child("why", "shop/web-0", "infra/dns-0", "-f", "-", stdin=manifests)
    assert piped.returncode == 1
    assert piped.stdout == child("why", "shop/web-0", "infra/dns-0", "-f", cluster).stdout


@pytest.mark.parametrize("redact", [[], ["--redact"]], ids=["plain", "redacted"])
def test_a_dump_answers_like_the_manifests(
    redact: list[str], cluster: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dump = tmp_path / "facts.jsonl"
    dump.write_text(outputs(capsys, "facts", "dump", "-f", cluster, *redact)[1])
    arguments = ["why", "ip:10.71.2.10", "ip:10.244.1.9", "-o", "json", "-f"]
    answers = [json.loads(outputs(capsys, *arguments, source)[1]) for source in (cluster, str(dump))]
    for answer in answers:
        (peering,) = answer["peerings"]
        assert (answer["verdict"], peering["decidedBy"]) == ("denied", {"kind": "rule", "index": 1, "action": "deny"})


def test_a_dump_in_a_folder_answers_like_the_manifests(
    cluster: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(tmp_path / "facts")
    assert outputs(capsys, "facts", "dump", "-f", cluster, "-o", "souffle", "--output-folder", folder)[0] == 0
    assert outputs(capsys, "render", "-f", folder)[1] == outputs(capsys, "render", "-f", cluster)[1]


def test_a_dump_read_back_is_counted(cluster: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dump = tmp_path / "facts.jsonl"
    dump.write_text(outputs(capsys, "facts", "dump", "-f", cluster)[1])
    code, out, _ = outputs(capsys, "facts", "load", str(dump), "-o", "json")
    assert code == 0
    assert json.loads(out)["pod"] == 29


def test_a_reader_that_goes_away_is_no_traceback(cluster: str) -> None:
    command = f"{sys.executable} -m liqo_connectivity facts dump -f {cluster} | head -1"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    piped = subprocess.run(["bash", "-c", command], capture_output=True, env=environment, check=False)
    assert b"Traceback" not in piped.stderr
    assert piped.stdout.count(b"\n") == 1


# ---- Checks ----


def test_a_clean_policy_has_nothing_to_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    code, out, err = outputs(capsys, "check", "-f", str(tmp_path))
    assert (code, out) == (0, "1 policy, nothing to report\n")
    assert "is pending: NoRemoteNetwork" in err


def test_findings_exit_with_1(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = outputs(capsys, "check", "-f", cluster)
    assert code == 1
    assert "ForgedShadowLabel: Pod infra/spoof-shadow" in out


def test_reading_that_takes_long_draws_a_bar_on_a_terminal_only(
    cluster: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_QUIET_SECONDS", 0.0)
    assert "reading  [" not in outputs(capsys, "render", "-f", cluster)[2]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    _, out, err = outputs(capsys, "render", "-f", cluster)
    assert "reading  [" in err
    assert "reading  [" not in out


def test_reading_that_is_quick_draws_no_bar(
    cluster: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_QUIET_SECONDS", 3600.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert "reading  [" not in outputs(capsys, "render", "-f", cluster)[2]
