"""A budget bounds the time and the memory of a proof: rules with more instances than can be listed have proofs too."""

from functools import cache
from random import Random

import pytest

from liqo_connectivity.engine import Aggregated, Model, Program, Proof, Row, evaluate
from tests.support.explaining import proofs, prove
from tests.support.proof_checker import check

TEXT = """.decl e(x: number)
.decl f(x: number, y: number)
.decl far(x: number)
.decl q()
.decl r(x: number)
.decl s(n: number)
.decl t(n: number)
.decl u(n: number)
far(X) :- e(X), X > 5.
q() :- e(_), e(_), e(_), e(_), e(_).
q() :- far(_), far(_), far(_).
r(0).
r(Y) :- r(X), e(_), f(X, Y), e(_), r(_), e(_).
s(N) :- N = count : { e(_), f(_, 3) }.
t(N) :- N = min X : { f(X, _), e(_), f(_, _) }, q().
u(N) :- N = max X : { f(X, Y), e(Y) }, e(_), e(_), e(_).
"""
SIZE = 200
"""Rows of each relation: the fifth power of it are more instances than anything can list."""


def facts(seed: int = 0) -> dict[str, list[Row]]:
    near: list[Row] = [(n, n + 1) for n in range(12)]
    found: dict[str, list[Row]] = {"e": [(n,) for n in range(SIZE)], "f": [*near, *((3, n) for n in range(20, SIZE))]}
    return {name: Random(seed).sample(rows, len(rows)) for name, rows in found.items()} if seed else found


@cache
def model(seed: int = 0) -> Model:
    return evaluate(Program.parse({"p.dl": TEXT}), facts(seed))


def proved(found: Model, relation: str, row: Row, budget: int | None) -> Proof:
    proof = prove(found, relation, row, budget)
    assert proof is not None
    return proof


@pytest.mark.parametrize("budget", [0, 1000])
@pytest.mark.parametrize(("relation", "row"), [("q", ()), ("r", (12,)), ("s", (200,)), ("t", (0,)), ("u", (11,))])
def test_a_proof_of_a_product_is_found_within_its_budget(relation: str, row: Row, budget: int) -> None:
    one, other = model(), model(seed=7)
    if relation == "u":
        (row,) = one.rows("u")
    found = proved(one, relation, row, budget)
    if relation in "qr":
        # Brute force cannot compute the aggregates again.
        check(found, one, facts())
    assert found == proved(other, relation, row, budget)
    assert [str(node) for node in found.walk()] == [str(node) for node in proved(other, relation, row, budget).walk()]


def test_the_other_proofs_of_a_product_stay_within_the_budget() -> None:
    some = proofs(model(), "q", (), 3, 1000)
    assert not some.complete
    assert some == proofs(model(seed=3), "q", (), 3, 1000)
    for proof in some.found:
        check(proof, model(), facts())


def test_a_first_instance_does_not_rest_on_what_comes_after_it() -> None:
    found = proved(model(), "r", (12,), 0)
    assert not found.minimal
    assert found.height == 12


def test_a_large_count_is_not_listed() -> None:
    found = proved(model(), "s", (SIZE,), 10)
    assert found.minimal
    (counted,) = found.premises
    assert isinstance(counted, Aggregated)
    assert counted.value == SIZE
    assert [[str(premise) for premise in witness] for witness in counted.witnesses] == [
        [f"e({n})", "f(2, 3)"] for n in range(3)
    ]


def test_rows_that_lead_nowhere_count_too() -> None:
    text = ".decl e(x: number)\n.decl q()\nq() :- e(X), e(Y), e(Z), X * 1000000 + Y * 1000 + Z = 59059059."
    rows: dict[str, list[Row]] = {"e": [(n,) for n in range(60)]}
    found = proved(evaluate(Program.parse({"p.dl": text}), rows), "q", (), 10)
    assert not found.minimal
    assert [str(node) for node in found.walk()][1:] == ["e(59)", "59 * 1000000 + 59 * 1000 + 59 = 59059059"]
