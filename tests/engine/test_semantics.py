"""What a program means, construct by construct, on facts small enough to check by eye."""

import random

import pytest

from liqo_connectivity.engine import EvaluationError, FactError, Program, Row, UnknownRelationError, evaluate
from liqo_connectivity.engine.syntax.printer import format_value

EDGES: list[Row] = [("a", "b"), ("b", "c"), ("c", "a"), ("c", "c"), ("d", "b")]
NUMBERS: list[Row] = [(-7,), (-2,), (0,), (2,), (7,)]
DECLARATIONS = """
.decl e(x: symbol, y: symbol)
.decl n(x: number)
.decl none(x: symbol)
.decl on()
.decl s(x: symbol)
.decl p(x: symbol, y: symbol)
.decl q(x: symbol)
.decl m(x: number)
.decl mm(x: number, y: number)
.decl z()
"""


def rows(rules: str, relation: str, **more: list[Row]) -> list[Row]:
    program = Program.parse({"p.dl": DECLARATIONS + rules})
    return evaluate(program, {"e": EDGES, "n": NUMBERS, **more}).rows(relation)


def ones(rules: str, relation: str, **more: list[Row]) -> list[object]:
    return [row[0] for row in rows(rules, relation, **more)]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("p(X, Z) :- e(X, Y), e(Y, Z).", ["ac", "ba", "bc", "ca", "cb", "cc", "dc"]),
        ("p(X, Y) :- e(X, Y), e(Y, X).", ["cc"]),
        ("p(X, X) :- e(X, X).", ["cc"]),
        ("p(X, Y) :- e(X, Y), X = Y.", ["cc"]),
        ('p(X, Y) :- e(X, Y), Y = "b".', ["ab", "db"]),
        ('p(X, "b") :- e(X, "b").', ["ab", "db"]),
        ("p(X, X) :- e(X, _).", ["aa", "bb", "cc", "dd"]),
        ("p(X, Y) :- e(X, _), e(_, Y), X > Y.", ["ba", "ca", "cb", "da", "db", "dc"]),
        ("p(X, Y) :- e(X, Y), !e(Y, _).", []),
        ("p(X, Y) :- e(X, Y), !e(_, X).", ["db"]),
        ("p(X, Y) :- e(X, Y), !e(Y, X).", ["ab", "bc", "ca", "db"]),
        ("p(X, Y) :- e(X, Y), !e(X, X), !e(Y, Y).", ["ab", "db"]),
        ("p(X, Y) :- e(X, Y), !e(_, _).", []),
        ("p(X, Y) :- e(X, Y), !none(_).", ["ab", "bc", "ca", "cc", "db"]),
        ("p(X, Y) :- e(X, Y), !none(X).", ["ab", "bc", "ca", "cc", "db"]),
        ("p(X, Y) :- e(X, Y), none(X).", []),
        ("p(X, Y) :- e(X, Y), e(X, Y), e(X, Y).", ["ab", "bc", "ca", "cc", "db"]),
        ("p(X, Y) :- !e(Y, X), X != Y, e(X, Y).", ["ab", "bc", "ca", "db"]),
        ('p(X, Y) :- e(X, Y), (X = "a"; X = "d").', ["ab", "db"]),
        ("p(X, Y) :- e(X, Y), X < Y; e(Y, X), X < Y.", ["ab", "ac", "bc", "bd"]),
        ("p(X, Y) :- e(X, Y), X <= Y, X >= Y.", ["cc"]),
    ],
)
def test_a_rule_over_edges(rule: str, expected: list[str]) -> None:
    assert ["".join(map(str, row)) for row in rows(rule, "p")] == expected


@pytest.mark.parametrize(
    "rules",
    [
        "p(X, Y) :- e(X, Y). p(X, Z) :- p(X, Y), e(Y, Z).",
        "p(X, Y) :- e(X, Y). p(X, Z) :- e(X, Y), p(Y, Z).",
        "p(X, Y) :- e(X, Y). p(X, Z) :- p(X, Y), p(Y, Z).",
        "p(X, Z) :- p(X, Y), p(Y, Z). p(X, Y) :- e(X, Y).",
        "p(X, Y) :- e(X, Y); p(X, Z), e(Z, Y).",
        ".decl o(x: symbol, y: symbol) p(X, Y) :- e(X, Y); o(X, Z), e(Z, Y). o(X, Z) :- p(X, Y), e(Y, Z); p(X, Z).",
        "p(X, Y) :- e(X, Y). p(X, Z) :- e(X, Y), p(Y, W), p(W, Z). p(X, Z) :- e(X, Y), e(Y, Z).",
    ],
    ids=["left", "right", "non-linear", "non-linear first", "one clause", "mutual", "three in a body"],
)
@pytest.mark.parametrize("seed", range(5))
def test_transitive_closure_however_it_is_written(rules: str, seed: int) -> None:
    rng = random.Random(seed)
    edges = {(rng.choice("abcdefgh"), rng.choice("abcdefgh")) for _ in range(8)}
    closure = set(edges)
    while more := {(x, w) for x, y in closure for z, w in closure if y == z} - closure:
        closure |= more
    program = Program.parse({"p.dl": DECLARATIONS + rules})
    assert set(evaluate(program, {"e": edges}).rows("p")) == closure


def test_an_old_tuple_meets_a_new_one_on_either_side() -> None:
    rules = """.decl t(x: symbol) .decl both(x: symbol, y: symbol, z: symbol)
    t("a"). t(Y) :- t(X), e(X, Y). t(Z) :- t(X), t(Y), both(X, Y, Z).
    both("a", "c", "left"). both("c", "a", "right"). both("left", "right", "last")."""
    assert ones(rules, "t", e=[("a", "b"), ("b", "c")]) == ["a", "b", "c", "last", "left", "right"]


def test_mutual_recursion_over_three_relations() -> None:
    rules = """.decl zero(x: number) .decl one(x: number) .decl two(x: number)
    zero(0). one(X + 1) :- zero(X), X < 9. two(X + 1) :- one(X), X < 9. zero(X + 1) :- two(X), X < 9."""
    assert ones(rules, "zero") == [0, 3, 6, 9]
    assert ones(rules, "two") == [2, 5, 8]


def test_facts_given_for_a_derived_relation_take_part() -> None:
    rules = "p(X, Y) :- e(X, Y). p(X, Z) :- p(X, Y), p(Y, Z). q(X) :- p(X, _)."
    assert rows(rules, "q", e=[("x", "y")], p=[("y", "z")], q=[("w",)]) == [("w",), ("x",), ("y",)]
    assert rows(rules, "p", e=[], p=[("x", "y"), ("y", "z")]) == [("x", "y"), ("x", "z"), ("y", "z")]


def test_facts_in_the_text_are_rules_without_a_body() -> None:
    assert rows('s("t"). s("t"). q(X) :- s(X).', "q", s=[("u",)]) == [("t",), ("u",)]


def test_several_heads_get_the_same_bindings() -> None:
    rules = 'q(X), p(Y, X), z() :- e(X, Y), Y = "a".'
    assert (rows(rules, "q"), rows(rules, "p"), rows(rules, "z")) == ([("c",)], [("a", "c")], [()])


def test_a_relation_without_columns_holds_or_does_not() -> None:
    assert rows("z() :- on().", "z", on=[()]) == [()]
    assert rows("z() :- on().", "z") == []
    assert rows("z() :- !on().", "z") == [()]
    assert rows("q(X) :- e(X, _), on(), !none(_).", "q", on=[()]) == [("a",), ("b",), ("c",), ("d",)]


def test_an_equation_binds_whichever_side_is_not_bound() -> None:
    assert ones("m(Y) :- n(X), Y = X + 1.", "m") == [-6, -1, 1, 3, 8]
    assert ones("m(Y) :- n(X), X + 1 = Y.", "m") == [-6, -1, 1, 3, 8]
    assert ones("m(Z) :- Z = Y, Y = X, n(X).", "m") == [-7, -2, 0, 2, 7]
    assert ones('q(X) :- "k" = X.', "q") == ["k"]
    assert ones("m(X) :- X = 2 * 3 + 1.", "m") == [7]
    assert ones("m(X) :- n(X), X = -X1, X1 = 2.".replace("-X1", "0 - X1"), "m") == [-2]


def test_arithmetic_in_atoms_and_heads() -> None:
    assert rows("mm(X, X + 1) :- n(X), X > 0.", "mm") == [(2, 3), (7, 8)]
    assert ones("m(X) :- n(X), n(X - 5).", "m") == [-2, 7]
    assert ones("m(X) :- n(X - 5), n(X).", "m") == [-2, 7]
    # Each atom needs what the other binds.
    facts: list[Row] = [(1, 2), (2, 1), (1, 3)]
    assert ones("m(X) :- mm(X, Y + 1), mm(Y, X + 1).", "m", mm=facts) == [1]
    assert ones("m(X) :- mm(X, X + 1).", "m", mm=facts) == [1]


@pytest.mark.parametrize(
    ("left", "right", "quotient", "remainder"), [(7, 2, 3, 1), (-7, 2, -3, -1), (7, -2, -3, 1), (-7, -2, 3, -1)]
)
def test_division_truncates_towards_zero_as_in_souffle(left: int, right: int, quotient: int, remainder: int) -> None:
    assert rows(f"mm({left} / {right}, {left} % {right}).", "mm") == [(quotient, remainder)]


@pytest.mark.parametrize("expression", ["1 / 0", "1 % 0", "2147483647 + 1", "-2147483648 - 1", "65536 * 65536"])
def test_arithmetic_that_souffle_leaves_undefined_is_an_error(expression: str) -> None:
    with pytest.raises(EvaluationError, match=r"has no value|needs more than 32 bits"):
        rows(f"m({expression}).", "m")
    with pytest.raises(EvaluationError):
        rows("m(1) :- n(X), X = -2147483648 / -1.", "m")


def test_a_guard_in_front_keeps_a_division_from_failing() -> None:
    assert rows("mm(X, 14 / X) :- n(X), X != 0.", "mm") == [(-7, -2), (-2, -7), (2, 7), (7, 2)]
    assert rows("mm(X, Y) :- n(X), X != 0, Y = 14 / X.", "mm") == [(-7, -2), (-2, -7), (2, 7), (7, 2)]


def test_symbols_are_ordered_by_code_point_and_numbers_as_numbers() -> None:
    symbols: list[Row] = [("10",), ("9",), ("Z",), ("a",), ("é",), ("",)]
    assert ones('q(X) :- s(X), X < "a".', "q", s=symbols) == ["", "10", "9", "Z"]
    assert ones("m(X) :- n(X), X < 7, X >= -2.", "m") == [-2, 0, 2]


def test_functors_compute_values() -> None:
    rules = """.functor cidr_contains(cidr: symbol, address: symbol): number
    .functor cidr_canonical(cidr: symbol): symbol
    p(X, Y) :- e(X, Y), @cidr_contains(X, Y) = 1.
    q(@cidr_canonical(X)) :- e(X, _).
    s(X) :- e(X, _), e(@cidr_canonical(X), _)."""
    edges: list[Row] = [("10.0.0.1/8", "10.1.2.3"), ("10.0.0.0/8", "11.0.0.1")]
    assert rows(rules, "p", e=edges) == [("10.0.0.1/8", "10.1.2.3")]
    assert ones(rules, "q", e=edges) == ["10.0.0.0/8"]
    assert ones(rules, "s", e=edges) == ["10.0.0.0/8", "10.0.0.1/8"]


def test_a_program_may_bring_functors_of_its_own() -> None:
    text = ".functor upper(text: symbol): symbol\n.decl s(x: symbol)\n.decl q(x: symbol)\nq(@upper(X)) :- s(X)."
    program = Program.parse({"p.dl": text}, {"upper": lambda text: text.upper()})
    assert evaluate(program, {"s": [("a",)]}).rows("q") == [("A",)]


HOSTILE = [
    '"',
    '\\"',
    "'; DROP TABLE",
    "a\nb",
    "\r\t\0",
    "True",
    "??",
    "_x",
    "lambda",
    "é\u2028🙂",
    "x" * 10_000,
    "",
    "//",
]


@pytest.mark.parametrize("symbol", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_symbols_are_symbols(symbol: str) -> None:
    written = format_value(symbol)
    assert ones(f"q(X) :- s(X), X = {written}. q(X) :- e(X, {written}).", "q", s=[(symbol,), ("no",)]) == [symbol]
    assert ones(f"q({written}).", "q") == [symbol]


def test_values_of_different_types_are_never_equal() -> None:
    program = Program.parse({"p.dl": '.decl s(x: symbol)\n.decl n(x: number)\n.decl z()\nz() :- s("1"), n(1).'})
    assert evaluate(program, {"s": [("1",)], "n": [(1,)]}).rows("z") == [()]


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"nope": [("a",)]}, "relation 'nope', which the program does not declare"),
        ({"e": [("a",)]}, "a fact of e has 1 columns instead of 2"),
        ({"e": [("a", 1)]}, "column y of e holds a symbol, not 1"),
        ({"n": [("1",)]}, "column x of n holds a number, not '1'"),
        ({"n": [(True,)]}, "column x of n holds a number, not True"),
        ({"n": [(1.0,)]}, "column x of n holds a number, not 1.0"),
        ({"n": [(2**31,)]}, "column x of n holds numbers of 32 bits; this one needs 33"),
        ({"n": [(10**5000,)]}, "this one needs 16611"),
        ({"s": [(None,)]}, "column x of s holds a symbol, not None"),
        ({"e": ["ab"]}, "a fact of e is no tuple: 'ab'"),
        ({"e": [["a", "b"]]}, "a fact of e is no tuple"),
    ],
)
def test_a_fact_that_does_not_fit_is_refused(facts: dict[str, list[Row]], message: str) -> None:
    with pytest.raises(FactError, match=message):
        evaluate(Program.parse({"p.dl": DECLARATIONS}), facts)


def test_the_ends_of_the_number_range_are_facts() -> None:
    assert ones("m(X) :- n(X).", "m", n=[(2**31 - 1,), (-(2**31),)]) == [-(2**31), 2**31 - 1]


def test_an_unknown_relation_is_an_error_and_an_empty_one_is_not() -> None:
    model = evaluate(Program.parse({"p.dl": DECLARATIONS}), {})
    assert model.rows("e") == []
    with pytest.raises(UnknownRelationError, match="declares no relation 'nope'"):
        model.rows("nope")


def test_facts_are_told_from_derived_rows_and_left_as_they_were() -> None:
    program = Program.parse({"p.dl": DECLARATIONS + 'p(X, Y) :- e(Y, X). s("t").'})
    facts: dict[str, list[Row]] = {"e": [("a", "b")], "p": [("x", "y")]}
    model = evaluate(program, facts)
    assert ("x", "y") in model.given("p")
    assert ("b", "a") not in model.given("p")
    assert ("t",) not in model.given("s")
    assert facts == {"e": [("a", "b")], "p": [("x", "y")]}


def test_a_slice_derives_the_same_rows_by_rules_of_the_same_numbers() -> None:
    program = Program.parse({"p.dl": DECLARATIONS + "q(X) :- p(X, _). s(X) :- e(X, _). p(X, Y) :- e(X, Y)."})
    part = program.slice(["q"])
    assert [rule.number for rule in part.rules] == [0, 2]
    assert evaluate(part, {"e": EDGES}).rows("q") == evaluate(program, {"e": EDGES}).rows("q")
    assert evaluate(part, {"e": EDGES}).rows("s") == []


def test_components_come_after_what_they_need_in_the_order_of_strata() -> None:
    rules = 'z() :- !q("a"). q(X) :- p(X, _), !s(X). s(X) :- e(X, X). p(X, Y) :- e(X, Y). p(X, Z) :- p(X, Y), p(Y, Z).'
    components = Program.parse({"p.dl": DECLARATIONS + rules}).components
    assert [(c.relations, c.recursive, c.stratum) for c in components] == [
        (("p",), True, 0),
        (("s",), False, 0),
        (("q",), False, 1),
        (("z",), False, 2),
    ]


def test_a_long_chain_and_a_wide_relation_stay_fast() -> None:
    chain: list[Row] = [(str(i), str(i + 1)) for i in range(5000)]
    assert len(rows('q("0"). q(Y) :- e(X, Y), q(X).', "q", e=chain)) == 5001
    hub: list[Row] = [("hub", str(i)) for i in range(20_000)]
    assert rows("q(X) :- e(X, Y), e(X, Y).", "q", e=hub) == [("hub",)]
