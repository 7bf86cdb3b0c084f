"""``matrix``: the forms in which it tells who reaches whom, and what it does not claim."""

import csv
import json
from pathlib import Path

import pytest
import yaml

from tests.support.checkout import ROOT
from tests.support.recorded_cluster import outputs

Capture = pytest.CaptureFixture[str]
CONSUMER = ("-f", "examples/consumer")


@pytest.fixture(autouse=True)
def _in_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_a_cell_names_its_outcomes_with_an_example_that_why_agrees_with(capsys: Capture) -> None:
    _, out, _ = outputs(capsys, "matrix", *CONSUMER, "-o", "json")
    cells = json.loads(out)["cells"]
    outcomes = [outcome for cell in cells for outcome in cell["outcomes"]]
    assert {outcome["verdict"] for outcome in outcomes} == {"allowed", "denied", "unknown"}
    for outcome in outcomes[::4]:
        source, destination = outcome["example"].values()
        _, answer, _ = outputs(capsys, "why", source, destination, *CONSUMER, "-o", "json")
        assert json.loads(answer)["verdict"] == outcome["verdict"], (source, destination)


def test_csv_has_a_row_for_each_outcome(capsys: Capture) -> None:
    _, out, _ = outputs(capsys, "matrix", *CONSUMER, "-o", "json")
    _, table, _ = outputs(capsys, "matrix", *CONSUMER, "-o", "csv")
    rows = list(csv.DictReader(table.splitlines()))
    assert len(rows) == sum(len(cell["outcomes"]) for cell in json.loads(out)["cells"])
    assert {"rule 2 of milan", "the default of milan", ""} <= {row["decided by"] for row in rows}


def test_markdown_is_a_table(capsys: Capture) -> None:
    _, out, _ = outputs(capsys, "matrix", *CONSUMER, "-o", "markdown")
    lines = out.splitlines()
    assert {line.count("|") for line in lines} == {lines[0].count("|")}
    assert "*" not in out


def test_one_cell_of_a_group(capsys: Capture) -> None:
    arguments = ("--by", "group", "--only", "vc-remote@milan", "vc-local@milan", "-o", "json")
    code, out, _ = outputs(capsys, "matrix", *CONSUMER, *arguments)
    (cell,) = json.loads(out)["cells"]
    assert (code, cell["verdict"]) == (0, "allowed")


def test_an_unknown_party_is_wrong_usage(capsys: Capture) -> None:
    code, _, err = outputs(capsys, "matrix", *CONSUMER, "--only", "shop", "cluster rome")
    assert (code, "there is no such party; parties: batch, infra" in err) == (2, True)


def test_pods_that_no_rule_tells_apart_are_one_party(capsys: Capture) -> None:
    _, out, _ = outputs(capsys, "matrix", "-f", "examples/provider", "--by", "pod", "-o", "json")
    parties = {party["name"]: party["ends"] for party in json.loads(out)["parties"]}
    assert parties["shop-rome/cart-0"] == ["shop-rome/cart-0", "shop-rome/web-0"]


def test_a_pod_without_an_address_is_named_and_left_out(capsys: Capture) -> None:
    code, out, err = outputs(capsys, "matrix", *CONSUMER, "-o", "json")
    assert (code, json.loads(out)["withoutAddress"]) == (0, ["shop/web-3"])
    assert err == "warning: left out, because they have no address yet: shop/web-3\n"


def test_what_hangs_on_missing_objects_is_unknown(capsys: Capture) -> None:
    files = [part for name in ("cluster", "pods", "policy") for part in ("-f", f"examples/consumer/{name}.yaml")]
    code, out, _ = outputs(capsys, "matrix", *files, "-o", "json")
    verdicts = {outcome["verdict"] for cell in json.loads(out)["cells"] for outcome in cell["outcomes"]}
    assert (code, verdicts) == (3, {"unknown"})


def test_names_of_tenants_are_no_formulas(capsys: Capture, tmp_path: Path) -> None:
    pods = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "web", "namespace": name, "uid": name},
            "spec": {"nodeName": "worker-1"},
            "status": {"phase": "Running", "podIP": f"10.200.0.{number}", "podIPs": [{"ip": f"10.200.0.{number}"}]},
        }
        for number, name in enumerate(("=cmd", "@sum", "a|b"), 1)
    ]
    file = tmp_path / "pods.yaml"
    file.write_text(yaml.safe_dump_all(pods))
    _, table, _ = outputs(capsys, "matrix", *CONSUMER, "-f", str(file), "-o", "csv")
    assert not [cell for row in csv.reader(table.splitlines()) for cell in row if cell.startswith(("=", "@"))]
    _, out, _ = outputs(capsys, "matrix", *CONSUMER, "-f", str(file), "-o", "markdown")
    lines = out.splitlines()
    assert {line.count("|") for line in lines} == {lines[0].count("|")}


def test_a_namespace_that_is_called_as_a_party_hides_no_pod(capsys: Capture, tmp_path: Path) -> None:
    names = ("nodes", "world", "cluster")
    pods = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "web", "namespace": name, "uid": name},
            "spec": {"nodeName": "worker-1"},
            "status": {"phase": "Running", "podIP": f"10.200.1.{n}", "podIPs": [{"ip": f"10.200.1.{n}"}]},
        }
        for n, name in enumerate(names, 1)
    ]
    file = tmp_path / "pods.yaml"
    file.write_text(yaml.safe_dump_all(pods))
    _, out, _ = outputs(capsys, "matrix", *CONSUMER, "-f", str(file), "-o", "json")
    ends = {party["name"]: party["ends"] for party in json.loads(out)["parties"]}
    assert [ends[name] for name in names] == [[f"{name}/web"] for name in names]
    assert {"the nodes", "the world"} <= ends.keys()
