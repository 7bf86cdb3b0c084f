"""Proofs under a budget: always valid, always the same, and never called least when a lower one exists."""

from random import Random

import pytest

from liqo_connectivity.engine import Database, Model, Program, Proof, Row, evaluate
from tests.support.churn import Facts, batches, commit, loaded, netted, program_of
from tests.support.explaining import proofs, prove
from tests.support.proof_checker import check

BUDGETS = (0, 1, 2, 3, 5, 9, 30)


def proved(model: Model, relation: str, row: Row, budget: int | None) -> Proof:
    proof = prove(model, relation, row, budget)
    assert proof is not None
    return proof


def shuffled(seed: int, facts: Facts) -> Facts:
    rng = Random(seed)
    return {name: rng.sample(facts[name], len(facts[name])) for name in rng.sample(list(facts), len(facts))}


@pytest.mark.parametrize("seed", range(40))
def test_a_proof_under_any_budget_is_valid_and_its_flag_honest(seed: int) -> None:
    program, facts = program_of(seed)
    database = loaded(program, facts)
    for batch in batches(Random(seed), program, facts, 3):
        commit(database, batch)
        facts = netted(facts, batch)
    model, other = evaluate(program, facts), loaded(program, shuffled(seed, facts))
    for relation in program.schema.relations:
        for row in model.rows(relation)[:6]:
            least = proved(model, relation, row, None)
            assert least.minimal
            for budget in BUDGETS:
                found = proved(model, relation, row, budget)
                check(found, model, facts)
                assert found == proved(database, relation, row, budget) == proved(other, relation, row, budget)
                for node in found.walk():
                    if isinstance(node, Proof) and node.minimal:
                        assert node == proved(model, node.relation, node.row, None)
                assert found.minimal or found.height >= least.height


def test_a_search_that_ends_within_its_budget_is_not_flagged() -> None:
    program = Program.parse({"p.dl": ".decl e(x: symbol)\n.decl q()\nq() :- e(_).\nq() :- e(X), e(Y), X != Y."})
    model = evaluate(program, {"e": [("a",), ("b",)]})
    assert proved(model, "q", (), 2).minimal
    assert not proved(model, "q", (), 1).minimal
    assert proved(model, "e", ("a",), 0).minimal


def trap(size: int) -> tuple[Program, Facts]:
    """Recursion over relations of different heights, so that what is near is not what is low."""
    text = """.decl b(x: symbol, y: symbol)
    .decl d(x: symbol, y: symbol)
    .decl m(x: symbol, y: symbol)
    .decl e(x: symbol, y: symbol)
    .decl p(x: symbol, y: symbol)
    m(X, Y) :- b(X, Y).
    e(X, Y) :- m(X, Y).
    e(X, Y) :- d(X, Y).
    p(X, Y) :- e(X, Y).
    p(X, Z) :- p(X, Y), p(Y, Z)."""
    rng = Random(size)
    nodes = [str(number) for number in range(size)]
    edges: Facts = {name: [(x, y) for x in nodes for y in rng.sample(nodes, 2)] for name in "bd"}
    return Program.parse({"trap.dl": text}), edges


def test_a_budget_stops_a_search_in_a_dense_recursion() -> None:
    program, facts = trap(25)
    database = loaded(program, facts)
    stopped = 0
    for row in database.rows("p")[:40]:
        found, least = proved(database, "p", row, 100), proved(database, "p", row, None)
        assert least.minimal
        assert found.height >= least.height
        assert found.height == least.height or not found.minimal
        stopped += not found.minimal
    assert stopped


def test_far_fewer_instances_are_looked_at_than_there_are() -> None:
    """The whole closure of a ring of 60 nodes has 3600 tuples with 60 derivations each."""
    text = """.decl e(x: symbol, y: symbol)
    .decl p(x: symbol, y: symbol)
    p(X, Y) :- e(X, Y).
    p(X, Z) :- p(X, Y), p(Y, Z)."""
    edges: Facts = {"e": [(str(number), str((number + 1) % 60)) for number in range(60)]}
    database = loaded(Program.parse({"ring.dl": text}), edges)
    found = proved(database, "p", ("0", "59"), 8000)
    assert found.minimal
    assert found.height == 7


def test_of_more_derivations_than_the_budget_the_same_one_is_taken_whatever_the_order() -> None:
    text = ".decl e(x: symbol, y: symbol)\n.decl q(x: symbol)\nq(X) :- e(X, Y), e(Y, X)."
    rows: list[Row] = [row for i in range(300) for row in (("hub", str(i)), (str(i), "hub"))]
    program = Program.parse({"hub.dl": text})
    one, other = loaded(program, {"e": rows}), loaded(program, {"e": rows[::-1]})
    found = proved(one, "q", ("hub",), 10)
    assert not found.minimal
    assert [str(node) for node in found.walk()] == ['q("hub")', 'e("hub", "0")', 'e("0", "hub")']
    assert found == proved(other, "q", ("hub",), 10)


@pytest.mark.parametrize("seed", range(0, 40, 3))
def test_all_proofs_under_any_budget_are_valid_and_different(seed: int) -> None:
    program, facts = program_of(seed)
    model, database = evaluate(program, facts), loaded(program, shuffled(seed, facts))
    for relation in program.rules_by_head:
        for row in model.rows(relation)[:2]:
            everything = proofs(model, relation, row, 6, None)
            assert all(proof.minimal for proof in everything.found)
            for budget in BUDGETS:
                some = proofs(model, relation, row, 6, budget)
                found = some.found
                assert found[0] == proved(model, relation, row, budget)
                assert some == proofs(database, relation, row, 6, budget)
                assert everything.complete or not some.complete
                for number, proof in enumerate(found):
                    check(proof, model, facts)
                    assert all(proof != earlier for earlier in found[:number])
                if some.complete or (len(found) > 1 and found[-1].minimal):
                    assert some == everything


@pytest.mark.slow
def test_proofs_of_ten_thousand_steps() -> None:
    text = """.decl e(x: symbol, y: symbol)
    .decl q(x: symbol)
    q("0").
    q(Y) :- q(X), e(X, Y)."""
    facts: Facts = {"e": [(str(i), str(i + 1)) for i in range(10_000)]}
    database = Database(Program.parse({"chain.dl": text}))
    database.load(facts)
    proof = proved(database, "q", ("10000",), None)
    assert proof.height == 10_000
    greedy = proved(database, "q", ("10000",), 5)
    assert (greedy.height, greedy.minimal) == (10_000, False)
    assert greedy != proof
    some = proofs(database, "q", ("10000",), 3)
    (only,) = some.found
    assert some.complete
    assert only == proof
    cut = proofs(database, "q", ("10000",), 3, 5)
    assert (cut.found[0], cut.complete) == (greedy, False)
    assert hash(only) == hash(proof)
