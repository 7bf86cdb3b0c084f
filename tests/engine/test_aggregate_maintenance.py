"""Aggregates under change: groups that appear, shrink and vanish, and those that only a recursion can name."""

from random import Random

import pytest

from liqo_connectivity.engine import Program, Row, evaluate
from liqo_connectivity.engine.incremental.database import Database
from tests.support.churn import Batch, commit, loaded, netted, numbers

HEAD = """.decl p(x: symbol)
.decl q(x: symbol, n: number)
.decl z()
.decl h(x: symbol, n: number)
.decl k(n: number)
.decl r(x: symbol, n: number)
"""
RULES = {
    "count": "h(X, N) :- p(X), N = count : { q(X, _) }.",
    "sum": "h(X, N) :- p(X), N = sum M : { q(X, M) }.",
    "sum of everything, without braces": "k(N) :- N = sum M : q(_, M).",
    "sum of values that cancel out": "h(X, N) :- q(X, M), N = sum D : { q(X, O), D = O - M }.",
    "a computed variable": "h(X, N) :- q(X, M), N = count : { q(X, O), D = O - M, D > 0 }.",
    "one bounds another": "h(X, N) :- q(X, _), L = max O : { q(_, O) }, N = count : { q(_, O), O < L }.",
    "a count bounds another": "h(X, N) :- N = max O : { q(_, O), O < L }, p(X), L = count : { q(X, _) }.",
    "sum compared": "h(X, N) :- q(X, N), N < sum M : { q(_, M), p(_) }.",
    "sum in a recursion": "h(X, 0) :- p(X).\nh(X, N) :- h(X, M), M < 3, p(X), N = M + 1, M < sum O : { q(_, O), O < M }.",
    "count of everything": "k(N) :- N = count : { q(_, _) }.",
    "count of rows, not of values": "h(X, N) :- p(X), N = count : { q(X, _), q(_, _) }.",
    "least": "h(X, N) :- p(X), N = min M : { q(X, M) }.",
    "greatest of everything": "k(N) :- N = max M : { q(_, M) }.",
    "a comparison": "h(X, N) :- q(X, N), 1 < count : { q(X, _) }.",
    "first match": "h(X, N) :- q(X, N), N = min M : { q(X, M) }.",
    "two": "h(X, N) :- p(X), N = count : { q(X, _) }, N = max M : { q(X, M) }.",
    "a condition on the outside": "h(X, N) :- q(X, M), N = count : { q(_, O), O < M }.",
    "a negation inside": "h(X, N) :- p(X), N = count : { q(Y, _), !p(Y), Y != X }.",
    "a wildcard negated inside": "k(N) :- N = count : { p(X), !q(X, _) }.",
    "nothing bound at all": "k(N) :- N = count : { z() }.",
    "an aggregate over an aggregate": "h(X, N) :- p(X), N = count : { q(X, _) }.\nk(N) :- N = max M : { h(_, M) }.",
    "a recursion that names the groups": "r(X, 0) :- p(X).\nr(X, M) :- r(X, N), N < 4, M = N + 1, "
    "0 < count : { q(_, O), O < N }.",
    "a recursion over a value": "r(X, N) :- p(X), N = min M : { q(X, M) }.\nr(X, N) :- r(X, M), p(X), M < 5, "
    "N = min O : { q(_, O), O > M }.",
    "an aggregate over a recursion": "r(X, N) :- q(X, N).\nr(X, M) :- r(X, N), N < 3, M = N + 1.\n"
    "h(X, N) :- p(X), N = count : { r(X, _) }.",
}


def as_loaded(database: Database, facts: dict[str, list[Row]]) -> None:
    assert numbers(database) == numbers(loaded(database.program, facts))
    assert not database.check()
    model = evaluate(database.program, facts)
    assert all(database.rows(name) == model.rows(name) for name in database.program.schema.relations)


@pytest.mark.parametrize("rules", RULES)
def test_groups_follow_their_facts(rules: str) -> None:
    program = Program.parse({"a.dl": HEAD + RULES[rules]})
    rng, database, facts = Random(rules), loaded(program, {}), dict[str, list[Row]]()
    as_loaded(database, facts)
    for step in range(60):
        batch: Batch = [("q", (rng.choice("abc"), rng.randrange(4)), rng.random() < 0.55) for _ in range(3)]
        batch += [("p", (rng.choice("abc"),), rng.random() < 0.6), ("z", (), rng.random() < 0.5)]
        if step % 20 == 19:
            batch = [(name, row, False) for name, rows in facts.items() for row in rows]
        commit(database, batch)
        facts = netted(facts, batch)
        as_loaded(database, facts)


def test_only_groups_whose_value_changed_are_told() -> None:
    database = loaded(
        Program.parse({"a.dl": HEAD + RULES["least"]}), {"p": [("a",), ("b",)], "q": [("a", 1), ("b", 2)]}
    )
    delta = commit(database, [("q", ("a", 5), True), ("q", ("b", 1), True)])
    assert delta["h"] == ((("b", 2),), (("b", 1),))
    assert not commit(database, [("q", ("a", 5), False)])["h"].removed
