"""pyDatalog as second evaluator: it agrees with ours, refuses what it cannot do, and never outlives its limits."""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from liqo_connectivity.engine import OracleError, Program, UnknownRelationError, evaluate
from liqo_connectivity.engine.pydatalog import second_opinion
from liqo_connectivity.engine.pydatalog.child_process import ChildLimits, exchange
from liqo_connectivity.engine.pydatalog.second_opinion import Difference, evaluate_relations, first_difference
from liqo_connectivity.engine.pydatalog.translation import translate
from liqo_connectivity.engine.syntax.functors import BUILTIN
from tests.support.explaining import prove
from tests.support.random_programs import random_program
from tests.support.second_opinion import GRAPH, RIGHT, assert_agrees, program, ring
from tests.support.seeds import groups

pytestmark = pytest.mark.usefixtures("leaves_nothing_behind")


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
        evaluate_relations(program(BIG), ring(300), ["cube"], limits=ChildLimits(seconds=1, megabytes=4096))
    assert time.monotonic() - started < 5


def test_the_limit_of_memory_is_enforced() -> None:
    with pytest.raises(OracleError, match="more than 150 MB of memory"):
        evaluate_relations(program(BIG), ring(300), ["cube"], limits=ChildLimits(seconds=60, megabytes=150))


def test_a_limit_of_memory_in_which_nothing_runs_is_an_error_too() -> None:
    with pytest.raises(OracleError, match=r"10 MB|cannot be imported"):
        evaluate_relations(program(GRAPH), ring(3), ["path"], limits=ChildLimits(megabytes=10))


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
        exchange([sys.executable, "-c", code], b"request" * 100_000, ChildLimits(seconds=3))
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
        answer = json.loads(exchange([sys.executable, "-c", code], b"", ChildLimits(seconds=20)))
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
