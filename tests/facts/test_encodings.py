"""A file may be packed, and written in any encoding that says which it is."""

import gzip
import os
from pathlib import Path

import pytest

from liqo_connectivity.facts import read
from tests.support.manifest_files import NODE, POD, lines, read_text

BOTH = POD + "---\n" + NODE


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_says_the_encoding(tmp_path: Path, encoding: str) -> None:
    text = BOTH.replace("web-0", "web-0 # é中\U0001f600")
    reading = read_text(tmp_path, text.encode(encoding))
    assert reading.problems == ()
    assert dict(reading.objects) == {"Node": 1, "Pod": 1}


def test_powershell_writes_utf_16_with_carriage_returns(tmp_path: Path) -> None:
    text = '{"apiVersion": "v1",\r\n "kind": "Node",\r\n "metadata": {"name": "n1"}}\r\n'
    reading = read_text(tmp_path, b"\xff\xfe" + text.encode("utf-16-le"), "a.json")
    assert reading.problems == ()
    assert reading.base.rows("node") == {("n1",)}


@pytest.mark.parametrize("name", ["a.yaml.gz", "a.yaml"])
def test_a_packed_file_is_unpacked(tmp_path: Path, name: str) -> None:
    reading = read_text(tmp_path, gzip.compress(BOTH.encode()), name)
    assert reading.problems == ()
    assert dict(reading.objects) == {"Node": 1, "Pod": 1}
    assert dict(read([tmp_path]).objects) == {"Node": 1, "Pod": 1}


def test_a_packed_file_is_json_by_its_name_without_gz(tmp_path: Path) -> None:
    assert lines(tmp_path, gzip.compress(b"apiVersion: v1\n"), "a.json.gz") == [
        "a.json.gz:1: is not JSON: Expecting value; correct the JSON"
    ]


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (
            gzip.compress(b"a: b", mtime=0)[:-3],
            "a.yaml: is not valid gzip data; the file looks cut off or damaged: write it again",
        ),
        (b"\x1f\x8b", "a.yaml: is not valid gzip data; the file looks cut off or damaged: write it again"),
        (
            b"\x1f\x8b\x08" + b"\xff" * 40,
            "a.yaml: is not valid gzip data; the file looks cut off or damaged: write it again",
        ),
        (
            gzip.compress(b"\n\0", mtime=0),
            "a.yaml:2: has a NUL byte: it is not text; give a manifest in YAML or JSON, in UTF-8",
        ),
        (b"\xff\xfea", "a.yaml:1: is not UTF-16 text; give a manifest in YAML or JSON, in UTF-8"),
        (
            b"\xff\xfe" + "a: b\nc: ".encode("utf-16-le") + b"\x00\xd8x\x00",
            "a.yaml:2: is not UTF-16 text; give a manifest in YAML or JSON, in UTF-8",
        ),
        (
            b"\xfe\xff" + "a: b\n\0".encode("utf-16-be"),
            "a.yaml:2: has a NUL byte: it is not text; give a manifest in YAML or JSON, in UTF-8",
        ),
        (
            BOTH.encode("utf-16-le"),
            "a.yaml:1: has a NUL byte: it is not text; give a manifest in YAML or JSON, in UTF-8",
        ),
    ],
)
def test_what_is_no_text_is_said_on_one_line(tmp_path: Path, data: bytes, line: str) -> None:
    assert lines(tmp_path, data) == [line]


def test_what_a_packed_file_unpacks_to_is_bounded(tmp_path: Path) -> None:
    packed = tmp_path / "a.yaml.gz"
    packed.write_bytes(gzip.compress(b"#" * 100_000 + b"\n"))
    assert packed.stat().st_size < 1000
    (problem,) = read([packed], max_bytes=1000).problems
    assert problem.message == "is larger than 1000 bytes"


def test_half_a_character_is_refused_where_it_is(tmp_path: Path) -> None:
    text = '{"apiVersion": "v1", "kind": "Pod",\n "metadata": {"name": "a", "namespace": "b",\n "labels": {"x": "\\uD83D!"}}}'
    assert lines(tmp_path, text, "a.json") == [
        "a.json:3: has \\ud83d without its other half; repair the text: it is not valid Unicode"
    ]
    whole = text.replace("\\uD83D!", "\\uD83D\\uDE00")
    assert read_text(tmp_path, whole, "a.json").problems == ()


def test_a_pipe_in_a_folder_is_named_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(NODE)
    os.mkfifo(tmp_path / "b.yaml")
    os.mkfifo(tmp_path / "c")
    reading = read([tmp_path])
    assert [str(problem).replace(f"{tmp_path}/", "") for problem in reading.problems] == [
        "b.yaml: is a pipe, not a file; remove it from the folder, or name it with -f"
    ]
    assert reading.passed_over == (f"{tmp_path}/c",)
    assert dict(reading.objects) == {"Node": 1}


def test_a_pipe_that_is_named_is_read(tmp_path: Path) -> None:
    end, start = os.pipe()
    os.write(start, NODE.encode())
    os.close(start)
    assert dict(read([f"/dev/fd/{end}"]).objects) == {"Node": 1}
    os.close(end)


def test_a_device_is_no_file() -> None:
    (problem,) = read(["/dev/zero"]).problems
    assert str(problem) == ("/dev/zero: cannot be read: it is a device, not a file; check the path and its permissions")


def test_files_of_a_folder_that_are_passed_over_are_told_from_those_beside(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(b'{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"}}'))
    for name in ("README.md", "own.dl", "pods.yaml.bak", "deep/logs.txt", "deep/pods.txt.gz", ".hidden"):
        (tmp_path / name).write_text("text")
    (tmp_path / "link").symlink_to(tmp_path / "deep")
    reading = read([tmp_path])
    assert reading.problems == ()
    assert [path.removeprefix(f"{tmp_path}/") for path in reading.passed_over] == [
        "deep/logs.txt",
        "deep/pods.txt.gz",
        "link",
        "pods.yaml.bak",
    ]
