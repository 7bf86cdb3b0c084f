"""Manifests from files, folders and standard input become facts."""

import gc
import io
import json
from pathlib import Path

import pytest

from liqo_connectivity.facts import read
from liqo_connectivity.facts.dumps.dump import jsonl_lines
from tests.support.manifest_files import NODE, POD, read_text

SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "s", "namespace": "a"},
    "data": {"k": "aHVudGVyMg"},
}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", POD + "---\n" + NODE),
        ("a.yaml", "---\n---\n" + POD + "...\n---\n" + NODE),
        (
            "a.yml",
            "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Node, metadata: {name: n1}}\n---\n" + POD,
        ),
        ("a.yaml", '{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}\n---\n' + POD),
        ("a.yaml", "{apiVersion: v1, kind: Node, metadata: {name: n1}}\n---\n" + POD),
        ("a.yaml", "\ufeff" + POD + "---\n" + NODE),
        ("a.yaml", (POD + "---\n" + NODE).replace("\n", "\r\n")),
    ],
)
def test_yaml_documents_and_lists(tmp_path: Path, name: str, text: str) -> None:
    reading = read_text(tmp_path, text, name)
    assert reading.problems == ()
    assert dict(reading.objects) == {"Node": 1, "Pod": 1}
    assert reading.base.rows("pod_ip") == {("shop/web-0", "10.0.0.1")}


def test_a_json_list_may_hold_lists_and_leave_kinds_to_itself(tmp_path: Path) -> None:
    nodes = {
        "apiVersion": "v1",
        "kind": "NodeList",
        "items": [{"metadata": {"name": "n1"}}, {"metadata": {"name": "n2"}}],
    }
    empty = {"apiVersion": "v1", "kind": "PodList", "items": []}
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [nodes, empty]})
    reading = read_text(tmp_path, text, "a.json")
    assert reading.problems == ()
    assert reading.base.rows("node") == {("n1",), ("n2",)}


def test_texts_that_older_yaml_would_convert_stay_texts(tmp_path: Path) -> None:
    text = POD.replace("status:", "  labels: {offloading.liqo.io/origin: no}\nspec: {nodeName: 12:30:00}\nstatus:")
    reading = read_text(tmp_path, text)
    assert reading.base.rows("pod_origin") == {("shop/web-0", "no")}
    assert reading.base.rows("pod_node") == {("shop/web-0", "12:30:00")}


def test_times_are_texts(tmp_path: Path) -> None:
    text = (
        "apiVersion: security.liqo.io/v1\nkind: PeeringConnectivity\n"
        "metadata: {name: p, namespace: liqo-tenant-a, creationTimestamp: 1970-01-01T00:00:09Z}\nspec: {}\n"
    )
    assert read_text(tmp_path, text).base.rows("policy_created") == {("liqo-tenant-a/p", 9)}


def test_a_folder_is_read_in_order_without_hidden_files_and_links_to_folders(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "loop").symlink_to(tmp_path)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "b.yaml").write_text("junk: [")
    (tmp_path / ".a.yaml").write_text("junk: [")
    (tmp_path / "notes.txt").write_text("junk: [")
    (tmp_path / "deep" / "a.yml").write_text(POD)
    (tmp_path / "a.json").write_text(json.dumps({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}))
    reading = read([tmp_path, tmp_path / "a.json"])
    assert reading.problems == ()
    assert dict(reading.objects) == {"Node": 1, "Pod": 1}


def test_standard_input() -> None:
    assert read(["-"], stdin=io.BytesIO(POD.encode())).base.rows("pod") == {("shop/web-0", "shop")}
    problems = read(["-"], stdin=io.BytesIO(b'{"apiVersion": "v1"')).problems
    assert list(map(str, problems)) == ["stdin:1: ends inside a JSON value; the file looks cut off: write it again"]


def test_unknown_kinds_are_counted_and_nothing_of_them_is_kept(tmp_path: Path) -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [SECRET, SECRET]})
    reading = read_text(tmp_path, text, "a.json")
    assert dict(reading.unknown_kinds) == {"v1 Secret": 2}
    assert len(reading.base) == 0
    assert list(jsonl_lines(reading.base)) == ['{"format":"liqo-connectivity-facts","version":2}', '{"facts":0}']


@pytest.mark.parametrize("broken", [{"kind": ...}, {"apiVersion": ...}, {"kind": 5}])
def test_nothing_inside_a_broken_secret_is_shown(tmp_path: Path, broken: dict[str, object]) -> None:
    secret = {key: value for key, value in (SECRET | broken).items() if value is not ...}
    reading = read_text(tmp_path, json.dumps(secret), "a.json")
    assert len(reading.problems) == 1
    assert "aHVudGVyMg" not in str(reading)
    assert "aHVudGVyMg" not in "".join(jsonl_lines(reading.base))


def test_progress_and_garbage_collection(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(POD)
    (tmp_path / "b.yaml").write_text(NODE)
    total = len(POD) + len(NODE)
    calls: list[tuple[int, int]] = []
    read([tmp_path], progress=lambda done, of: calls.append((done, of)))
    assert calls[0] == (0, total)
    assert calls[-1] == (total, total)
    assert calls == sorted(calls)
    assert gc.isenabled()


def test_plain_aliases_are_fine(tmp_path: Path) -> None:
    text = POD.replace("web-0", "&name web-0").replace("status:", "  uid: *name\nstatus:")
    reading = read_text(tmp_path, text)
    assert reading.problems == ()
    assert next(reading.base.facts()).source.uid == "web-0"


def test_an_unreadable_object_is_a_fact_that_names_it(tmp_path: Path) -> None:
    reading = read_text(tmp_path, POD.replace("10.0.0.1", "x"))
    assert reading.base.rows("pod") == set()
    row = ("Pod", "shop", "web-0", '/status/podIP: "x" is not an IP address')
    assert reading.base.rows("unreadable") == {row}
    (fact,) = reading.base.facts_for("unreadable", row)
    assert fact.source[:3] == ("Pod", "shop", "web-0")
    assert (fact.field, fact.value) == ("/status/podIP", f"{tmp_path}/a.yaml:7")


def test_an_unparsable_document_is_a_fact_that_names_its_place(tmp_path: Path) -> None:
    reading = read_text(tmp_path, "a: [")
    assert reading.base.rows("unreadable") == {("", "", "", f"{tmp_path}/a.yaml:1: ends inside a YAML structure")}
    assert [fact.source.name for fact in reading.base.facts()] == [f"{tmp_path}/a.yaml:1"]


def test_identical_objects_are_one(tmp_path: Path) -> None:
    reading = read_text(tmp_path, POD + "---\n" + POD)
    assert reading.problems == ()
    assert dict(reading.objects) == {"Pod": 1}


def test_of_different_objects_with_one_name_none_wins(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(POD + "---\n" + POD.replace("10.0.0.1", "10.0.0.2"))
    (tmp_path / "b.json").write_text(
        '{"apiVersion": "v1", "kind": "List", "items": [\n'
        '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-0", "namespace": "shop"}}]}'
    )
    readings = [read(paths) for paths in ([tmp_path], [tmp_path / "b.json", tmp_path / "a.yaml"])]
    for reading in readings:
        assert [str(problem).replace(f"{tmp_path}/", "") for problem in reading.problems] == [
            (
                "a.yaml:1: Pod shop/web-0: different objects have this name, at a.yaml:1 and a.yaml:9 and b.json:2; "
                "keep one of them"
            )
        ]
        assert reading.base.rows("pod_ip") == set()
        assert dict(reading.objects) == {}
    assert list(jsonl_lines(readings[0].base)) == list(jsonl_lines(readings[1].base))
