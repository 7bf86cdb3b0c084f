"""What is wrong in a file is said on one line that names the place, and the rest of the file is read."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liqo_connectivity.facts import read
from tests.support.manifest_files import NODE, POD, lines, read_text

PODS = "apiVersion: v1\nkind: List\nitems:\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"\x7fELF\x00\x01", "a.yaml:1: has a NUL byte: it is not text; give a manifest in YAML or JSON, in UTF-8"),
        (b"a: b\nc: \xff", "a.yaml:2: is not UTF-8 text; give a manifest in YAML or JSON, in UTF-8"),
        ("a: b\nc: \x01", "a.yaml:2: has a control character; remove it: YAML is printable text"),
        ("", "a.yaml:1: has no object in it; if a command wrote it, check whether the command failed"),
        ("# nothing\n---\n", "a.yaml:1: has no object in it; if a command wrote it, check whether the command failed"),
        ("just words", "a.yaml:1: is not a Kubernetes object; every document and list item must be one"),
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
        ("apiVersion: v1\nkind: List\n", "a.yaml:1: is a list without items; the file looks cut off: write it again"),
        (PODS + "- 5\n", "a.yaml:4: is not a Kubernetes object; every document and list item must be one"),
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
            "apiVersion: security.liqo.io/v1\nkind: PeeringConnectivity\nmetadata: {name: p, namespace: t}\n",
            "a.yaml:1: PeeringConnectivity t/p: /spec: is missing; add it",
        ),
        (
            (
                "apiVersion: security.liqo.io/v1\nkind: PeeringConnectivity\n"
                "metadata: {name: p, namespace: t, creationTimestamp: yesterday}\nspec: {}\n"
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
        ("", "a.json:1: has no object in it; if a command wrote it, check whether the command failed"),
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
        ('"text"', "a.json:1: is not a Kubernetes object; every document and list item must be one"),
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


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    (tmp_path / "big.yaml").write_text(POD)
    found = read([tmp_path / "missing", tmp_path / "empty", tmp_path / "loop.yaml"]).problems
    assert [str(problem).replace(f"{tmp_path}/", "") for problem in found] == [
        "empty: has no manifest; put files there that end in .yaml, .yml, .json, .jsonl",
        "loop.yaml: cannot be read: Too many levels of symbolic links; check the path and its permissions",
        "missing: cannot be read: No such file or directory; check the path and its permissions",
    ]
    (problem,) = read([tmp_path / "big.yaml"], max_bytes=10).problems
    assert problem.message == "is larger than 10 bytes"


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
