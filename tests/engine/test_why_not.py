"""Why-not: what fails really fails, what holds before it really holds, and what is missing makes the goal derivable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqo_connectivity.engine import (
    DatalogError,
    Facts,
    Proof,
    Row,
    UnknownRelationError,
)
from liqo_connectivity.engine.syntax.nodes import (
    Atom,
    Constant,
    Negation,
    Variable,
)
from liqo_connectivity.engine.syntax.printer import format_body
from liqo_connectivity.engine.why_not.absence import Absence, Failure, pattern
from tests.support.absences import PATHS, absences, explained, model_facts, model_of
from tests.support.explaining import why_not
from tests.support.proof_checker import check


def shown(failure: Failure) -> tuple[list[str], str]:
    return [format_body(item) for item in failure.holding], format_body(failure.failing)


# ---- By hand ----


def test_what_holds_is_not_explained() -> None:
    model = model_of(PATHS, {"edge": [("a", "b")]})
    assert why_not(model, pattern("path", ("a", "b"))) is None
    assert why_not(model, pattern("path", (None, "b"))) is None
    assert why_not(model, pattern("edge", ("a", "b"))) is None


def test_a_relation_without_rules_lacks_a_fact() -> None:
    found = explained(model_of(PATHS, {}), "edge", "a", None)
    assert (str(found), found.reason, found.failures) == ('edge("a", _)', "asserted", ())


def test_the_missing_tuple_is_named_with_what_holds_before_it() -> None:
    model = model_of(PATHS, {"edge": [("a", "b"), ("b", "c"), ("x", "d")]})
    found = explained(model, "path", "a", "d")
    furthest, direct = found.failures
    assert shown(furthest) == (['edge("x", "d")'], 'path("a", "x")')
    assert shown(direct) == ([], 'edge("a", "d")')
    assert isinstance(furthest.because, Absence)
    assert shown(furthest.because.failures[0]) == ([], 'edge("a", "x")')


def test_a_tuple_that_should_be_missing_is_proved() -> None:
    model = model_of(PATHS, {"edge": [("a", "b")], "closed": [("b",)]})
    (failure,) = [f for f in explained(model, "path", "a", "b").failures if isinstance(f.failing, Negation)]
    assert shown(failure) == (['edge("a", "b")'], '!closed("b")')
    assert isinstance(failure.because, Proof)
    assert str(failure.because) == 'closed("b")'


def test_explanations_go_through_negation() -> None:
    text = PATHS + ".decl node(n: symbol)\n.input node\n.decl apart(a: symbol, b: symbol)\n"
    text += "apart(X, Y) :- node(X), node(Y), !path(X, Y).\n"
    facts: Facts = {"node": [("a",), ("b",)], "edge": [("a", "b")]}
    model = model_of(text, facts)
    (failure,) = explained(model, "apart", "a", "b").failures
    assert shown(failure) == (['node("a")', 'node("b")'], '!path("a", "b")')
    assert isinstance(failure.because, Proof)
    check(failure.because, model, facts)


def test_a_cycle_is_explained_once() -> None:
    model = model_of(PATHS, {"edge": [("c", "d"), ("d", "c"), ("a", "b")]})
    found = explained(model, "path", "a", "c", depth=9)
    reasons = {str(a): a.reason for a in absences(found)}
    assert [a.reason for a in absences(found) if str(a) == 'path("a", "c")'] == ["derived", "above"]
    assert reasons['edge("a", "d")'] == "asserted"


def test_what_explains_several_failures_is_walked_once() -> None:
    """Two rules of each relation fail for the same reason, so that there are more ways down than can be walked."""
    levels = 60
    text = "".join(f".decl l{n}()\nl{n}() :- l{n + 1}(), a().\nl{n}() :- l{n + 1}(), b().\n" for n in range(levels))
    text += f".decl l{levels}()\n.decl a()\n.decl b()\n"
    model = model_of(text, {"a": [()], "b": [()]})
    found, again = (explained(model, "l0", depth=levels + 1, rows=10_000) for _ in range(2))
    relations = [f"l{n}" for n in range(levels + 1)]
    # What is at the bottom is said to be missing once for each rule.
    assert [absence.goal.relation for absence in found.walk()] == [*relations, relations[-1]]
    assert found.relations() == set(relations)
    assert found == again
    assert hash(found) == hash(again)
    assert repr(found) == "<Absence of l0(), derived>"
    assert found != explained(model, "l0", depth=levels - 1, rows=10_000)


def test_depth_ends_an_explanation() -> None:
    text = "".join(f".decl r{n}(x: symbol)\n" for n in range(6)) + ".input r5\n"
    text += "".join(f"r{n}(X) :- r{n + 1}(X).\n" for n in range(5))
    model = model_of(text, {})
    assert [a.reason for a in absences(explained(model, "r0", "a"))] == ["derived"] * 3 + ["depth"]
    assert [a.reason for a in absences(explained(model, "r0", "a", depth=5))] == ["derived"] * 5 + ["asserted"]


def test_rules_for_other_tuples_are_told_apart() -> None:
    text = (
        '.decl e(x: symbol)\n.input e\n.decl p(kind: symbol, x: symbol)\np("one", X) :- e(X).\np("two", X) :- e(X).\n'
    )
    found = explained(model_of(text, {}), "p", "one", "a")
    assert [f.rule.number for f in found.failures] == [0]
    assert [rule.number for rule in found.others] == [1]
    assert explained(model_of(text, {"e": [("a",)]}), "p", "three", "a").failures == ()


def test_a_comparison_is_shown_with_its_values() -> None:
    text = ".decl e(n: number)\n.input e\n.decl big(n: number)\nbig(N) :- e(N), N + 1 > 10.\n"
    (failure,) = explained(model_of(text, {"e": [(3,)]}), "big", 3).failures
    assert shown(failure) == (["e(3)"], "3 + 1 > 10")
    assert failure.because is None


def test_arithmetic_in_heads_and_atoms_is_solved() -> None:
    text = ".decl e(n: number)\n.input e\n.decl next(n: number)\nnext(N + 1) :- e(N).\n"
    text += ".decl twice(n: number)\ntwice(N) :- e(N), e(N + 2).\n"
    model = model_of(text, {"e": [(3,)]})
    assert [shown(f) for f in explained(model, "next", 7).failures] == [(["e(3)"], "7 = 3 + 1")]
    assert [shown(f) for f in explained(model, "twice", None).failures] == [(["e(3)", "5 = 3 + 2"], "e(5)")]


def test_arithmetic_without_a_value_fails_instead_of_raising() -> None:
    text = ".decl e(n: number, m: number)\n.decl f(n: number, m: number)\n.input e, f\n.decl p(n: number)\n"
    text += "p(N) :- N / M = 1, e(N, M), f(N, M).\n"
    (failure,) = explained(model_of(text, {"e": [(9, 9)], "f": [(1, 0), (2, 5)]}), "p", 1).failures
    assert shown(failure) == (["f(1, 0)"], "1 / 0 = 1")


FIRSTS = """.decl matches(rule: number, flow: symbol)
.input matches
.decl first(flow: symbol, rule: number)
first(F, R) :- matches(R, F), R = min X : { matches(X, F) }.
.decl busy(flow: symbol)
busy(F) :- matches(_, F), count : { matches(_, F) } > 2.
.decl least(flow: symbol, rule: number)
least(F, R) :- R = min X : { matches(X, F) }, F = "g".
"""


def test_what_comes_first_is_the_reason_for_what_does_not() -> None:
    model = model_of(FIRSTS, {"matches": [(2, "f"), (1, "f")]})
    (failure,) = explained(model, "first", "f", 2).failures
    assert shown(failure) == (['matches(2, "f")'], '2 = min X : { matches(X, "f") }')
    assert str(failure.because) == 'matches(1, "f")'
    assert isinstance(failure.because, Proof)


def test_an_aggregate_of_nothing_is_explained() -> None:
    (failure,) = explained(model_of(FIRSTS, {}), "least", "g", None).failures
    assert str(failure) == 'R = min X : { matches(X, "g") }'
    assert str(failure.because) == 'matches(_, "g")'


def test_a_count_is_shown() -> None:
    (failure,) = explained(model_of(FIRSTS, {"matches": [(2, "f"), (1, "f")]}), "busy", "f").failures
    assert shown(failure) == (['2 = count : { matches(_, "f") }'], "2 > 2")


def test_a_goal_may_repeat_a_variable() -> None:
    model = model_of(PATHS, {"edge": [("a", "b"), ("b", "c")]})
    found = why_not(model, Atom("path", (Variable("X"), Variable("X"))))
    assert found is not None
    assert str(found) == "path(Same1, Same1)"
    assert (['edge("a", "b")', '!closed("b")'], '"a" = "b"') in [shown(failure) for failure in found.failures]
    looped = model_of(PATHS, {"edge": [("a", "b"), ("b", "a")]})
    assert why_not(looped, Atom("path", (Variable("X"), Variable("X")))) is None


def test_values_that_get_furthest_are_preferred() -> None:
    text = """
.decl a(x: symbol, y: symbol)
.decl b(y: symbol)
.decl c(y: symbol)
.input a, b, c
.decl p(x: symbol)
p(X) :- a(X, Y), b(Y), c(Y).
"""
    model = model_of(text, {"a": [("k", "1"), ("k", "2"), ("k", "3")], "b": [("3",), ("2",)], "c": [("0",)]})
    (failure,) = explained(model, "p", "k").failures
    assert shown(failure) == (['a("k", "2")', 'b("2")'], 'c("2")')


def test_a_small_budget_is_confessed() -> None:
    text = ".decl a(x: symbol)\n.decl b(x: symbol)\n.input a, b\n.decl p()\np() :- a(X), b(X).\n"
    names = [(f"{n:04}",) for n in range(500)]
    model = model_of(text, {"a": names, "b": [(f"{n}x",) for n in range(500)]})
    (failure,) = explained(model, "p", rows=20).failures
    assert shown(failure) == (['a("0000")'], 'b("0000")')
    # Only the last literal fails: no other values could get further.
    assert failure.complete
    (failure,) = explained(
        model_of(text.replace("b(X).", 'b(X), X != "z".'), model_facts(model)), "p", rows=20
    ).failures
    assert not failure.complete


def test_the_order_of_facts_does_not_matter() -> None:
    facts: dict[str, list[Row]] = {"edge": [("a", "b"), ("b", "c"), ("x", "d"), ("w", "d")], "closed": [("c",)]}
    turned = {name: rows[::-1] for name, rows in facts.items()}
    assert why_not(model_of(PATHS, facts), pattern("path", ("a", "d"))) == why_not(
        model_of(PATHS, turned), pattern("path", ("a", "d"))
    )


def test_goals_that_are_none_are_refused() -> None:
    model = model_of(PATHS, {})
    with pytest.raises(UnknownRelationError, match="nope"):
        why_not(model, pattern("nope", ("a",)))
    with pytest.raises(DatalogError, match="path has 2 columns, and the goal 1"):
        why_not(model, pattern("path", ("a",)))
    with pytest.raises(DatalogError, match=r'^column target of path holds a symbol: path\("a", 1\)$'):
        why_not(model, pattern("path", ("a", 1)))


@pytest.mark.parametrize(
    "hostile", ['"', "\\", "\n", "True", "??", "_x", "X", "'; drop", "é" * 5000, "__import__('os')"]
)
def test_hostile_values_stay_values(hostile: str) -> None:
    model = model_of(PATHS, {"edge": [(hostile, "b")], "closed": [("b",)]})
    found = explained(model, "path", hostile, "b")
    (failure,) = [f for f in found.failures if isinstance(f.because, Proof)]
    assert isinstance(failure.failing, Negation)
    assert failure.holding == (Atom("edge", (Constant(hostile), Constant("b"))),)
    assert explained(model, "path", "b", hostile).reason == "derived"


def test_a_long_chain_of_literals_is_followed() -> None:
    atoms = ", ".join(f"e(X{n}, X{n + 1})" for n in range(199))
    text = f".decl e(a: number, b: number)\n.input e\n.decl p()\np() :- {atoms}, X0 > X199.\n"
    (failure,) = explained(model_of(text, {"e": [(0, 0)]}), "p", rows=5000).failures
    assert shown(failure)[1] == "0 > 0"


# ---- Repairs ----


@given(st.sets(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), max_size=8))
def test_asserting_what_is_missing_derives_the_goal(edges: set[Row]) -> None:
    """Each failure of a rule without negation is one fact away or another failure away, and those end."""
    text = PATHS.replace(", !closed(Y)", "").replace(", !closed(Z)", "")
    facts: dict[str, list[Row]] = {"edge": sorted(edges)}
    for _ in range(3):
        found = why_not(model_of(text, facts), pattern("path", ("a", "d")), depth=9)
        if found is None:
            return
        missing = next(a for a in absences(found) if a.reason == "asserted")
        row = tuple(t.value for t in missing.goal.terms if isinstance(t, Constant))
        facts = {"edge": [*facts["edge"], row if len(row) == 2 else ("a", "d")]}
    raise AssertionError("three missing edges are more than it takes")
