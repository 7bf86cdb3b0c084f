"""``diff``: which flows an edit opens and closes, and that what is unknown is never no change."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.checkout import ROOT
from tests.support.recorded_cluster import outputs

Capture = pytest.CaptureFixture[str]
OBJECTS = tuple(part for name in ("cluster", "liqo", "pods") for part in ("-f", f"examples/consumer/{name}.yaml"))
CONSUMER = ("-f", "examples/consumer")
POLICY, WIDER = "examples/consumer/policy.yaml", "examples/diff/wider.yaml"


@pytest.fixture(autouse=True)
def _in_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def policy_of(path: Path, name: str = "milan", created: str = "", **spec: object) -> str:
    metadata = {"name": name, "namespace": "liqo-tenant-milan"} | ({"creationTimestamp": created} if created else {})
    made = {"apiVersion": "security.liqo.io/v1", "kind": "PeeringConnectivity", "metadata": metadata, "spec": spec}
    path.write_text(yaml.safe_dump(made))
    return str(path)


def compared(capsys: Capture, *arguments: str) -> tuple[int, Any]:
    code, out, _ = outputs(capsys, "diff", *arguments, "-o", "json")
    return code, json.loads(out)


def test_an_edit_that_opens(capsys: Capture) -> None:
    code, found = compared(capsys, "--policy", WIDER, *CONSUMER)
    assert (code, found["relation"]) == (1, "more permissive")
    (change,) = found["changes"]
    assert (change["kind"], change["ports"], change["pairs"]) == ("opened", ["tcp/9090"], 2)
    assert change["flows"] == [{"sources": ["infra/metrics-0"], "destinations": ["shop/web-0", "shop/web-1"]}]
    assert change["before"] == {"verdict": "denied", "decidedBy": [{"peering": "milan", "origin": "rule", "rule": 3}]}


def test_two_policies_beside_the_objects_of_both_states(capsys: Capture) -> None:
    code, found = compared(capsys, WIDER, POLICY, *OBJECTS)
    assert (code, found["relation"], {change["kind"] for change in found["changes"]}) == (
        1,
        "less permissive",
        {"closed"},
    )


def test_two_dumps(capsys: Capture, tmp_path: Path) -> None:
    dumps: list[str] = []
    for name, policy in (("monday", POLICY), ("tuesday", WIDER)):
        _, text, _ = outputs(capsys, "facts", "dump", *OBJECTS, "-f", policy)
        dumps.append(str(tmp_path / f"{name}.jsonl"))
        Path(dumps[-1]).write_text(text)
    assert compared(capsys, *dumps)[1] == compared(capsys, "--policy", WIDER, *CONSUMER)[1]
    assert compared(capsys, dumps[0], "-f", dumps[1])[1] == compared(capsys, *dumps)[1]


@pytest.mark.parametrize(("fail_on", "code"), [("any", 1), ("opened", 1), ("closed", 0), ("other", 0)])
def test_the_exit_code_is_about_the_changes_that_were_asked_for(fail_on: str, code: int, capsys: Capture) -> None:
    assert compared(capsys, "--policy", WIDER, *CONSUMER, "--fail-on", fail_on)[0] == code


def test_equal_rules_in_other_words_change_nothing(capsys: Capture, tmp_path: Path) -> None:
    rules = yaml.safe_load(Path(POLICY).read_text())["spec"]["rules"]
    swapped = policy_of(tmp_path / "policy.yaml", rules=[rules[1], rules[0], *rules[2:]])
    code, found = compared(capsys, "--policy", swapped, *CONSUMER)
    assert (code, found["relation"], found["changes"]) == (0, "equal", [])


def test_opened_and_closed_are_incomparable(capsys: Capture, tmp_path: Path) -> None:
    rules = [
        {"source": {"namespace": "infra"}, "destination": {"group": "vc-remote"}, "action": "allow"},
        {"source": {"group": "vc-local"}, "destination": {"group": "remote-cluster"}, "action": "deny"},
        *yaml.safe_load(Path(POLICY).read_text())["spec"]["rules"][1:],
    ]
    _, found = compared(capsys, "--policy", policy_of(tmp_path / "policy.yaml", rules=rules), *CONSUMER)
    assert (found["relation"], {change["kind"] for change in found["changes"]}) == (
        "incomparable",
        {"opened", "closed"},
    )


def test_a_label_that_only_the_edit_names_selects(capsys: Capture, tmp_path: Path) -> None:
    """Labels are facts only where a policy names their key: those of the edit count, too."""
    pods = list(yaml.safe_load_all(Path("examples/consumer/pods.yaml").read_text()))
    for pod in pods:
        if pod["metadata"]["name"] == "metrics-0":
            pod["metadata"].setdefault("labels", {})["scrapes"] = "yes"
    (tmp_path / "pods.yaml").write_text(yaml.safe_dump_all(pods))
    given = (
        "-f",
        "examples/consumer/cluster.yaml",
        "-f",
        "examples/consumer/liqo.yaml",
        "-f",
        str(tmp_path / "pods.yaml"),
    )
    rule = {
        "source": {"namespace": "infra", "podSelector": {"matchLabels": {"scrapes": "yes"}}},
        "destination": {"group": "vc-remote"},
        "action": "allow",
    }
    rules = [rule, *yaml.safe_load(Path(POLICY).read_text())["spec"]["rules"]]
    edit = policy_of(tmp_path / "edit.yaml", rules=rules)
    code, found = compared(capsys, "--policy", edit, *given, "-f", POLICY)
    assert (code, [change["kind"] for change in found["changes"]]) == (1, ["opened"])
    # A dump holds the labels only that its policies named: what the edit would change is not known.
    _, text, _ = outputs(capsys, "facts", "dump", *given, "-f", POLICY)
    (tmp_path / "dump.jsonl").write_text(text)
    code, out, err = outputs(
        capsys, "diff", "--policy", edit, "-f", str(tmp_path / "dump.jsonl"), "--fail-on", "opened"
    )
    assert (code, "does not hold the labels scrapes" in err) == (3, True)
    assert out.startswith("How they compare is unknown")


def test_an_edit_keeps_the_age_of_the_stored_policy(capsys: Capture, tmp_path: Path) -> None:
    """The oldest policy of a peering governs; an edit makes it no younger, and a new one none older."""
    rules = yaml.safe_load(Path(POLICY).read_text())["spec"]["rules"]
    first = policy_of(tmp_path / "first.yaml", created="2026-01-02T00:00:00Z", rules=rules)
    second = policy_of(tmp_path / "second.yaml", "second", "2026-01-01T00:00:00Z", rules=rules[2:])
    given = (*OBJECTS, "-f", first, "-f", second)
    older = policy_of(tmp_path / "older.yaml", created="2025-01-01T00:00:00Z", rules=rules, defaultAction="deny")
    assert compared(capsys, "--policy", older, *given)[0] == 0
    edit = policy_of(tmp_path / "edit.yaml", "second", rules=rules[2:], defaultAction="deny")
    assert compared(capsys, "--policy", edit, *given)[0] == 1


def test_what_is_unknown_before_and_after_is_not_no_change(capsys: Capture) -> None:
    files = [part for name in ("cluster", "pods") for part in ("-f", f"examples/consumer/{name}.yaml")]
    code, found = compared(capsys, POLICY, WIDER, *files)
    assert (code, found["relation"], found["changes"]) == (3, "unknown", [])
    assert found["undecidedPairs"] > 0


def test_an_edit_that_cannot_be_read_is_unknown(capsys: Capture, tmp_path: Path) -> None:
    misspelt = policy_of(tmp_path / "policy.yaml", rule=[])
    code, _, err = outputs(capsys, "diff", "--policy", misspelt, *CONSUMER, "--fail-on", "opened")
    assert (code, "/spec/rule" in err) == (3, True)


def test_pods_of_one_state_are_named(capsys: Capture, tmp_path: Path) -> None:
    pods = list(yaml.safe_load_all(Path("examples/consumer/pods.yaml").read_text()))
    (tmp_path / "pods.yaml").write_text(
        yaml.safe_dump_all(pod for pod in pods if pod["metadata"]["name"] != "metrics-0")
    )
    given = ("-f", "examples/consumer/cluster.yaml", "-f", "examples/consumer/liqo.yaml", "-f", POLICY)
    _, found = compared(capsys, "examples/consumer/pods.yaml", str(tmp_path / "pods.yaml"), *given)
    assert (found["onlyBefore"], found["onlyAfter"]) == (["infra/metrics-0"], [])


def test_an_address_of_a_family_that_one_state_lacks_is_named(capsys: Capture, tmp_path: Path) -> None:
    pods = list(yaml.safe_load_all(Path("examples/consumer/pods.yaml").read_text()))
    for pod in pods:
        if pod["metadata"]["name"] == "metrics-0":
            pod["status"]["podIPs"].append({"ip": "fd00:1::7"})
    (tmp_path / "pods.yaml").write_text(yaml.safe_dump_all(pods))
    given = ("-f", "examples/consumer/cluster.yaml", "-f", "examples/consumer/liqo.yaml", "-f", POLICY)
    _, found = compared(capsys, "examples/consumer/pods.yaml", str(tmp_path / "pods.yaml"), *given)
    assert (found["onlyBefore"], found["onlyAfter"]) == ([], ["infra/metrics-0 (IPv6)"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to compare"),
        (("a", "--policy", WIDER, *CONSUMER), "leave out BEFORE"),
        (("--policy", "examples/consumer/pods.yaml", *CONSUMER), "holds Pod batch/etl-0"),
        (("--policy", "examples/nothing.yaml", *CONSUMER), "there is no file or folder"),
        (("a", "b", "--operator"), "--operator is one state"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], message: str, capsys: Capture) -> None:
    code, _, err = outputs(capsys, "diff", *arguments)
    assert (code, message in err) == (2, True), err
