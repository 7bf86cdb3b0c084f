"""pyDatalog as second evaluator: it agrees with ours, refuses what it cannot do, and never outlives its limits."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from liqo_connectivity.engine import Facts, OracleError, Program, Row, UnknownRelationError, evaluate
from liqo_connectivity.engine.pydatalog import second_opinion
from liqo_connectivity.engine.pydatalog.child_process import Limits, exchange
from liqo_connectivity.engine.pydatalog.second_opinion import Difference, evaluate_relations, first_difference
from liqo_connectivity.engine.pydatalog.translation import translate
from liqo_connectivity.engine.syntax.functors import BUILTIN
from liqo_connectivity.engine.syntax.nodes import Atom, Rule
from tests.support.explaining import prove
from tests.support.random_programs import random_program
from tests.support.seeds import groups

GRAPH = ".decl edge(a: symbol, b: symbol)\n.input edge\n.decl path(a: symbol, b: symbol)\npath(X, Y) :- edge(X, Y).\n"
RIGHT = GRAPH + "path(X, Z) :- edge(X, Y), path(Y, Z).\n"
LIMITS = Limits(seconds=30)


def program(text: str) -> Program:
    return Program.parse({"test.dl": text})


def ring(size: int) -> dict[str, list[Row]]:
    return {"edge": [(f"v{number}", f"v{(number + 1) % size}") for number in range(size)]}


def assert_agrees(text: str, facts: Facts, limits: Limits = LIMITS) -> dict[str, list[Row]]:
    parsed = program(text)
    rows = evaluate_relations(parsed, facts, parsed.schema.relations, limits=limits)
    assert first_difference(evaluate(parsed, facts), rows) is None
    return rows


def children() -> set[str]:
    """The processes that this one started and that are not gone, dead ones included."""
    return {pid for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()}


@pytest.fixture(autouse=True)
def _leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """After every test here: no process, running or dead, and no temporary file."""
    monkeypatch.setattr(tempfile, "tempdir", str(folder := tmp_path / "temporary"))
    folder.mkdir()
    before = children()
    yield
    assert children() <= before
    assert not list(folder.iterdir())


# ---- The two evaluators agree ----


@pytest.mark.parametrize("seed", range(60))
def test_agrees_with_the_engine_on_random_programs(seed: int) -> None:
    text, facts = random_program(seed)
    assert_agrees(text, facts)


@pytest.mark.slow
@pytest.mark.parametrize("first", groups(1000, 1400, 50))
def test_agrees_with_the_engine_on_many_random_programs(first: int) -> None:
    for seed in range(first, first + 50):
        text, facts = random_program(seed)
        assert_agrees(text, facts)


def test_random_programs_derive_something() -> None:
    models = [evaluate(program(text), facts) for text, facts in map(random_program, range(60))]
    derived = [model.rows(name) for model in models for name in model.program.rules_by_head]
    assert sum(map(bool, derived)) > len(derived) / 2


def test_a_model_of_the_oracle_serves_proofs() -> None:
    parsed, facts = program(RIGHT), ring(3)
    model = second_opinion.evaluate(parsed, facts, ["path"])
    assert model.rows("path") == evaluate(parsed, facts).rows("path")
    assert prove(model, "path", ("v0", "v0")) == prove(evaluate(parsed, facts), "path", ("v0", "v0"))


def test_the_model_holds_everything_that_is_needed_and_nothing_else() -> None:
    text = RIGHT + ".decl other(a: symbol)\nother(X) :- edge(X, _).\n.decl top(a: symbol)\ntop(X) :- path(X, X).\n"
    model = second_opinion.evaluate(program(text), ring(3), ["top"])
    assert len(model.rows("top")) == 3
    assert len(model.rows("path")) == 9
    assert model.rows("other") == []
    assert "other" not in model.program.rules_by_head


def test_rows_of_an_input_relation_are_asked_for() -> None:
    assert evaluate_relations(program(GRAPH), ring(3), ["edge"])["edge"] == sorted(ring(3)["edge"])


def test_nothing_wanted_nothing_given() -> None:
    assert evaluate_relations(program(GRAPH), {}, []) == {}


def test_an_unknown_relation_is_named() -> None:
    with pytest.raises(UnknownRelationError, match="'roads'"):
        evaluate_relations(program(GRAPH), {}, ["roads"])


# ---- The first difference ----


def test_the_first_difference_is_the_smallest_row_of_the_first_relation() -> None:
    model = evaluate(program(GRAPH), ring(3))
    rows = {"path": model.rows("path"), "edge": model.rows("edge")}
    assert first_difference(model, rows) is None
    rows["path"] = []
    assert first_difference(model, rows) == Difference("path", ("v0", "v1"), "engine")
    rows["edge"] = [*rows["edge"], ("a", 'say "hi"')]
    found = first_difference(model, rows)
    assert str(found) == 'edge("a", "say \\"hi\\"") is derived by the oracle only'


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
        exchange([sys.executable, "-c", "(10**10**7) ** 10**7"], b"", Limits(seconds=0.5))
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
    wrong = Program(parsed.statements, parsed.texts, parsed.schema, (first, looped))
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
        assert_agrees(text, {"edge": [(f"n{number}", f"n{number + 1}") for number in range(200)]}, Limits(30, 200))


# ---- What is refused, and limits ----


def test_a_functor_of_the_caller_is_refused_by_rule() -> None:
    text = ".functor cidr_family(c: symbol): number\n.decl a(x: symbol)\n.input a\n.decl p(n: number)\n"
    text += "p(N) :- a(X), N = 1 + @cidr_family(X).\n"
    mine = Program.parse({"mine.dl": text}, {**BUILTIN, "cidr_family": len})
    with pytest.raises(OracleError, match=r"mine\.dl:5:1: @cidr_family is not a built-in functor"):
        evaluate_relations(mine, {}, ["p"])


def test_a_number_of_more_than_32_bits_is_refused_by_rule() -> None:
    text = ".decl n(a: number)\n.input n\n.decl p(a: number)\np(X * X) :- n(X).\n"
    with pytest.raises(OracleError, match=r"65536 \* 65536 needs more than 32 bits: p\(X \* X\)"):
        evaluate_relations(program(text), {"n": [(65536,)]}, ["p"])


BIG = GRAPH + ".decl cube(a: symbol, b: symbol, c: symbol)\ncube(X, Y, Z) :- edge(X, _), edge(Y, _), edge(Z, _).\n"


def test_the_limit_of_time_is_enforced() -> None:
    started = time.monotonic()
    with pytest.raises(OracleError, match="more than 1 s and was stopped"):
        evaluate_relations(program(BIG), ring(300), ["cube"], limits=Limits(seconds=1, megabytes=4096))
    assert time.monotonic() - started < 5


def test_the_limit_of_memory_is_enforced() -> None:
    with pytest.raises(OracleError, match="more than 150 MB of memory"):
        evaluate_relations(program(BIG), ring(300), ["cube"], limits=Limits(seconds=60, megabytes=150))


def test_a_limit_of_memory_in_which_nothing_runs_is_an_error_too() -> None:
    with pytest.raises(OracleError, match=r"10 MB|cannot be imported"):
        evaluate_relations(program(GRAPH), ring(3), ["path"], limits=Limits(megabytes=10))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os; os.abort()", "was ended by SIGABRT"),
        ("import sys; sys.stderr.write('x' * 10**7 + 'end'); sys.exit(3)", "exited with 3"),
        ("import resource as r; r.setrlimit(r.RLIMIT_CPU, (1, 2))\nwhile True: pass", "of processor time"),
        ("import os, time; os.close(0), os.close(1), os.close(2); time.sleep(9)", "more than 3 s and was stopped"),
    ],
)
def test_a_child_that_fails_is_reported_with_its_end(code: str, reason: str) -> None:
    with pytest.raises(OracleError) as caught:
        exchange([sys.executable, "-c", code], b"request" * 100_000, Limits(seconds=3))
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 5000


def test_an_answer_that_is_none_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for answer in (b"", b"[", b'{"rows": {}}', b'{"rows": {"r1": [["a", 1]]}}', b'{"rows": {"r1": 7}}'):
        monkeypatch.setattr(second_opinion, "exchange", lambda *_, answer=answer: answer)
        with pytest.raises(OracleError, match=r"without an answer|gave no rows of path"):
            evaluate_relations(program(GRAPH), {}, ["path"])


def test_the_child_gets_no_environment_and_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/secret")
    code = "import json, os; print(json.dumps([dict(os.environ), os.listdir('/proc/self/fd'), os.getpid() == os.getsid(0)]))"
    with open(os.devnull) as kept:
        os.set_inheritable(kept.fileno(), True)
        answer = json.loads(exchange([sys.executable, "-c", code], b"", Limits(seconds=20)))
    assert "KUBECONFIG" not in answer[0]
    assert answer[0]["PYTHONHASHSEED"] == "0"
    # The fourth is the listing's own.
    assert len(answer[1]) == 4
    assert answer[2]


# ---- The translation ----


def test_the_job_is_the_same_whatever_order_facts_and_goals_come_in() -> None:
    text, _ = random_program(7)
    names = list(program(text).schema.relations)
    first, second = (translate(program(text), goals) for goals in (names, reversed(names)))
    assert json.dumps([asdict(step) for step in first.steps]) == json.dumps([asdict(step) for step in second.steps])


def test_only_what_is_needed_is_translated() -> None:
    translation = translate(program(RIGHT + ".decl other(a: symbol)\nother(X) :- edge(X, _).\n"), ["path"])
    assert sorted(translation.table_of) == ["edge", "path"]


def test_the_child_runs_without_the_package_and_without_site(tmp_path: Path) -> None:
    """A wheel, an editable install and a bare checkout differ in how they are found; the child needs none of that."""
    copy = tmp_path / "alone.py"
    copy.write_bytes(Path(second_opinion.__file__).with_name("child.py").read_bytes())
    job = {"arities": {"r0": 1}, "facts": {"r0": [["x"]]}, "steps": [], "wanted": ["r0"]}
    location = second_opinion._location()  # pyright: ignore[reportPrivateUsage]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", str(copy), "20", "1024", location],
        input=json.dumps(job).encode(),
        capture_output=True,
        check=True,
        cwd=tmp_path,
    )
    assert json.loads(done.stdout) == {"rows": {"r0": [["x"]]}}
