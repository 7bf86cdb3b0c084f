"""``rules`` shows the program, ``query`` answers goals about it, ``check`` reports what is wrong."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.case_folder import BASES
from tests.support.recorded_cluster import POLICY, outputs


def test_the_rules_are_drawn_as_svg(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = outputs(capsys, "rules", "graph", "-o", "svg")
    assert code == 0
    assert "flow_verdict" in "".join(ElementTree.fromstring(out).itertext())


def test_the_strata_are_listed_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    lines = outputs(capsys, "rules", "graph")[1].splitlines()
    strata = dict(line.split(": ") for line in lines)
    assert list(strata) == ["facts", *(f"stratum {number}" for number in range(len(lines) - 1))]
    assert strata["facts"].startswith("pod, pod_node")
    # A question is answered from everything else that the rules derive.
    assert "flow_verdict" in strata[list(strata)[-1]].split(", ")


def test_one_relation_is_shown_with_its_rules(capsys: pytest.CaptureFixture[str]) -> None:
    out = outputs(capsys, "rules", "show", "member")[1]
    assert out.count('member(Peering, "') == 4
    assert ".decl range" not in out


def test_the_shown_program_is_the_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = outputs(capsys, "rules", "show")[1]
    assert "group(" in shown
    assert shown.count(".decl ") > 100


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


def test_a_clean_policy_has_nothing_to_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    code, out, err = outputs(capsys, "check", "-f", str(tmp_path), "-f", str(BASES / "consumer"))
    assert (code, out, err) == (0, "1 policy, nothing to report\n", "")


def test_a_policy_that_waits_is_a_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    code, out, err = outputs(capsys, "check", "-f", str(tmp_path), "--assume-complete")
    assert (code, out) == (0, "1 policy, no findings, but errors or notes on stderr\n")
    assert "is pending: NoRemoteNetwork" in err


def test_findings_exit_with_1(cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = outputs(capsys, "check", "-f", cluster)
    assert code == 1
    assert "ForgedShadowLabel: Pod infra/spoof-shadow" in out


def test_check_warns_of_a_variable_that_occurs_once(
    cluster: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    added = tmp_path / "added.dl"
    added.write_text('member(Peering, "all", Ip) :- member(Peering, Group, Ip), pod_ip(Pod, Ip), pod_ip(_, _unused).\n')
    code, out, _ = outputs(capsys, "check", "-f", cluster, "--rules", str(added))
    assert code == 1
    for name in ("Group", "Pod"):
        assert f"warning[DL102]: {name} occurs once, so that it matches any value\n --> {added}:1:" in out
    assert "_unused" not in out.replace(added.read_text().rstrip(), "")


@pytest.mark.parametrize("question", [("check",), ("query", "counted(N)"), ("render",)])
def test_a_rule_that_never_ends_is_stopped_and_named(
    cluster: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], question: tuple[str, ...]
) -> None:
    added = tmp_path / "endless.dl"
    added.write_text(
        ".decl counted(n: number)\ncounted(0).\ncounted(N + 1) :- counted(N).\n"
        'finding("Endless", "Pod", "a", "b"), member("p", "all", "10.0.0.1") :- counted(-1).\n'
    )
    code, out, err = outputs(capsys, *question, "-f", cluster, "--rules", str(added), "--limit-seconds", "0.5")
    assert (code, out) == (4, "")
    assert "error: the evaluation takes more than 0.5 s and was stopped" in err
    assert f"{added}:3:1" in err
    assert "--limit-seconds" in err
