"""An atom of which only existence matters is tested: the work grows with the facts, not with the choices of their rows."""

from random import Random

import pytest

from liqo_connectivity.engine import Database, Program, Row, evaluate
from tests.support.churn import loaded
from tests.support.naive import naive

HEADER = """.decl e(x: number)
.decl f(x: number, y: number)
.decl g(x: number, y: number, z: number)
.decl q()
.decl r(x: number)
.decl s(x: number, y: number)
.output q, r, s
"""
RULES = """q() :- e(_), e(_), e(_).
q() :- f(X, X), g(Y, _, Y), e(2).
r(X) :- e(X), f(_, _), g(_, _, _).
r(X) :- e(X), f(X, _), g(X, Once, Twice), Twice != 1, !f(X, X), !e(3), g(_, 1, Twice).
r(X) :- f(X, Y), e(Y), f(Y, _), f(X, X + 1).
r(Y) :- r(X), s(X, Y), g(_, X, _), e(_).
s(X, Y) :- f(X, Y), g(Other, Other, _), 1 < count : { f(_, Y), e(_) }.
s(X, N) :- e(X), N = min Low : { g(X, Low, _), e(_), f(_, Same), f(Same, _) }.
"""
MANY = 3000
"""Rows of each relation: their square would take minutes."""


def test_the_work_of_a_rule_is_linear_where_only_existence_matters() -> None:
    rules = [
        "q() :- e(_), e(_), e(_), e(_).",
        "q() :- f(_, _), f(X, _), f(Y, Y), e(_).",
        "r(X) :- e(X), e(_), e(_), f(_, Once).",
        "r(X) :- f(X, _), f(X, _), f(X, _).",
        "r(X) :- e(X), e(_), 1 <= min Y : { f(_, Y), e(_), e(_) }.",
    ]
    for rule in rules:
        database = Database(Program.parse({"q.dl": HEADER + rule}), profiled=True)
        database.load({"e": [(n,) for n in range(MANY)], "f": [(n % 2, n) for n in range(1, MANY)] + [(5, 5)]})
        (counted,) = database.counters()
        assert counted.instances <= 2 * MANY, rule
        with database.txn() as transaction:
            transaction.insert("e", (MANY,))
            transaction.delete("e", (0,))
            transaction.insert("f", (1, 2))
        (counted,) = database.counters()
        assert counted.instances <= 2 * MANY + 10, rule


def random_rows(rng: Random, width: int) -> list[Row]:
    return [tuple(rng.choice((1, 2, 3)) for _ in range(width)) for _ in range(rng.choice((0, 1, 3, 6)))]


@pytest.mark.parametrize("seed", range(60))
def test_existence_tests_are_exact_through_every_change(seed: int) -> None:
    rng = Random(seed)
    lines = RULES.splitlines()
    program = Program.parse({"q.dl": HEADER + "\n".join(rng.sample(lines, rng.randint(3, len(lines))))})
    facts = {name: random_rows(rng, width) for name, width in (("e", 1), ("f", 2), ("g", 3))}
    database = loaded(program, facts)
    held = {name: set(rows) for name, rows in facts.items()}
    for _ in range(12):
        with database.txn() as transaction:
            for _ in range(rng.choice((1, 1, 2, 5))):
                name = rng.choice("efg")
                row: Row = tuple(rng.choice((1, 2, 3)) for _ in program.schema.relations[name].columns)
                if rng.random() < 0.5:
                    transaction.insert(name, row)
                    held[name].add(row)
                else:
                    transaction.delete(name, row)
                    held[name].discard(row)
        assert database.check() == []
        truth = naive(program, held, lambda _: [0, 1, 2, 3, 4])
        for name in ("q", "r", "s"):
            assert set(database.rows(name)) == truth[name]


def test_a_column_that_arithmetic_reads_is_kept() -> None:
    program = Program.parse({"q.dl": HEADER + "q() :- e(_), f(X, X + 1), e(Y), g(Y, _, Y)."})
    assert evaluate(program, {"e": [(1,)], "f": [(1, 2)], "g": [(1, 0, 1)]}).rows("q") == [()]
    assert evaluate(program, {"e": [(1,)], "f": [(1, 1)], "g": [(1, 0, 1)]}).rows("q") == []
