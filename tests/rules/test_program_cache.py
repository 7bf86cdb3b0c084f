"""The built-in program comes from its cache as it was built, and from a cache that is not to be trusted never."""

import marshal
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from liqo_connectivity.engine import Program
from liqo_connectivity.engine.syntax.printer import format_statement
from liqo_connectivity.rules import program_cache
from liqo_connectivity.rules.program import builtin_texts, load

WHY = ("why", "shop/web-2", "shop/web-0:8080/tcp", "-f", "examples/consumer")
ROOT = Path(__file__).parents[2]


class NotBuiltError(Exception):
    """What was to come from the cache was built."""


def refuse() -> Program:
    raise NotBuiltError


@pytest.fixture
def cache(bytecode: Path) -> Path:
    """An empty place for bytecode, which this process may write."""
    path = program_cache.cache_path()
    assert path is not None
    assert path.is_relative_to(bytecode)
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def kept(cache: Path) -> Path:
    """A cache that holds the built-in program."""
    load()
    assert cached()
    return cache


def cached() -> bool:
    try:
        program_cache.load_or_build(builtin_texts(), refuse)
    except NotBuiltError:
        return False
    return True


def assert_same(first: object, second: object) -> None:
    """Compare values with the places of syntax, which do not take part in their equality."""
    assert type(first) is type(second)
    if isinstance(first, tuple):
        parts = cast("tuple[object, ...]", first), cast("tuple[object, ...]", second)
        for one, other in zip(*parts, strict=True):
            assert_same(one, other)
    else:
        assert first == second


def test_what_comes_from_the_cache_is_what_was_built(kept: Path) -> None:
    found = program_cache.load_or_build(builtin_texts(), refuse)
    kept.unlink()
    built = load()
    assert_same(found.statements, built.statements)
    assert_same(found.rules, built.rules)
    assert_same(tuple(found.schema.relations.items()), tuple(built.schema.relations.items()))
    assert found == built
    assert found.components == built.components
    assert [*map(format_statement, found.statements)] == [*map(format_statement, built.statements)]


def test_added_rules_are_as_if_nothing_were_cached(kept: Path) -> None:
    text = 'member(P, "mine", A) :- member(P, "offloaded", A).\n'
    found = load({"mine.dl": text})
    kept.unlink()
    built = load({"mine.dl": text})
    assert_same(found.statements, built.statements)
    assert_same(found.rules, built.rules)


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["p(X) :- q(X).", "pod(", 'pod("a", "b").'])
def test_errors_of_added_rules_are_as_if_nothing_were_cached(kept: Path, broken: str) -> None:
    told: list[str] = []
    for _ in range(2):
        with pytest.raises(Exception, match=r"error\[DL") as caught:
            load({"mine.dl": broken})
        told.append(str(caught.value))
        kept.unlink(missing_ok=True)
    assert told[0] == told[1]


def test_another_text_is_another_program(kept: Path) -> None:
    name, text = next(iter(builtin_texts().items()))
    with pytest.raises(NotBuiltError):
        program_cache.load_or_build({**builtin_texts(), name: text + " "}, refuse)
    with pytest.raises(NotBuiltError):
        program_cache.load_or_build({**builtin_texts(), "more.dl": ""}, refuse)


@pytest.mark.parametrize("changed", [f"{program_cache.__name__}.__version__", "sys.version"])
def test_other_code_makes_another_program(kept: Path, monkeypatch: pytest.MonkeyPatch, changed: str) -> None:
    monkeypatch.setattr(changed, "another")
    assert not cached()


def test_other_source_of_the_engine_makes_another_program(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "engine.py"
    source.write_text("one")
    monkeypatch.setattr(program_cache, "_SOURCES", (str(tmp_path),))
    load()
    assert cached()
    source.write_text("two")
    assert not cached()
    source.write_text("one")
    assert cached()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip(path: Path) -> None:
    data = path.read_bytes()
    middle = len(data) // 2
    path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def not_text(path: Path) -> None:
    path.write_bytes(bytes(range(256)))


def link(path: Path) -> None:
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real"))


def writable_by_all(path: Path) -> None:
    path.chmod(0o666)


def of_another_user(path: Path) -> None:
    os.chown(path, 4242, 4242)


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [cut, flip, empty, not_text, link, writable_by_all, of_another_user])
def test_a_spoilt_cache_is_not_used_and_made_again(kept: Path, spoil: Callable[[Path], None]) -> None:
    if spoil is of_another_user and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    spoil(kept)
    assert not cached()
    load()
    assert cached()
    assert not kept.is_symlink()
    assert [path.name for path in kept.parent.iterdir() if path.suffix not in (".real", ".marshal")] == []


def test_a_folder_that_cannot_be_written_does_no_harm(cache: Path) -> None:
    cache.parent.rmdir()
    cache.parent.write_text("a file where the folder should be")
    assert load() == load()
    assert not cached()


def test_nothing_is_written_where_python_writes_no_bytecode(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    load()
    assert not cache.exists()


def test_a_python_without_bytecode_files_has_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.implementation, "cache_tag", None)
    assert program_cache.cache_path() is None
    assert load().rules


def test_data_holds_nothing_but_scalars_and_positions(kept: Path) -> None:
    scalars, groups = marshal.loads(kept.read_bytes().partition(b"\n")[2])
    assert {type(value) for value in scalars} <= {str, int, bool, type(None)}
    assert {type(place) for _, lists in groups for places in lists for place in places} == {int}


@pytest.mark.slow
def test_answers_and_imports_with_a_cache_and_processes_that_race_for_it(tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(ROOT / "src"), "PYTHONPYCACHEPREFIX": str(tmp_path)}
    command = [sys.executable, "-X", "importtime", "-m", "liqo_connectivity", *WHY]

    def start() -> "subprocess.Popen[str]":
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def imported(trace: str) -> set[str]:
        return {line.rpartition("|")[2].strip().partition(".")[0] for line in trace.splitlines()}

    first = [process.communicate() for process in [start() for _ in range(3)]]
    answer, trace = start().communicate()
    assert {out for out, _ in first} == {answer}
    assert answer.startswith("ALLOWED")
    assert any("lark" in imported(trace) for _, trace in first)
    assert not imported(trace) & {"lark", "networkx", "pyDatalog", "kubernetes", "pydantic"}
    assert len([*tmp_path.rglob("program.*.marshal*")]) == 1
    assert len([*tmp_path.rglob("functions.*.marshal*")]) == 1
