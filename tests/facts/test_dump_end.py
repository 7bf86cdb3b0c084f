"""A dump says how many facts it has, so that one which lacks some is a problem and not a smaller cluster."""

from pathlib import Path

import pytest

from liqo_connectivity.facts import read
from liqo_connectivity.facts.dumps.dump import HEADER, load_jsonl, write_jsonl
from tests.support.manifest_files import NODE, POD, read_text

FACT = '{"relation":"node","row":["n"],"source":{"kind":"Node","namespace":"","name":"n","uid":"","resourceVersion":"","field":"/metadata/name","value":"n"}}'


def test_a_dump_that_is_cut_or_of_another_version_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text(f"{HEADER}\n{FACT}\n{FACT[:30]}")
    assert [problem.message for problem in read([path]).problems] == ["ends inside a line"]
    path.write_text(HEADER.replace("2", "1") + "\n")
    assert [problem.message for problem in read([path]).problems] == ["is not version 2 of liqo-connectivity-facts"]


NO_END = "has no line with the number of its facts at the end, so that some may be missing"


@pytest.mark.parametrize(
    ("lines", "problems"),
    [
        ([FACT], [(2, NO_END)]),
        ([], [(1, NO_END)]),
        ([FACT, '{"facts":2}'], [(3, "has 1 facts, and not 2, as it says")]),
        ([FACT, '{"facts":true}'], [(3, "has 1 facts, and not true, as it says")]),
        ([FACT, '{"facts":1}', FACT], [(3, "is not a fact"), (4, NO_END)]),
        ([FACT, '{"facts":1}', '{"facts":2}'], [(3, "is not a fact")]),
        ([FACT, '{"facts":1,"x":1}'], [(3, NO_END), (3, "is not a fact")]),
    ],
)
def test_a_dump_that_is_not_whole_is_a_problem(
    lines: list[str], problems: list[tuple[int, str]], tmp_path: Path
) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text("".join(f"{line}\n" for line in (HEADER, *lines)))
    reading = read([path])
    assert [(problem.line, problem.message) for problem in reading.problems] == problems
    # Without a name it may be anything that is missing.
    assert ("", "", "") in {row[:3] for row in reading.base.rows("unreadable")}


def test_a_dump_that_is_cut_anywhere_is_a_problem(tmp_path: Path) -> None:
    base = read_text(tmp_path, f"{POD}---\n{NODE}").base
    write_jsonl(base, tmp_path / "whole.jsonl")
    text = (tmp_path / "whole.jsonl").read_text()
    assert load_jsonl(text, "f").problems == []
    for end in range(len(HEADER), len(text), 3):
        assert load_jsonl(text[:end], "f").problems, text[:end][-80:]
    for end in [place for place, char in enumerate(text, 1) if char == "\n"][:-1]:
        assert load_jsonl(text[:end], "f").problems, text[:end][-80:]
