"""What is known to go wrong in pyDatalog does not reach a user; the numbers are those of the review of its source."""

import sys
import time
from pathlib import Path

import pytest

from liqo_connectivity.engine import OracleError, Program, Row
from liqo_connectivity.engine.pydatalog import second_opinion
from liqo_connectivity.engine.pydatalog.child_process import ChildLimits, exchange
from liqo_connectivity.engine.pydatalog.second_opinion import evaluate_relations
from liqo_connectivity.engine.syntax.nodes import Atom, Rule
from tests.support.second_opinion import GRAPH, RIGHT, assert_agrees, program, ring

pytestmark = pytest.mark.usefixtures("leaves_nothing_behind")


# ---- What is known to go wrong in pyDatalog, by the numbers of the review of its source ----


@pytest.mark.parametrize("size", [3, 4, 8])
def test_finding_01_recursion_over_a_cycle_ends(size: int) -> None:
    assert len(assert_agrees(RIGHT, ring(size))["path"]) == size * size


def test_finding_01_mutual_recursion_of_three_relations_over_a_cycle_ends() -> None:
    """Even written left-linear, this hangs pyDatalog if each relation is its own predicate."""
    declarations = "".join(f".decl p{i}(a: symbol, b: symbol)\n" for i in range(3))
    rules = "".join(f"p{i}(X, Z) :- p{(i + 1) % 3}(X, Y), edge(Y, Z).\n" for i in range(3))
    assert_agrees(GRAPH + declarations + "p0(X, Y) :- edge(X, Y).\n" + rules, ring(8))


def test_finding_01_non_linear_recursion_with_constants_ends() -> None:
    """Calling a recursive relation with something bound, as these rules would, hangs pyDatalog as well."""
    text = GRAPH + 'path(X, W) :- path(X, Y), path(Y, Z), path(Z, W).\npath(X, X) :- path(X, "v0"), path("v0", X).\n'
    assert_agrees(text, ring(6))


def test_finding_02_a_child_that_hangs_and_holds_its_lock_is_killed() -> None:
    started = time.monotonic()
    with pytest.raises(OracleError, match=r"more than 0\.5 s and was stopped"):
        exchange([sys.executable, "-c", "(10**10**7) ** 10**7"], b"", ChildLimits(seconds=0.5))
    assert time.monotonic() - started < 5


def test_finding_03_symbols_that_pydatalog_would_convert_stay_symbols() -> None:
    text = ".decl s(a: symbol)\n.input s\n.decl n(a: number)\n.input n\n"
    text += ".decl out(a: symbol, b: number)\nout(X, Y) :- s(X), n(Y).\n"
    symbols: list[Row] = [("True",), ("False",), ("??",), ("None",), ("1",), ("1.0",), ("",), ("_",), ("'X'",)]
    rows = assert_agrees(text, {"s": symbols, "n": [(1,), (0,), (-1,), (-2,), (2**31 - 1,), (-(2**31),)]})
    assert len(rows["out"]) == len(symbols) * 6
    assert {type(value) for row in rows["out"] for value in row} == {str, int}


HOSTILE = [
    "__import__('pathlib').Path('evaluated').touch()",
    "open('evaluated', 'w')",
    "'); import os #",
    "quote \" and ' and \\",
    "new\nline\ttab\r\x00nul",
    "ünï©ødé 🙂 ١",
    "\ud800 lone",
    "x" * 100_000,
    "_pyD_class",
    "class",
    "p(X) <= q(X)",
    "X",
    "fresh 1",
    "~p",
]


def test_finding_04_values_are_never_evaluated() -> None:
    """Were they, the child could not write, and would fail."""
    text = GRAPH + '.decl loop(a: symbol)\nloop(X) :- path(X, X), X != "class".\n'
    pairs = [(value, other) for value in HOSTILE for other in HOSTILE[:4]]
    assert_agrees(text, {"edge": pairs})


def test_finding_04_constants_of_the_program_are_never_evaluated() -> None:
    text = GRAPH + 'path("__import__(\'os\').abort()", "??").\npath("True", X) :- edge("a\\"\\n\\\\", X).\n'
    assert_agrees(text, {"edge": [('a"\n\\', "b")]})


def test_finding_05_the_order_of_a_body_does_not_matter() -> None:
    text = ".decl d(a: number)\n.input d\n.decl q(a: number)\n.input q\n.decl p(a: number, b: number)\n"
    rows = assert_agrees(text + "p(X, Y) :- !q(X), X < 3, Y = X + 1, d(X).\n", {"d": [(1,), (2,), (3,)], "q": [(1,)]})
    assert rows["p"] == [(2, 3)]


def test_finding_05_a_wildcard_under_a_negation_means_no_tuple_at_all() -> None:
    text = GRAPH + ".decl sink(a: symbol)\nsink(X) :- !edge(X, _), edge(_, X).\n.decl none()\nnone() :- !path(_, _).\n"
    assert assert_agrees(text, {"edge": [("a", "b")]})["sink"] == [("b",)]
    assert assert_agrees(text, {})["none"] == [()]


def test_finding_06_a_relation_without_tuples_can_be_negated() -> None:
    text = ".decl a(x: symbol)\n.input a\n.decl b(x: symbol)\n.input b\n.decl c(x: symbol)\nc(X) :- a(X), !b(X).\n"
    assert assert_agrees(text, {"a": [("x",)]})["c"] == [("x",)]
    assert assert_agrees(text, {})["c"] == []


def test_finding_07_negation_inside_a_component_is_refused() -> None:
    """No checked program has it; a program that was put together by hand is refused rather than run until the limit."""
    text = ".decl a(x: symbol)\n.input a\n.decl p(x: symbol)\n.decl q(x: symbol)\np(X) :- a(X), !q(X).\nq(X) :- a(X).\n"
    parsed = program(text)
    first, second = parsed.rules
    looped = Rule(1, second.head, (*second.body, Atom("p", second.head.terms)), second.span)
    wrong = Program(parsed.statements, parsed.texts, parsed.schema, (first, looped), parsed.components)
    with pytest.raises(OracleError, match="q is negated before it is complete: p"):
        evaluate_relations(wrong, {}, ["p"])


def test_finding_08_and_11_each_evaluation_has_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []

    def counted(*arguments: object) -> bytes:
        started.append(arguments)
        return exchange(*arguments)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(second_opinion, "exchange", counted)
    assert_agrees(GRAPH, ring(3))
    assert_agrees(GRAPH, {"edge": [("x", "y")]})
    assert len(started) == 2


def test_finding_08_pydatalog_is_not_loaded_here() -> None:
    assert_agrees(GRAPH, ring(3))
    assert not [name for name in sys.modules if name.startswith("pyDatalog")]


def test_finding_09_an_exception_ends_the_evaluation_and_spoils_no_other() -> None:
    text = ".decl n(a: number)\n.input n\n.decl p(a: number)\np(10 / X) :- n(X).\n"
    with pytest.raises(OracleError, match=r"test\.dl:4:1: 10 / 0 has no value: p\(10 / X\)"):
        evaluate_relations(program(text), {"n": [(0,)]}, ["p"])
    assert assert_agrees(text, {"n": [(-3,)]})["p"] == [(-3,)]


@pytest.mark.parametrize(
    ("folder", "engine", "reason"),
    [
        ("pydatalog-0.22.5.dist-info", "", "pydatalog-0.22.5.dist-info is installed, not 0.22.4"),
        ("other-1.dist-info", "", "no version is installed, not 0.22.4"),
        ("pydatalog-0.22.4.dist-info", "class Pred:\n    def __init__(self, *_): self.db = {}\n", "not compiled"),
        ("pydatalog-0.22.4.dist-info", "raise ImportError('broken')", "cannot be imported: broken"),
    ],
)
def test_finding_10_another_build_is_refused(
    folder: str, engine: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / "pyDatalog").mkdir()
    (tmp_path / "pyDatalog" / "__init__.py").write_text("")
    (tmp_path / "pyDatalog" / "pyEngine.py").write_text(engine)
    monkeypatch.setattr(second_opinion, "_location", lambda: str(tmp_path))
    with pytest.raises(OracleError, match="not the build that is known to be right") as caught:
        evaluate_relations(program(GRAPH), {}, ["path"])
    assert reason in str(caught.value)


def test_finding_10_a_missing_pydatalog_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_opinion, "find_spec", lambda _: None)
    with pytest.raises(OracleError, match="not installed"):
        evaluate_relations(program(GRAPH), {}, ["path"])


def test_finding_12_a_value_that_many_facts_share_costs_no_more() -> None:
    text = GRAPH + '.decl two(a: symbol)\ntwo(X) :- edge(X, "k"), path(X, "k").\n'
    facts: dict[str, list[Row]] = {"edge": [(f"n{number}", "k") for number in range(2000)]}
    assert len(assert_agrees(text, facts)["two"]) == 2000


def test_finding_13_memory_that_negation_takes_is_given_back_with_the_process() -> None:
    text = GRAPH + ".decl end(a: symbol)\nend(X) :- edge(_, X), !edge(X, _).\n"
    for _ in range(3):
        assert_agrees(text, {"edge": [(f"n{number}", f"n{number + 1}") for number in range(200)]}, ChildLimits(30, 200))
