"""What programs written for Soufflé use: both readers take it, and it means the same to every evaluator."""

import pytest

from liqo_connectivity import checker
from liqo_connectivity.engine import EvaluationError, Explainer, Program, Row, evaluate, prove
from liqo_connectivity.engine.syntax.normalization import normalize
from liqo_connectivity.engine.syntax.parser import parse_program
from liqo_connectivity.engine.syntax.printer import format_program, format_rule
from tests.support.proof_checker import check
from tests.support.second_opinion import assert_agrees

DECLARED = """.pragma "provenance" "explain"
.decl e, f(x: number) inline no_magic // Two relations.
.decl g(x: number, y: number) btree
.input e(), f
.input g()
"""
FACTS: dict[str, list[Row]] = {"e": [(1,), (2,), (3,)], "f": [(-3,), (2,)], "g": [(1, 5), (1, -5), (2, 7), (3, 5)]}


def answer(rules: str) -> list[Row]:
    text = f"{DECLARED}.decl q(x: number)\n.output q()\n.printsize q, e()\n{rules}"
    program = Program.parse({"d.dl": text})
    model = evaluate(program, FACTS)
    rows = model.rows("q")
    # The proofs are proofs, the printed program is the program, and the other readers and evaluators agree.
    for row in rows:
        proof = prove(Explainer(model), "q", row)
        assert proof is not None
        check(proof, model, FACTS)
    assert parse_program(format_program(program.statements), "d.dl") == program.statements
    trusted = checker.read_rules({"d.dl": text})
    assert list(trusted.rules) == [
        checker.read_rules({"d": text + format_rule(r)}).rules[-1] for r in normalize(program.statements)
    ]
    assert trusted.columns.keys() == program.schema.relations.keys()
    assert trusted.inputs == program.schema.inputs
    assert assert_agrees(text, FACTS)["q"] == rows
    return rows


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        ("q(-X) :- e(X), f(-X).", [-3]),
        ("q(X) :- e(X), X = - -X, -(X + 1) * 2 < -5.", [2, 3]),
        ("q(-2 * X - -1) :- e(X).", [-5, -3, -1]),
        ("q(N) :- N = count : e(_).", [3]),
        ("q(N) :- N = sum X : e(X).", [6]),
        ("q(N) :- N = min X : f(X).", [-3]),
        ("q(N) :- N = max X : { f(X), e(X) }.", [2]),
        ("q(N) :- e(X), N = sum Y : g(X, Y).", [0, 5, 7]),
        ("q(N) :- e(X), N = sum Y : { g(X, Y), Y > 6 }.", [0, 7]),
        ("q(N) :- N = sum Y : { g(_, Y), e(_), Y = 5 }.", [30]),
        ("q(X) :- e(X), 4 < sum Y : g(X, Y).\n.plan 0: (1), 1: (1)", [2, 3]),
        ("q(1) :- f(-3).\nq(2) :- e(X), X = 2; e(X), X = 9.", [1, 2]),
    ],
)  # fmt: skip
def test_a_construct_means_the_same_everywhere(rules: str, found: list[int]) -> None:
    assert answer(rules) == [(number,) for number in found]


def test_the_least_number_can_be_written() -> None:
    assert evaluate(Program.parse({"d.dl": ".decl q(x: number)\nq(-2147483648)."}), {}).rows("q") == [(-(2**31),)]


@pytest.mark.parametrize(
    "rule", ["q(N) :- N = sum X : e(X).", "q(0).\nq(N) :- q(M), M < 1, N = sum X : { e(X), X > M }."]
)
def test_a_sum_of_more_than_32_bits_is_an_error(rule: str) -> None:
    program = Program.parse({"d.dl": f".decl e(x: number)\n.decl q(x: number)\n{rule}"})
    large: list[Row] = [(2**31 - 1,), (1,), (2,)]
    with pytest.raises(EvaluationError, match="32 bits"):
        evaluate(program, {"e": large})
    assert tuple(evaluate(program, {"e": [(2**31 - 4,), (1,)]}).rows("q")[-1:]) == ((2**31 - 3,),)


def test_a_sum_that_is_too_large_for_a_moment_is_none() -> None:
    """One transaction takes away what is too large together with what it adds."""
    program = Program.parse({"d.dl": ".decl e(x: number)\n.decl q(x: number)\nq(N) :- N = sum X : e(X)."})
    database = evaluate(program, {"e": [(2**31 - 1,)]})
    with database.txn() as transaction:
        transaction.insert("e", (2**31 - 2,))
        transaction.delete("e", (2**31 - 1,))
    assert database.rows("q") == [(2**31 - 2,)]
