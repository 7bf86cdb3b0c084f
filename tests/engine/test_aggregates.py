"""What ``count``, ``min`` and ``max`` mean, what proves them, and that three evaluators agree on it."""

import pytest

from liqo_connectivity.engine import Aggregated, EvaluationError, Model, OracleError, Program, Row, evaluate
from liqo_connectivity.engine.pydatalog.second_opinion import evaluate_relations, first_difference
from liqo_connectivity.engine.syntax.nodes import aggregate_of
from liqo_connectivity.engine.syntax.parser import parse_goal
from tests.support.brute_force import check_least_proofs, same_rows
from tests.support.explaining import prove
from tests.support.proof_checker import check
from tests.support.random_programs import random_program
from tests.support.seeds import groups
from tests.support.small_programs import declarations, small_facts, small_rules_with_aggregates

Facts = dict[str, list[Row]]
DECLARED = """.type Size <: number
.decl pod(pod: symbol, space: symbol, size: Size)
.decl space(space: symbol)
.decl n(number: number)
"""
FACTS: Facts = {
    "space": [("shop",), ("infra",), ("empty",)],
    "pod": [("web", "shop", 3), ("db", "shop", 7), ("cache", "shop", 3), ("dns", "infra", 1)],
    "n": [(0,), (1,), (3,)],
}
FIRST = """.decl rule(owner: symbol, number: number, action: symbol)
.decl matches(owner: symbol, number: number, flow: symbol)
.decl decided(owner: symbol, flow: symbol, action: symbol)
decided(O, F, A) :- matches(O, _, F), rule(O, R, A), R = min M : { matches(O, M, F) }.
"""


def rows(columns: str, rule: str, facts: Facts = FACTS) -> list[Row]:
    """Give what a rule for ``q`` derives by every evaluator, and check all of its proofs."""
    program = Program.parse({"a.dl": f"{DECLARED}.decl q({columns})\n{rule}"})
    model = evaluate(program, facts)
    assert first_difference(model, evaluate_relations(program, facts, ["q"])) is None
    for row in model.rows("q"):
        proof = prove(model, "q", row)
        assert proof is not None
        check(proof, model, facts)
    return model.rows("q")


def test_a_group_is_counted_or_has_its_least_and_greatest() -> None:
    assert rows("s: symbol, n: number", "q(S, N) :- space(S), N = count : { pod(_, S, _) }.") == [
        ("empty", 0),
        ("infra", 1),
        ("shop", 3),
    ]
    # Nothing has no least, so that the rule does not hold.
    assert rows("s: symbol, n: number", "q(S, N) :- space(S), N = min X : { pod(_, S, X) }.") == [
        ("infra", 1),
        ("shop", 3),
    ]
    assert rows("s: symbol, n: number", "q(S, N) :- space(S), max X : { pod(_, S, X) } = N.") == [
        ("infra", 1),
        ("shop", 7),
    ]


@pytest.mark.parametrize(
    ("comparison", "spaces"),
    [
        ("1 < count : { pod(_, S, _) }", ["shop"]),
        ("count : { pod(_, S, _) } <= 1", ["empty", "infra"]),
        ("3 != min X : { pod(_, S, X) }", ["infra"]),
        ("min X : { pod(_, S, X) } = 2 + 1", ["shop"]),
        ("count : { pod(_, S, X), X > 3 } = 1", ["shop"]),
        ("0 = count : { pod(P, S, _), !n(0), pod(P, _, _) }", ["empty", "infra", "shop"]),
    ],
)
def test_an_aggregate_is_compared_with_any_operator(comparison: str, spaces: list[str]) -> None:
    assert rows("s: symbol", f"q(S) :- space(S), {comparison}.") == [(space,) for space in spaces]


def test_what_is_counted_are_choices_of_rows() -> None:
    assert rows("n: number", "q(N) :- N = count : { pod(_, _, X) }.") == [(4,)]
    assert rows("n: number", "q(N) :- N = count : { pod(_, S, _), pod(_, S, _) }.") == [(10,)]
    assert rows("n: number", "q(N) :- N = count : { pod(P, _, _), pod(P, _, _) }.") == [(4,)]
    assert rows("n: number", "q(N) :- N = count : { space(_) }, n(N).") == [(3,)]


def test_variables_from_outside_may_only_be_tested_inside() -> None:
    assert rows("n: number, c: number", "q(N, C) :- n(N), C = count : { pod(_, _, X), X > N }.") == [
        (0, 4),
        (1, 3),
        (3, 1),
    ]
    assert rows("n: number, c: number", "q(N, C) :- n(N), C = max Y : { pod(_, _, X), Y = X * N, !n(X) }.") == [
        (0, 0),
        (1, 7),
        (3, 21),
    ]


def test_aggregates_of_one_rule_share_names_but_no_values() -> None:
    rule = "q(S, M - L) :- space(S), L = min X : { pod(_, S, X) }, M = max X : { pod(_, S, X) }."
    assert rows("s: symbol, d: number", rule) == [("infra", 0), ("shop", 4)]


def test_an_aggregate_may_need_the_value_of_another() -> None:
    rule = "q(S, N) :- N = count : { pod(_, S, X), X = L }, L = min X : { pod(_, S, X) }, space(S), pod(_, _, L)."
    assert rows("s: symbol, n: number", rule) == [("infra", 1), ("shop", 2)]


def test_an_aggregate_in_a_recursive_rule_is_over_what_is_complete() -> None:
    rule = "q(0).\nq(N + 1) :- q(N), N < count : { pod(_, _, _) }."
    assert rows("n: number", rule) == [(0,), (1,), (2,), (3,), (4,)]


def test_an_aggregate_stands_above_what_it_is_over() -> None:
    program = Program.parse(
        {
            "a.dl": DECLARED + ".decl q(s: symbol)\nq(S) :- space(S), 1 = count : { pod(_, S, _) }."
            "\n.decl r(n: number)\nr(N) :- N = count : { q(_) }."
        }
    )
    assert [(c.relations, c.stratum) for c in program.components] == [(("q",), 1), (("r",), 2)]


def test_a_goal_may_ask_for_an_aggregate() -> None:
    program = Program.parse({"a.dl": DECLARED})
    text = "space(S), N = count : { pod(P, S, _) }"
    asked, columns = program.with_goal(parse_goal(text), "goal", text)
    assert columns == ("S", "N")
    assert evaluate(asked, FACTS).rows("goal") == [("empty", 0), ("infra", 1), ("shop", 3)]


def test_arithmetic_inside_an_aggregate_fails_like_elsewhere() -> None:
    program = Program.parse(
        {"a.dl": DECLARED + ".decl q(n: number)\nq(N) :- N = count : { pod(_, _, X), 6 / (X - 3) > 0 }."}
    )
    with pytest.raises(EvaluationError):
        evaluate(program, FACTS)


def first_match(facts: Facts) -> tuple[Model, Aggregated]:
    model = evaluate(Program.parse({"first.dl": FIRST}), facts)
    ((owner, flow, action),) = model.rows("decided")
    proof = prove(model, "decided", (owner, flow, action))
    assert proof is not None
    check(proof, model, facts)
    (found,) = [node for node in proof.walk() if isinstance(node, Aggregated)]
    return model, found


def test_the_first_match_is_proved_by_its_witness_and_by_what_was_passed_over() -> None:
    facts: Facts = {
        "rule": [("o", 3, "allow"), ("o", 2, "deny"), ("o", 0, "allow"), ("o", 1, "deny"), ("other", -1, "deny")],
        "matches": [("o", 2, "f"), ("o", 3, "f")],
    }
    _, found = first_match(facts)
    assert str(found) == '2 = min M : { matches("o", M, "f") }'
    assert (found.value, found.passed_over) == (2, (0, 1))
    assert [[str(premise) for premise in witness] for witness in found.witnesses] == [['matches("o", 2, "f")']]
    assert list(map(str, found.missing())) == ['matches("o", 0, "f")', 'matches("o", 1, "f")']


def test_the_very_first_passes_nothing_over() -> None:
    _, found = first_match({"rule": [("o", 0, "allow"), ("o", 1, "deny")], "matches": [("o", 0, "f"), ("o", 1, "f")]})
    assert (found.passed_over, found.missing()) == ((), ())


def test_of_what_is_counted_the_smallest_three_are_shown() -> None:
    text = DECLARED + ".decl q(n: number)\nq(N) :- N = count : { pod(P, _, X), X < 9 }."
    proof = prove(evaluate(Program.parse({"a.dl": text}), FACTS), "q", (4,))
    assert proof is not None
    (found,) = proof.premises
    assert isinstance(found, Aggregated)
    assert (found.value, proof.height) == (4, 1)
    assert [str(premise) for witness in found.witnesses for premise in witness] == [
        'pod("cache", "shop", 3)',
        "3 < 9",
        'pod("db", "shop", 7)',
        "7 < 9",
        'pod("dns", "infra", 1)',
        "1 < 9",
    ]


def test_of_several_witnesses_the_one_with_the_lowest_proof_is_taken() -> None:
    text = """.decl given(x: symbol, n: number)
    .decl step(x: symbol, n: number)
    .decl both(x: symbol, n: number)
    .decl q(n: number)
    step(X, N) :- given(X, N).
    both("a", 1) :- step(_, _).
    both(X, N) :- given(X, N).
    q(N) :- N = min M : { both(_, M) }."""
    facts: Facts = {"given": [("z", 1), ("b", 2)]}
    model = evaluate(Program.parse({"a.dl": text}), facts)
    proof = prove(model, "q", (1,))
    assert proof is not None
    assert proof.height == 2
    assert [str(node) for node in proof.walk()][2] == 'both("z", 1)'


def test_nothing_counted_is_no_premise() -> None:
    text = DECLARED + ".decl q()\nq() :- 0 = count : { pod(_, _, 9) }."
    proof = prove(evaluate(Program.parse({"a.dl": text}), FACTS), "q", ())
    assert proof is not None
    assert (proof.height, [str(node) for node in proof.walk()]) == (1, ["q()", "0 = count : { pod(_, _, 9) }"])


def test_proofs_with_aggregates_are_compared_by_what_they_say() -> None:
    facts: Facts = {"rule": [("o", 1, "allow"), ("o", 0, "x")], "matches": [("o", 1, "f")]}
    text = {"first.dl": FIRST}
    proofs = [prove(evaluate(Program.parse(text), facts), "decided", ("o", "f", "allow")) for _ in range(2)]
    assert proofs[0] == proofs[1]
    facts["rule"].pop()
    assert proofs[0] != prove(evaluate(Program.parse(text), facts), "decided", ("o", "f", "allow"))


def small_program(seed: int) -> Program:
    return Program.parse({"small.dl": declarations() + "\n".join(small_rules_with_aggregates(seed))})


def same_as_brute_force(seed: int) -> int:
    program = small_program(seed)
    model = same_rows(program, small_facts(seed))
    heads = {rule.head.relation for rule in program.rules if any(map(aggregate_of, rule.body))}
    return sum(len(model.rows(name)) for name in heads)


@pytest.mark.parametrize("first", range(0, 300, 25))
def test_a_random_program_means_what_brute_force_finds(first: int) -> None:
    derived = [same_as_brute_force(seed) for seed in range(first, first + 25)]
    assert sum(count > 0 for count in derived) > 5, "programs that derive nothing test nothing"


@pytest.mark.slow
@pytest.mark.parametrize("first", groups(300, 3000, 100))
def test_many_random_programs_mean_what_brute_force_finds(first: int) -> None:
    for seed in range(first, first + 100):
        same_as_brute_force(seed)


@pytest.mark.parametrize("seed", range(60))
def test_every_tuple_of_a_random_program_has_a_least_proof(seed: int) -> None:
    check_least_proofs(small_program(seed), small_facts(seed))


def same_as_pydatalog(text: str, facts: Facts) -> bool:
    """Tell whether pyDatalog could evaluate the program; if it could, it must agree."""
    program = Program.parse({"random.dl": text})
    try:
        theirs = evaluate_relations(program, facts, list(program.rules_by_head))
    except OracleError as error:
        if "lists the values of" not in str(error):
            raise
        return False
    assert first_difference(evaluate(program, facts), theirs) is None, text
    return True


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_random_programs_mean_the_same_to_pydatalog(first: int) -> None:
    agreed = [same_as_pydatalog(*random_program(seed, aggregates=True)) for seed in range(first, first + 20)]
    assert sum(agreed) > 12


@pytest.mark.slow
@pytest.mark.parametrize("first", groups(60, 1060, 50))
def test_many_random_programs_mean_the_same_to_pydatalog(first: int) -> None:
    for seed in range(first, first + 50):
        same_as_pydatalog(*random_program(seed, aggregates=True))


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_every_tuple_of_a_larger_random_program_is_proved(first: int) -> None:
    for seed in range(first, first + 20):
        text, facts = random_program(seed, aggregates=True)
        model = evaluate(Program.parse({"random.dl": text}), facts)
        for relation in model.program.rules_by_head:
            for row in model.rows(relation):
                proof = prove(model, relation, row)
                assert proof is not None
                check(proof, model, facts)
