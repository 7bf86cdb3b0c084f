"""Negation where it is delicate: empty relations, one relation read with both signs, rows that go and come at once."""

from random import Random

import pytest

from liqo_connectivity.engine import Program, Row
from liqo_connectivity.engine.incremental.database import Database
from tests.support.churn import Batch, commit, loaded, netted, numbers

HEAD = (
    ".decl p(x: symbol, y: symbol)\n.decl q(x: symbol)\n.decl z()\n.decl h(x: symbol)\n.decl k(x: symbol, y: symbol)\n"
)
RULES = {
    "wildcard": "h(X) :- q(X), !p(X, _).",
    "wildcards in two columns": "h(X) :- q(X), !p(X, _), !p(_, X).",
    "nothing at all": "h(X) :- q(X), !p(_, _).",
    "no columns": "h(X) :- q(X), !z().",
    "both signs": "k(X, Y) :- p(X, Y), !p(Y, X).",
    "both signs, and a wildcard": "h(Y) :- p(_, Y), !p(Y, _).",
    "twice": "k(X, Y) :- q(X), q(Y), !p(X, Y), !p(Y, X).",
    "twice the same": "h(X) :- q(X), !p(X, X), !p(X, _).",
    "a constant": 'h(X) :- q(X), !p(X, "a"), !q("b").',
    "a repeated variable": "h(X) :- q(X), !p(X, X).",
    "over derived relations": "k(X, Y) :- p(X, Y), !h(X).\nh(X) :- q(X), !p(X, _).",
    "a row with many derivations": "h(X) :- p(X, _), !z().\nk(X, Y) :- q(Y), p(X, _), !h(Y).",
    "self-join": "k(X, Z) :- p(X, Y), p(Y, Z), !p(X, Z).",
    "self-join over three": "h(X) :- p(X, Y), p(Y, Z), p(Z, X), !q(Y).",
}


def fresh_is_same(database: Database, facts: dict[str, list[Row]]) -> None:
    assert numbers(database) == numbers(loaded(database.program, facts))
    assert not database.check()


@pytest.mark.parametrize("rule", RULES)
def test_from_nothing_to_something_and_back(rule: str) -> None:
    program = Program.parse({"n.dl": HEAD + RULES[rule]})
    rng, database, facts = Random(rule), loaded(program, {}), dict[str, list[Row]]()
    everything: Batch = [("p", (x, y), True) for x in "abc" for y in "abc"]
    everything += [("q", (x,), True) for x in "abc"]
    everything.append(("z", (), True))
    for present in (True, False):
        for name, row, _ in rng.sample(everything, len(everything)):
            commit(database, [(name, row, present)])
            facts = netted(facts, [(name, row, present)])
            fresh_is_same(database, facts)


@pytest.mark.parametrize("rule", RULES)
def test_rows_go_and_come_in_one_transaction(rule: str) -> None:
    program = Program.parse({"n.dl": HEAD + RULES[rule]})
    rng, database, facts = Random(rule), loaded(program, {}), dict[str, list[Row]]()
    for _ in range(60):
        batch: Batch = [("p", (rng.choice("abc"), rng.choice("abc")), rng.random() < 0.5) for _ in range(4)]
        batch += [("q", (rng.choice("abc"),), rng.random() < 0.6), ("z", (), rng.random() < 0.3)]
        commit(database, batch)
        facts = netted(facts, batch)
        fresh_is_same(database, facts)


def test_a_given_fact_that_is_also_derived_goes_only_with_both_reasons() -> None:
    program = Program.parse({"n.dl": HEAD + "h(X) :- q(X).\nk(X, X) :- p(X, X), !h(X)."})
    database = loaded(program, {"h": [("a",)], "q": [("a",)], "p": [("a", "a")]})
    assert not commit(database, [("h", ("a",), False)])["h"].removed
    assert ("a",) in database.given("q")
    assert ("a",) not in database.given("h")
    assert not commit(database, [("q", ("a",), False), ("h", ("a",), True)])["h"].removed
    assert ("a",) in database.given("h")
    delta = commit(database, [("h", ("a",), False)])
    assert (delta["h"].removed, delta["k"].added) == ((("a",),), (("a", "a"),))
