"""Generated functions come from their cache as they were compiled, and from one that is not to be trusted never."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from liqo_connectivity.engine import Program, evaluate
from liqo_connectivity.engine.codegen import compilation
from liqo_connectivity.rules import function_cache
from tests.support.mixed_programs import evaluated_program

WHY = ("why", "shop/web-2", "shop/web-0:8080/tcp", "-f", "examples/consumer")
ROOT = Path(__file__).parents[2]
CODE = compile("1", "<a test>", "exec")
COUNT = """
import builtins, sys
compiled = []
compile = builtins.compile
def noted(source, name, *rest, **more):
    if isinstance(source, str) and source.startswith("def make("):
        compiled.append(source)
    return compile(source, name, *rest, **more)
builtins.compile = noted
from liqo_connectivity.operator.cli import run
run(sys.argv[1:])
print(len(compiled), file=sys.stderr)
"""
"""Runs a command; the last line of stderr is how many generated sources were compiled."""


@pytest.fixture
def cache(bytecode: Path) -> Path:
    """An empty place for the cache, which this process may write."""
    path = function_cache.cache_path()
    assert path is not None
    assert path.is_relative_to(bytecode)
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture(autouse=True)
def codes() -> Iterator[compilation.Codes]:
    """The code of this process, which starts without any, and without templates."""
    before = dict(compilation.codes), dict(compilation.templates)
    compilation.codes.clear()
    compilation.templates.clear()
    yield compilation.codes
    compilation.codes.clear()
    compilation.templates.clear()
    compilation.codes.update(before[0])
    compilation.templates.update(before[1])


def key() -> str:
    found = function_cache._key()
    assert found is not None
    return found


def command(folder: Path, **environment: str) -> tuple[str, int]:
    """Run a command with its cache in a folder; give its answer and how many sources it compiled."""
    run = subprocess.run(
        [sys.executable, "-c", COUNT, *WHY],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT / "src"), "PYTHONPYCACHEPREFIX": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout, int(run.stderr.splitlines()[-1])


@pytest.mark.slow
def test_the_next_command_compiles_nothing_and_answers_the_same(tmp_path: Path) -> None:
    first, compiled = command(tmp_path)
    assert compiled > 100
    assert command(tmp_path) == (first, 0)
    assert command(tmp_path, PYTHONOPTIMIZE="1")[1] > 100


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_does_no_harm(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    answer, compiled = command(blocked)
    assert answer.startswith("ALLOWED")
    assert compiled > 100


def test_kept_functions_are_found(cache: Path, codes: compilation.Codes) -> None:
    codes["source", "label"] = CODE
    compilation.templates["rule"] = CODE, "source", [("rows", "p", (), 0)]
    function_cache.keep(cache, key(), 0)
    assert function_cache.read(cache, key()) == (compilation.codes, compilation.templates)


def test_nothing_is_written_when_all_functions_are_known(cache: Path, codes: compilation.Codes) -> None:
    codes["source", "label"] = CODE
    function_cache.keep(cache, key(), 1)
    assert not cache.exists()


def test_nothing_is_written_where_python_writes_no_bytecode(
    cache: Path, codes: compilation.Codes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    codes["source", "label"] = CODE
    function_cache.keep(cache, key(), 0)
    assert not cache.exists()


def test_a_process_with_more_functions_than_a_command_keeps_none(cache: Path, codes: compilation.Codes) -> None:
    codes.update({(str(number), ""): CODE for number in range(function_cache.MOST + 1)})
    function_cache.keep(cache, key(), 0)
    assert not cache.exists()


def other_python(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.version", "another")


def other_bytecode(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{function_cache.__name__}.MAGIC_NUMBER", b"none")


def other_engine(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(function_cache, "_SOURCES", ("../engine/syntax",))


def cut(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-10] + bytes([data[-10] ^ 1]) + data[-9:])


def link(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real"))


def writable_by_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.chmod(0o666)


def of_another_user(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(path, 4242, 4242)


@pytest.mark.parametrize(
    "spoil", [other_python, other_bytecode, other_engine, cut, flip, link, writable_by_all, of_another_user]
)
def test_a_cache_that_is_not_to_be_trusted_is_not_used(
    cache: Path,
    codes: compilation.Codes,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path, pytest.MonkeyPatch], None],
) -> None:
    codes["source", "label"] = CODE
    function_cache.keep(cache, key(), 0)
    spoil(cache, monkeypatch)
    assert function_cache.read(cache, key()) == ({}, {})


def test_a_python_without_bytecode_files_has_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.implementation, "cache_tag", None)
    assert function_cache.cache_path() is None


def test_code_is_kept_under_all_of_its_source(codes: compilation.Codes) -> None:
    text = ".decl e(x: number)\n.input e\n.decl p(x: number)\n.output p\np(X) :- e(X), X > {}.\n"
    for least in (1, 2):
        assert evaluate(Program.parse({"p.dl": text.format(least)}), {"e": [(2,), (3,)]}).rows("p") == [
            (number,) for number in (2, 3) if number > least
        ]
    loads = [source for source, label in codes if label == "load of a rule"]
    # One function serves both rules, because their constants are its parameters.
    assert len(loads) == 1


def test_the_same_rule_is_another_function_where_its_relation_is_recursive(codes: compilation.Codes) -> None:
    rule = ".decl e(x: number)\n.input e\n.decl p(x: number)\n.output p\np(X) :- e(X).\n"
    for more, rows in (("", 1), ("p(X + 1) :- p(X), X < 4.\n", 4), ("", 1)):
        assert len(evaluate(Program.parse({"p.dl": rule + more}), {"e": [(1,)]}).rows("p")) == rows


@pytest.mark.parametrize("seed", range(30))
def test_remembered_functions_are_as_if_they_were_written(seed: int) -> None:
    found = evaluated_program(seed)
    if found is None:
        return
    text, facts, model = found
    again = evaluate(Program.parse({"r.dl": text}), facts)
    compilation.templates.clear()
    fresh = evaluate(Program.parse({"r.dl": text}), facts)
    for name in model.program.schema.relations:
        assert model.rows(name) == again.rows(name) == fresh.rows(name)
