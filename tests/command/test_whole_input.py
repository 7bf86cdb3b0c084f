"""Commands say when their input is not whole, and never that there is nothing to report beside that."""

import json
import os
from pathlib import Path

import pytest

from tests.support.recorded_cluster import outputs

POLICY = """\
apiVersion: security.liqo.io/v1
kind: PeeringConnectivity
metadata: {name: milan, namespace: liqo-tenant-milan}
spec: {rules: [{source: {group: vc-local}, action: deny}]}
"""
QUESTION = ("why", "ip:10.71.9.9", "ip:10.244.1.9")


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return str(path)


def test_kinds_without_objects_are_said_once(policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = outputs(capsys, "render", "-f", policy)
    assert (code, out) == (3, "")
    assert err.splitlines() == [
        (
            "pending: PeeringConnectivity liqo-tenant-milan/milan: KindAbsent: the input: it has no object of a kind that decides; "
            "add them, or pass --assume-complete if the cluster has none "
            "(Namespace; NamespaceOffloading; Network; Node; Pod)"
        )
    ]
    code, out, err = outputs(capsys, *QUESTION, "-f", policy)
    assert code == 3
    assert out.count("KindAbsent") == 1


def test_files_may_be_said_to_be_all_there_is(policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = outputs(capsys, "render", "-f", policy, "--assume-complete")
    assert code == 3
    assert "KindAbsent" not in err
    assert "NoRemoteNetwork" in err


def test_a_verdict_without_any_policy_is_unknown(
    cluster: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [
        part for path in sorted(Path(cluster).iterdir()) if "policy" not in path.name for part in ("-f", str(path))
    ]
    code, out, _ = outputs(capsys, *QUESTION, *files)
    assert code == 3
    assert "(PeeringConnectivity)" in out
    assert outputs(capsys, *QUESTION, *files, "--assume-complete")[0] == 0
    assert "(PeeringConnectivity)" in outputs(capsys, "check", *files)[2]
    # A dump carries what the files did not hold.
    dump = tmp_path / "facts.jsonl"
    dump.write_text(outputs(capsys, "facts", "dump", *files)[1])
    assert outputs(capsys, *QUESTION, "-f", str(dump))[0] == 3
    dump.write_text(outputs(capsys, "facts", "dump", *files, "--redact")[1])
    assert outputs(capsys, *QUESTION, "-f", str(dump))[0] == 3


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (
            "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n",
            0,
            "note: ignored, because no rule reads their kinds: 1 Secret",
        ),
        (
            "apiVersion: config.openshift.io/v1\nkind: Network\nmetadata: {name: cluster}\n",
            0,
            "note: ignored, because no rule reads their kinds: 1 config.openshift.io/v1 Network",
        ),
        ("kind: Table\napiVersion: meta.k8s.io/v1\n", 3, "is a printed table (Table) in place of objects"),
        (
            "kind: Pod\napiVersion: v1\nmetadata: {name: a, namespace: b}\nstatus: {podIP: x}\n",
            3,
            '"x" is not an IP address',
        ),
        (
            POLICY.replace("security.liqo.io/v1", "connectivity.liqo.io/v1"),
            3,
            "has the apiVersion connectivity.liqo.io/v1",
        ),
        (POLICY, 0, "note: PeeringConnectivity liqo-tenant-milan/milan is pending"),
    ],
)
def test_check_has_nothing_to_report_only_if_it_said_nothing(
    tmp_path: Path, text: str, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    found = outputs(capsys, "check", "-f", str(path))
    assert (found[0], "nothing to report" in found[1]) == (code, False)
    assert said in found[2]
    document = json.loads(outputs(capsys, "check", "-f", str(path), "-o", "json")[1])
    assert sum(said in line for line in document["errors"] + document["notes"]) == 1


def test_files_that_are_passed_over_are_named_once_and_counted(
    cluster: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for path in Path(cluster).iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    whole = outputs(capsys, "render", "-f", str(tmp_path))
    for number in range(5):
        (tmp_path / f"log-{number}.txt").write_text("text")
    code, out, err = outputs(capsys, "render", "-f", str(tmp_path))
    assert (code, out) == whole[:2]
    (note,) = set(err.splitlines()) - set(whole[2].splitlines())
    names = ", ".join(f"{tmp_path}/log-{number}.txt" for number in range(3))
    assert note == f"note: passed over, because manifests have other names: {names} and 2 more"


def test_a_pipe_in_a_folder_is_one_clear_line(policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(policy).parent
    os.mkfifo(folder / "pods.yaml")
    code, _, err = outputs(capsys, "check", "-f", str(folder))
    assert code == 3
    assert f"error: {folder}/pods.yaml: is a pipe, not a file; remove it from the folder, or name it with -f\n" in err


def test_the_logs_of_a_cluster_dump_are_passed_over_in_one_line(
    policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edges = [
        f"==== {edge} logs for container c of pod a/p{number} ====" for number in range(2) for edge in ("START", "END")
    ]
    (tmp_path / "dump.txt").write_text(
        "\n".join(['{"kind": "PodList", "apiVersion": "v1", "items": null}', *edges, ""])
    )
    _, _, err = outputs(capsys, "render", "-f", policy, "-f", str(tmp_path / "dump.txt"))
    assert "note: passed over: the logs of 2 containers\n" in err
    assert "Pod" not in err.partition("KindAbsent")[2]
