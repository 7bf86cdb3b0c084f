"""Reading files, folders and standard input: what is found, and what everything unreadable is reported as."""

import gc
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liqo_connectivity.facts import Reading, read
from liqo_connectivity.facts.dumps.dump import jsonl_lines

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web-0
  namespace: shop
status:
  podIP: 10.0.0.1
"""
NODE = "apiVersion: v1\nkind: Node\nmetadata: {name: n1}\n"
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "s", "namespace": "a"},
    "data": {"k": "aHVudGVyMg"},
}


def read_text(folder: Path, text: str | bytes, name: str = "a.yaml") -> Reading:
    """The reading of one file."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read([path])


def lines(folder: Path, text: str | bytes, name: str = "a.yaml") -> list[str]:
    """The problems of one file, with its folder cut off, each of which has to be an unreadable row as well."""
    reading = read_text(folder, text, name)
    assert len(reading.base.rows("unreadable")) == len(reading.problems)
    return [str(problem).replace(str(folder) + "/", "") for problem in reading.problems]


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
        "metadata: {name: p, namespace: liqo-tenant-a, creationTimestamp: 1970-01-01T00:00:09Z}\n"
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
    assert list(jsonl_lines(reading.base)) == ['{"format":"liqo-connectivity-facts","version":1}']


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


PODS = "apiVersion: v1\nkind: List\nitems:\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"\x7fELF\x00\x01", "a.yaml:1: has a NUL byte: it is not text; give a manifest in YAML or JSON, in UTF-8"),
        (b"a: b\nc: \xff", "a.yaml:2: is not UTF-8 text; give a manifest in YAML or JSON, in UTF-8"),
        ("a: b\nc: \x01", "a.yaml:2: has a control character; remove it: YAML is printable text"),
        ("", "a.yaml:1: has no object in it; if a command wrote it, see whether that failed"),
        ("# nothing\n---\n", "a.yaml:1: has no object in it; if a command wrote it, see whether that failed"),
        ("just words", "a.yaml:1: is not a Kubernetes object; each document and item has to be one"),
        ("a: [1,\n", "a.yaml:1: ends inside a YAML structure; the file looks cut off: write it again"),
        (POD + "spec:\n  node: 'n", "a.yaml:9: ends inside a YAML structure; the file looks cut off: write it again"),
        (
            "a: b\n c: d\ne: f\n",
            "a.yaml:2: is not YAML: mapping values are not allowed in this context; correct the YAML",
        ),
        ("a: 1\nb: *x\nc: 2\n", "a.yaml:2: is not YAML: found undefined alias; correct the YAML"),
        ("a: 1\nb: 2\na: 3\n", 'a.yaml:3: has the key "a" twice in one object; keep one of them'),
        ("a: 1\nb: !foo 2\n", 'a.yaml:2: has the tag "!foo"; remove the tag'),
        (
            "a: !!python/object/apply:os.system [x]\n",
            'a.yaml:1: has the tag "!!python/object/apply:os.system"; remove the tag',
        ),
        ("a: !!binary aGk=\n", 'a.yaml:1: has the tag "!!binary"; remove the tag'),
        ("a: !!int x\n", 'a.yaml:1: has "x" as int; correct it or put it in quotes'),
        ("a: &a {b: 1}\nc:\n  <<: *a\n", "a.yaml:3: has a merge key (<<); write the fields out"),
        ("? [a]\n: b\n", "a.yaml:1: has a key that is not a text; correct the YAML"),
        ("a: &a [*a]\n", "a.yaml:1: has an alias inside itself; remove the alias"),
        ("a: &a\n  b: &b {c: [*a]}\n", "a.yaml:1: has an alias inside itself; remove the alias"),
        ("[" * 100_000, "a.yaml:1: nests deeper than 200 levels; no Kubernetes object does: check where it comes from"),
        (
            "- " * 100_000,
            "a.yaml:1: nests deeper than 200 levels; no Kubernetes object does: check where it comes from",
        ),
        ("kind: Pod\n", "a.yaml:1: Pod: has no apiVersion; add it"),
        ("apiVersion: v1\n", "a.yaml:1: has no kind; the file looks cut off, or is not a Kubernetes object"),
        (
            "apiVersion: v1\nitems:\n- {apiVersion: v1, kind: Node, metadata: {name: n1}}\n",
            "a.yaml:1: has items but no kind; the file looks cut off, or is not a Kubernetes object",
        ),
        ("apiVersion: v1\nkind: List\n", "a.yaml:1: List: has no items; the file looks cut off: write it again"),
        (PODS + "- 5\n", "a.yaml:4: is not a Kubernetes object; each document and item has to be one"),
        (
            POD.replace("web-0", "Web_0"),
            (
                'a.yaml:4: Pod shop/: /metadata/name: "Web_0" is not a Kubernetes name; use lower-case letters, digits, '
                "dashes and dots"
            ),
        ),
        (POD.replace("  name: web-0\n", ""), "a.yaml:3: Pod shop/: /metadata/name: is missing; add it"),
        (POD.replace("  namespace: shop\n", ""), "a.yaml:3: Pod web-0: /metadata/namespace: is missing; add it"),
        (
            POD.replace("shop", "a.b"),
            (
                'a.yaml:5: Pod a.b/web-0: /metadata/namespace: "a.b" is not a Kubernetes namespace name; use lower-case '
                "letters, digits and dashes"
            ),
        ),
        (
            POD.replace("10.0.0.1", "10.0.0.300"),
            'a.yaml:7: Pod shop/web-0: /status/podIP: "10.0.0.300" is not an IP address; write one IPv4 or IPv6 address',
        ),
        (
            POD.replace("10.0.0.1", "fe80::1%eth0"),
            'a.yaml:7: Pod shop/web-0: /status/podIP: "fe80::1%eth0" is not an IP address; write one IPv4 or IPv6 address',
        ),
        (
            POD + "  podIPs:\n  - ip: 10.0.0.1\n  - ip: '10.0.0.01'\n",
            (
                'a.yaml:10: Pod shop/web-0: /status/podIPs/1/ip: "10.0.0.01" is not an IP address; write one IPv4 or IPv6 '
                "address"
            ),
        ),
        (
            POD + '  phase: ["\\e[31m"]\n',
            "a.yaml:8: Pod shop/web-0: /status/phase: a list must be a string; put it in quotes",
        ),
        (
            POD + '  phase: "\\e[31mred"\n',
            'a.yaml:8: Pod shop/web-0: /status/phase: "\\u001b[31mred" has control characters; remove them',
        ),
        (
            POD + "spec:\n  hostNetwork: 'yes'\n",
            'a.yaml:9: Pod shop/web-0: /spec/hostNetwork: "yes" must be true or false; write it without quotes',
        ),
        (
            POD.replace("status:\n  podIP: 10.0.0.1", "status: 5\nspec: 6"),
            "a.yaml:7: Pod shop/web-0: /spec: 6 must be an object (and 1 more); correct the indentation or the type",
        ),
        (
            (
                "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: t\n  labels:\n    liqo.io/tenant-namespace: 'true'\n"
                "    liqo.io/remote-cluster-id: Not_An_Id\n"
            ),
            (
                'a.yaml:7: Namespace t: /metadata/labels/liqo.io~1remote-cluster-id: "Not_An_Id" is not a Liqo cluster id; '
                "use at most 51 lower-case letters, digits and dashes, as Liqo does"
            ),
        ),
        (
            (
                "apiVersion: security.liqo.io/v1\nkind: PeeringConnectivity\nmetadata: {name: p, namespace: t}\n"
                "spec:\n  rules: {action: deny}\n"
            ),
            (
                "a.yaml:5: PeeringConnectivity t/p: /spec/rules: an object must be a list; write each item with a dash or in "
                "brackets"
            ),
        ),
        (
            (
                "apiVersion: security.liqo.io/v1\nkind: PeeringConnectivity\nmetadata: {name: p, namespace: t}\n"
                "spec:\n  rules:\n  - action: allow\n  - action: 5\n"
            ),
            "a.yaml:7: PeeringConnectivity t/p: /spec/rules/1/action: 5 must be a string; put it in quotes",
        ),
        (
            (
                "apiVersion: security.liqo.io/v1\nkind: PeeringConnectivity\n"
                "metadata: {name: p, namespace: t, creationTimestamp: yesterday}\n"
            ),
            (
                'a.yaml:3: PeeringConnectivity t/p: /metadata/creationTimestamp: "yesterday" is not a timestamp; write it as '
                "2026-07-01T10:00:00Z"
            ),
        ),
        (
            (
                "apiVersion: ipam.liqo.io/v1alpha1\nkind: Network\nmetadata: {name: p, namespace: t}\n"
                f"status: {{cidr: {'1' * 65}x}}\n"
            ),
            f'a.yaml:4: Network t/p: /status/cidr: "{"1" * 60}..." is too long; shorten it',
        ),
        (
            (
                "apiVersion: networking.liqo.io/v1beta1\nkind: Configuration\nmetadata: {name: p, namespace: t}\n"
                "spec:\n  remote:\n    cidr:\n      pod:\n      - 10.0.0.0/8\n      - 5\n"
            ),
            "a.yaml:9: Configuration t/p: /spec/remote/cidr/pod/1: 5 must be a string; put it in quotes",
        ),
    ],
)
def test_what_is_wrong_in_yaml_is_said_on_one_line(tmp_path: Path, text: str | bytes, line: str) -> None:
    assert lines(tmp_path, text) == [line]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "a.json:1: is empty; the file looks cut off: write it again"),
        ('{"a": [1,\n 2', "a.json:2: ends inside a JSON value; the file looks cut off: write it again"),
        ('{"a": "b', "a.json:1: ends inside a JSON value; the file looks cut off: write it again"),
        (
            '{"a": 1,\n b: 2}',
            "a.json:2: is not JSON: Expecting property name enclosed in double quotes; correct the JSON",
        ),
        (
            '{"a": {"x": 1,\n"y": "\\"x\\":", "\\u0078": 2}}',
            'a.json:2: has the key "x" twice in one object; keep one of them',
        ),
        ("[" * 100_000, "a.json:1: nests too deeply; no Kubernetes object does: check where it comes from"),
        ('{"a":' * 100_000, "a.json:1: nests too deeply; no Kubernetes object does: check where it comes from"),
        ("9" * 5000, "a.json:1: has a number with thousands of digits; correct the JSON"),
        ('"text"', "a.json:1: is not a Kubernetes object; each document and item has to be one"),
    ],
)
def test_what_is_wrong_in_json_is_said_on_one_line(tmp_path: Path, text: str, line: str) -> None:
    assert lines(tmp_path, text, "a.json") == [line]


def test_lines_in_json_are_those_of_the_field(tmp_path: Path) -> None:
    pods = [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"p{n}", "namespace": "a"}} for n in range(3)]
    pods[2]["status"] = {"podIP": "x"}
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": pods}, indent=1)
    number = next(n for n, line in enumerate(text.split("\n"), start=1) if "podIP" in line)
    assert [problem.line for problem in read_text(tmp_path, text, "a.json").problems] == [number]


def test_what_is_before_an_error_is_read(tmp_path: Path) -> None:
    reading = read_text(tmp_path, POD + "---\na: [\n")
    assert dict(reading.objects) == {"Pod": 1}
    assert [problem.line for problem in reading.problems] == [9]


def test_a_document_that_is_refused_does_not_stop_the_next(tmp_path: Path) -> None:
    reading = read_text(tmp_path, "a: 1\na: 2\n---\n" + POD)
    assert dict(reading.objects) == {"Pod": 1}
    assert [problem.line for problem in reading.problems] == [2]


def test_several_problems_on_one_line_all_stay(tmp_path: Path) -> None:
    text = '{"apiVersion": "v1", "kind": "List", "items": [5, {"kind": "Pod"}, 6]}'
    reading = read_text(tmp_path, text, "a.json")
    assert len(reading.problems) == 3
    assert {row[0] for row in reading.base.rows("unreadable")} == {"", "Pod"}


def bomb(levels: int, width: int) -> str:
    text = "a0: &a0 [x, x]\n"
    for level in range(1, levels):
        aliases = ", ".join([f"*a{level - 1}"] * width)
        text += f"a{level}: &a{level} [{aliases}]\n"
    return text


def test_alias_bombs_are_refused_before_they_grow(tmp_path: Path) -> None:
    assert lines(tmp_path, bomb(60, 10)) == [
        "a.yaml:7: grows by more than 1000000 values through aliases; write the values out"
    ]
    assert lines(tmp_path, bomb(300, 1)) == [
        "a.yaml:200: nests deeper than 200 levels by aliases; write the values out"
    ]


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


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    (tmp_path / "big.yaml").write_text(POD)
    found = read([tmp_path / "missing", tmp_path / "empty", tmp_path / "loop.yaml"]).problems
    assert [str(problem).replace(f"{tmp_path}/", "") for problem in found] == [
        "empty: has no manifest; put files there that end in .yaml, .yml, .json",
        "loop.yaml: cannot be read: Too many levels of symbolic links; check the path and its permissions",
        "missing: cannot be read: No such file or directory; check the path and its permissions",
    ]
    (problem,) = read([tmp_path / "big.yaml"], max_bytes=10).problems
    assert problem.message == "is larger than 10 bytes"


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


def test_a_path_cannot_forge_a_line(tmp_path: Path) -> None:
    (tmp_path / "a\nb.yaml").write_text("a: [")
    (problem,) = read([tmp_path]).problems
    assert str(problem).count("\n") == 0


@given(st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_give_a_reading(data: bytes) -> None:
    for start in (b"", b"{", POD.encode()):
        reading = read(["-"], stdin=io.BytesIO(start + data))
        assert all(str(problem).isprintable() for problem in reading.problems)


@given(st.integers(min_value=0, max_value=len(POD)))
def test_a_file_that_is_cut_anywhere_is_never_a_traceback(length: int) -> None:
    reading = read(["-"], stdin=io.BytesIO((NODE + "---\n" + POD)[: len(NODE) + length].encode()))
    assert reading.problems or dict(reading.objects).get("Node") == 1
    assert all(str(problem).startswith("stdin:") for problem in reading.problems)
