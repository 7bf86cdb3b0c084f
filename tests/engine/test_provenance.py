"""Why a tuple is there: least proofs, the same ones every time, of any height and over any number of derivations."""

import random
import time

import pytest

from liqo_connectivity.engine import Absent, Holds, Model, Program, Proof, Row, UnknownRelationError, evaluate
from tests.support.explaining import prove
from tests.support.proof_checker import check
from tests.support.random_programs import random_program

Facts = dict[str, list[Row]]
GRAPH = """
.decl e(x: symbol, y: symbol)
.decl p(x: symbol, y: symbol)
p(X, Y) :- e(X, Y).
"""
CLOSURES = {
    "left": "p(X, Z) :- p(X, Y), e(Y, Z).",
    "right": "p(X, Z) :- e(X, Y), p(Y, Z).",
    "non-linear": "p(X, Z) :- p(X, Y), p(Y, Z).",
}


def model_of(text: str, facts: Facts) -> Model:
    return evaluate(Program.parse({"p.dl": text}), facts)


def proof_of(model: Model, facts: Facts, relation: str, *row: str | int) -> Proof:
    proof = prove(model, relation, row)
    assert proof is not None
    check(proof, model, facts)
    return proof


def shown(proof: Proof) -> list[str]:
    return [str(node) for node in proof.walk()]


def test_a_fact_is_its_own_proof() -> None:
    facts: Facts = {"e": [("a", "b")], "p": [("a", "b")]}
    proof = proof_of(model_of(GRAPH, facts), facts, "p", "a", "b")
    assert (proof.rule, proof.premises, proof.height) == (None, (), 0)


def test_a_fact_in_the_text_is_proved_by_its_rule_at_height_zero() -> None:
    model = model_of('.decl s(x: symbol)\ns("a").', {})
    proof = proof_of(model, {}, "s", "a")
    assert proof.rule is not None
    assert (proof.premises, proof.height) == ((), 0)


def test_what_does_not_hold_has_no_proof() -> None:
    model = model_of(GRAPH, {"e": [("a", "b")]})
    assert prove(model, "p", ("b", "a")) is None
    with pytest.raises(UnknownRelationError):
        prove(model, "nope", ("a",))


def test_premises_stand_in_the_order_of_the_rule() -> None:
    text = """.decl e(x: symbol, y: symbol)
    .decl n(x: symbol, size: number)
    .decl hidden(x: symbol, y: symbol)
    .decl q(x: symbol, next: number)
    .functor address_family(address: symbol): number
    q(X, M) :- N < 5, !hidden(X, _), e(X, _), @address_family(Y) = N, M = N * 2 + 1, n(Y, N), X != Y."""
    facts: Facts = {"e": [("a", "z"), ("a", "b")], "n": [("10.0.0.1", 4), ("b", 0)]}
    proof = proof_of(model_of(text, facts), facts, "q", "a", 9)
    assert proof.height == 1
    assert shown(proof) == [
        'q("a", 9)',
        "4 < 5",
        'hidden("a", _)',
        'e("a", "b")',
        '@address_family("10.0.0.1") = 4',
        "9 = 4 * 2 + 1",
        'n("10.0.0.1", 4)',
        '"a" != "10.0.0.1"',
    ]
    assert [type(premise) for premise in proof.premises] == [Holds, Absent, Proof, Holds, Holds, Proof, Holds]


def test_a_rule_without_positive_atoms_has_height_one() -> None:
    model = model_of(".decl on()\n.decl off()\noff() :- !on(), 1 < 2.", {})
    assert proof_of(model, {}, "off").height == 1


def test_a_proof_is_least_over_all_strata_not_only_within_a_recursion() -> None:
    """Within the recursion of ``t`` both derivations are one step; over all strata one is 7 high and the other 2."""
    layers = "".join(f".decl l{i}(x: symbol)\nl{i}(X) :- l{i - 1}(X).\n" for i in range(1, 7))
    text = f""".decl l0(x: symbol)
    .decl direct(x: symbol)
    .decl e(x: symbol, y: symbol)
    .decl t(x: symbol)
    {layers}
    t(X) :- l6(X).
    t(X) :- e(X, Y), t(Y).
    t(X) :- direct(X)."""
    facts: Facts = {"l0": [("a",)], "e": [("a", "b")], "direct": [("b",)]}
    proof = proof_of(model_of(text, facts), facts, "t", "a")
    assert proof.height == 2
    assert shown(proof) == ['t("a")', 'e("a", "b")', 't("b")', 'direct("b")']
    del facts["direct"]
    assert proof_of(model_of(text, facts), facts, "t", "a").height == 7


@pytest.mark.parametrize("closure", CLOSURES)
@pytest.mark.parametrize("size", [1, 2, 3, 4, 8])
def test_cycles_and_self_loops_have_least_proofs(size: int, closure: str) -> None:
    nodes = [str(number) for number in range(size)]
    facts: Facts = {"e": [*zip(nodes, nodes[1:] + nodes[:1], strict=True), ("0", "0"), ("in", "0")]}
    model = model_of(GRAPH + CLOSURES[closure], facts)
    for source, target in model.rows("p"):
        steps = 1
        reached = {y for x, y in facts["e"] if x == source}
        while target not in reached:
            reached |= {y for x, y in facts["e"] if x in reached}
            steps += 1
        # A linear rule adds an edge a step, the non-linear one doubles the path.
        least = steps if closure != "non-linear" else 1 + (steps - 1).bit_length()
        assert proof_of(model, facts, "p", source, target).height == least


def test_mutual_recursion_through_a_cycle_is_proved_from_its_entry() -> None:
    text = """.decl s(x: symbol)
    .decl a(x: symbol)
    .decl b(x: symbol)
    a(X) :- b(X).
    b(X) :- a(X).
    b(X) :- s(X)."""
    facts: Facts = {"s": [("k",)]}
    assert shown(proof_of(model_of(text, facts), facts, "a", "k")) == ['a("k")', 'b("k")', 's("k")']


def test_of_equal_height_the_lower_rule_then_the_smaller_premises_win() -> None:
    text = """.decl e(x: symbol, y: symbol)
    .decl f(x: symbol, y: symbol)
    .decl q(x: symbol)
    q(X) :- e(X, _).
    q(X) :- f(X, _)."""
    facts: Facts = {"f": [("a", "a")], "e": [("a", "z"), ("a", "m"), ("a", "n")]}
    assert shown(proof_of(model_of(text, facts), facts, "q", "a")) == ['q("a")', 'e("a", "m")']


def test_each_head_of_a_clause_is_proved_by_a_rule_of_its_own() -> None:
    text = """.decl e(x: symbol, y: symbol)
    .decl q(x: symbol)
    .decl r(x: symbol, y: symbol)
    q(X), r(Y, X) :- e(X, Y), (X = "a"; Y = "c")."""
    facts: Facts = {"e": [("a", "b"), ("b", "c")]}
    model = model_of(text, facts)
    assert shown(proof_of(model, facts, "q", "b")) == ['q("b")', 'e("b", "c")', '"c" = "c"']
    rule = proof_of(model, facts, "r", "b", "a").rule
    assert rule is not None
    assert (rule.head.relation, rule.number) == ("r", 2)


def test_heads_that_compute_are_found_backwards() -> None:
    text = """.decl n(x: number, y: number)
    .decl m(x: number, y: number)
    m(X * X, X + Y) :- n(X, Y).
    m(X, X) :- n(X, X)."""
    facts: Facts = {"n": [(2, 3), (-2, 7), (4, 1), (5, 5)]}
    model = model_of(text, facts)
    assert shown(proof_of(model, facts, "m", 4, 5))[1] in ("n(-2, 7)", "n(2, 3)")
    assert shown(proof_of(model, facts, "m", 16, 5))[1] == "n(4, 1)"
    assert shown(proof_of(model, facts, "m", 5, 5))[1] == "n(5, 5)"


def test_a_proof_never_computes_what_evaluation_did_not() -> None:
    """With ``W`` bound by the head, ``d`` would be joined first, and 1 / 0 computed for a row that ``s`` rules out."""
    text = """.decl s(x: symbol)
    .decl d(x: symbol, y: number, w: symbol)
    .decl q(w: symbol)
    q(W) :- s(X), d(X, Y, W), 1 / Y >= 0."""
    facts: Facts = {"s": [("in",)], "d": [("in", 1, "w"), ("out", 0, "w")]}
    assert proof_of(model_of(text, facts), facts, "q", "w").height == 1


def test_a_chain_of_five_thousand_steps() -> None:
    text = """.decl e(x: symbol, y: symbol)
    .decl q(x: symbol)
    q("0").
    q(Y) :- q(X), e(X, Y)."""
    facts: Facts = {"e": [(str(i), str(i + 1)) for i in range(5000)]}
    model = model_of(text, facts)
    start = time.process_time()
    proof, again = (prove(model, "q", ("5000",)) for _ in range(2))
    assert time.process_time() - start < 5
    assert proof is not None
    assert proof.height == 5000
    assert proof == again
    assert hash(proof) == hash(again)
    assert proof != prove(model, "q", ("4999",))
    assert repr(proof) == '<Proof of q("5000"), height 5000>'
    assert sum(1 for _ in proof.walk()) == 10_001


def test_a_proof_through_fifteen_hundred_relations() -> None:
    layers = "".join(f".decl l{i}(x: symbol)\nl{i}(X) :- l{i - 1}(X).\n" for i in range(1, 1501))
    facts: Facts = {"l0": [("a",)]}
    proof = prove(model_of(".decl l0(x: symbol)\n" + layers, facts), "l1500", ("a",))
    assert proof is not None
    assert proof.height == 1500


def test_a_tuple_with_twenty_thousand_derivations() -> None:
    text = """.decl e(x: symbol, y: symbol)
    .decl q(x: symbol)
    q(X) :- e(X, Y), e(Y, X)."""
    facts: Facts = {"e": [row for i in range(20_000) for row in (("hub", str(i)), (str(i), "hub"))]}
    model = model_of(text, facts)
    start = time.process_time()
    proof = prove(model, "q", ("hub",))
    assert time.process_time() - start < 5
    assert proof is not None
    assert shown(proof) == ['q("hub")', 'e("hub", "0")', 'e("0", "hub")']


def test_shared_premises_are_proved_once() -> None:
    """Written out as a tree this proof has 2**40 leaves."""
    layers = "".join(f".decl l{i}()\nl{i}() :- l{i - 1}(), l{i - 1}().\n" for i in range(1, 41))
    facts: Facts = {"l0": [()]}
    proof = proof_of(model_of(".decl l0()\n" + layers, facts), facts, "l40")
    assert (proof.height, len(list(proof.walk()))) == (40, 41)


@pytest.mark.parametrize("first", range(0, 200, 20))
def test_every_tuple_of_a_random_program_is_proved_whatever_the_order_of_facts(first: int) -> None:
    for seed in range(first, first + 20):
        text, facts = random_program(seed, texts=True)
        program = Program.parse({"r.dl": text})
        model = evaluate(program, facts)
        rng = random.Random(seed)
        names = rng.sample(list(facts), len(facts))
        other = evaluate(program, {name: rng.sample(facts[name], len(facts[name])) for name in names})
        for relation in program.schema.relations:
            assert model.rows(relation) == other.rows(relation)
            for row in model.rows(relation):
                assert proof_of(model, facts, relation, *row) == prove(other, relation, row)
