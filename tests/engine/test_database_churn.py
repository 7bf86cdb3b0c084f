"""A database that was changed is the one that would be loaded: rows, counts, ranks and indexes, after every batch."""

from random import Random

import pytest

from liqo_connectivity.engine import Program
from liqo_connectivity.engine.incremental.database import Database
from tests.support.churn import Batch, Facts, batches, commit, is_small, loaded, netted, numbers, program_of
from tests.support.naive import naive
from tests.support.seeds import groups
from tests.support.small_programs import domain

BATCHES = 12
FAST = range(0, 200, 25)
STEP = 50
SLOW = groups(200, 2000, STEP)


def churn(seed: int) -> int:
    """Run one program; give how many derived rows came or went."""
    program, facts = program_of(seed)
    database, changed = loaded(program, facts), 0
    holds_what_follows(database, facts)
    for batch in batches(Random(seed), program, facts, BATCHES):
        before = {name: set(database.rows(name)) for name in program.schema.relations}
        delta = commit(database, batch)
        facts = netted(facts, batch)
        fresh = loaded(program, facts)
        assert numbers(database) == numbers(fresh), f"seed {seed}, {batch}"
        assert not database.check(), f"seed {seed}, {batch}"
        for name, rows in before.items():
            removed, added = map(set, delta[name])
            assert removed <= rows
            assert not added & rows
            assert (rows - removed) | added == set(database.rows(name))
            changed += len(delta[name].removed) + len(delta[name].added) if name in program.rules_by_head else 0
    holds_what_follows(database, facts)
    return changed


def holds_what_follows(database: Database, facts: Facts) -> None:
    """Compare with brute force, if the program is small enough for that."""
    if is_small(database.program):
        truth = naive(database.program, facts, domain)
        assert {name: set(database.rows(name)) for name in truth} == truth


def follow_an_aggregate_in_a_recursion() -> None:
    """Change what an aggregate counts that only its rule's own recursion can give keys to, which few seeds draw."""
    program = Program.parse(
        {
            "stops.dl": """.decl start(x: number)
.decl stop(x: number)
.decl reach(x: number)
.input start
.input stop
reach(X) :- start(X).
reach(X + 1) :- reach(X), X < 9, 0 = count : { stop(Z), Z < X }.
"""
        }
    )
    database = loaded(program, {"start": [(0,)]})
    for stops, last in (({4}, 5), ({4, 2}, 3), ({7}, 8), (set[int](), 9)):
        held = {number for (number,) in database.rows("stop")}
        commit(database, [("stop", (number,), number in stops) for number in sorted(held | stops)])
        assert database.rows("reach") == [(number,) for number in range(last + 1)]
        assert not database.check()


def test_an_aggregate_in_a_recursion_follows_what_it_counts() -> None:
    follow_an_aggregate_in_a_recursion()


@pytest.mark.parametrize("first", FAST)
def test_after_every_batch_a_database_is_as_if_loaded(first: int) -> None:
    changed = [churn(seed) for seed in range(first, first + FAST.step)]
    assert sum(count > 5 for count in changed) > 8, "batches that change nothing test nothing"


@pytest.mark.slow
@pytest.mark.parametrize("first", SLOW)
def test_after_every_batch_many_databases_are_as_if_loaded(first: int) -> None:
    for seed in range(first, first + STEP):
        churn(seed)


def run(program: Program, facts: dict[str, list[tuple[str | int, ...]]], requests: list[Batch]) -> Database:
    database = loaded(program, facts)
    for batch in requests:
        commit(database, batch)
    return database


@pytest.mark.parametrize("seed", range(120))
def test_what_is_put_in_and_taken_out_leaves_no_trace(seed: int) -> None:
    program, facts = program_of(seed)
    database = loaded(program, facts)
    for batch in batches(Random(seed), program, facts, 6):
        before = numbers(database)
        delta = commit(database, batch)
        last = {(name, row): present for name, row, present in batch}
        back = [(n, row, not present) for (n, row), present in last.items() if (row in facts.get(n, ())) != present]
        assert commit(database, back) == delta.inverse()
        assert numbers(database) == before
        assert not database.check()


@pytest.mark.parametrize("seed", range(120))
def test_neither_the_order_nor_the_batching_of_requests_matters(seed: int) -> None:
    rng = Random(seed)
    program, facts = program_of(seed)
    requests = [request for batch in batches(rng, program, facts, 6) for request in batch]
    # The last request for a fact decides, so each fact is asked for once here.
    requests = [(name, row, present) for (name, row), present in {(n, r): p for n, r, p in requests}.items()]
    one = run(program, facts, [requests])
    singles = run(program, facts, [[request] for request in rng.sample(requests, len(requests))])
    rows = {name: rng.sample(found, len(found)) for name, found in reversed(facts.items())}
    shuffled = run(program, rows, [rng.sample(requests, len(requests))])
    assert numbers(one) == numbers(singles) == numbers(shuffled)


@pytest.mark.parametrize("seed", range(60))
def test_the_order_of_rules_does_not_matter(seed: int) -> None:
    rng = Random(seed)
    program, facts = program_of(seed * 2)
    lines = [line for text in program.texts.values() for line in text.split("\n")]
    other = Program.parse({"shuffled.dl": "\n".join(rng.sample(lines, len(lines)))})
    databases = [loaded(program, facts), loaded(other, facts)]
    for batch in batches(Random(seed), program, facts, 6):
        first, second = (commit(database, batch) for database in databases)
        assert first == second


def test_of_several_requests_for_a_fact_the_last_one_counts() -> None:
    program = Program.parse({"p.dl": ".decl p(x: symbol)\n.decl q(x: symbol)\nq(X) :- p(X)."})
    database = Database(program)
    with database.txn() as transaction:
        transaction.insert("p", ("a",))
        transaction.delete("p", ("a",))
        transaction.delete("p", ("b",))
        transaction.insert("p", ("b",))
    assert database.rows("q") == [("b",)]
    assert dict(transaction.delta.changes) == {"p": ((), (("b",),)), "q": ((), (("b",),))}


@pytest.mark.parametrize(("row", "present"), [(("a",), True), (("z",), False)])
def test_what_is_so_already_is_no_change(row: tuple[str], present: bool) -> None:
    program = Program.parse({"p.dl": ".decl p(x: symbol)\n.decl q(x: symbol)\nq(X) :- p(X)."})
    database = loaded(program, {"p": [("a",)]})
    before = numbers(database)
    assert not commit(database, [("p", row, present)])
    assert numbers(database) == before
