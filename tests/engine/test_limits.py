"""Limits: an evaluation that does not end, or takes too much, stops with an error that names the rule."""

import pytest

from liqo_connectivity.engine import Database, DatalogError, Facts, LimitError, Limits, Program, Row, evaluate

COUNT = """.decl n(x: number)
.decl limit(x: number)
.decl other(x: number)
.input limit
n(0).
other(X) :- n(X), X < 3.
n(X + 1) :- n(X), !limit(X).
"""
TIGHT = (Limits(rows=20_000), Limits(seconds=0.2), Limits(megabytes=8))


def counting() -> Program:
    return Program.parse({"count.dl": COUNT})


def bound(size: int) -> Facts:
    return {"limit": [(size,)]}


def test_a_recursion_that_facts_bound_ends() -> None:
    database = Database(counting())
    assert database.rows("n") == []
    assert database.check() == []
    database.load(bound(3))
    assert database.rows("n") == [(0,), (1,), (2,), (3,)]


def test_the_first_transaction_derives_as_a_load_does() -> None:
    database = Database(counting())
    wanted = {"limit": [(2,)]}
    assert database.what_if(wanted, {})["n"].added == ((0,), (1,), (2,))
    assert database.rows("n") == []
    with database.txn() as transaction:
        transaction.insert("limit", (2,))
    assert transaction.delta["n"].added == ((0,), (1,), (2,))
    assert database.rows("other") == [(0,), (1,), (2,)]
    assert database.check() == []


def test_preparing_before_the_first_load_derives_nothing() -> None:
    database = Database(counting())
    database.prepare()
    before = database.snapshot()
    database.load(bound(1))
    assert before.rows("n") == []
    assert database.snapshot().rows("n") == [(0,), (1,)]


@pytest.mark.parametrize("limits", TIGHT, ids=str)
def test_an_endless_recursion_is_stopped_and_its_rule_named(limits: Limits) -> None:
    with pytest.raises(LimitError) as caught:
        evaluate(counting(), {}, limits)
    assert caught.value.place == "count.dl:7:1"
    assert "count.dl:7:1" in str(caught.value)
    assert "n(X + 1) :- n(X), !limit(X)." in str(caught.value)
    assert isinstance(caught.value, DatalogError)


@pytest.mark.parametrize(
    "body",
    [
        "e(X), e(Y), e(Z), X + Y + Z = 0 - 1",
        "e(X), e(Y), !e(X + Y + 5000), X = Y + 5000",
        "e(X), 1 = count : { e(A), e(B), e(C), A + B + C = X + 20000 }",
        "e(X), X = min A : { e(A), e(B), e(C), A + B + C = 20000 }",
    ],
)
def test_a_product_is_stopped_whether_or_not_it_finds_rows(body: str) -> None:
    text = f".decl e(x: number)\n.decl q(x: number)\n.decl fine(x: number)\nfine(X) :- e(X).\nq(X) :- {body}."
    facts: dict[str, list[Row]] = {"e": [(n,) for n in range(3000)]}
    with pytest.raises(LimitError, match=r"p\.dl:5:1"):
        evaluate(Program.parse({"p.dl": text}), facts, Limits(seconds=0.5))


def test_what_exceeds_a_limit_leaves_the_database_as_it_was() -> None:
    database = Database(counting(), limits=Limits(rows=20_000))
    database.load(bound(4))
    before = database.rows("n")
    with pytest.raises(LimitError, match=r"count\.dl:7:1"), database.txn() as transaction:
        transaction.delete("limit", (4,))
    with pytest.raises(LimitError):
        database.what_if({}, bound(4))
    with pytest.raises(LimitError):
        database.load({})
    assert (database.rows("n"), database.check()) == (before, [])
    with database.txn() as transaction:
        transaction.insert("limit", (1,))
    assert database.rows("n") == [(0,), (1,)]


def test_limits_that_are_not_reached_change_nothing() -> None:
    program, facts = counting(), bound(500)
    limited, free = evaluate(program, facts, Limits(1000, 60, 1000)), evaluate(program, facts)
    assert [limited.rows(name) for name in ("n", "other")] == [free.rows(name) for name in ("n", "other")]


def test_more_rows_than_the_limit_are_refused_even_without_a_join() -> None:
    with pytest.raises(LimitError, match="more than 10 rows"):
        evaluate(counting(), {"limit": [(n,) for n in range(20)]}, Limits(rows=10))
