"""The constraints ``match`` and ``contains``: as Python's ``re`` where that ends, and in time linear in the text."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from liqo_connectivity.checker.functors import FUNCTORS, UndefinedError
from liqo_connectivity.engine import EvaluationError, Facts, OracleError, Program, ProgramError, evaluate
from liqo_connectivity.engine.program.encoding import decode, encode
from liqo_connectivity.engine.pydatalog.second_opinion import evaluate_relations
from liqo_connectivity.engine.syntax.functors import contains, match
from liqo_connectivity.engine.syntax.parser import parse_goal, parse_program
from liqo_connectivity.engine.syntax.patterns import MAX_GROUPS, MAX_PLACES, PatternError, read_pattern
from liqo_connectivity.engine.syntax.printer import format_body, format_program
from liqo_connectivity.engine.why_not.absence import pattern as goal_of
from tests.support.explaining import prove, why_not

RULES = """.decl pod_ip(pod: symbol, address: symbol)
.decl wanted(pattern: symbol)
.input pod_ip, wanted
.decl inside(pod: symbol)
inside(P) :- pod_ip(P, A), match("10\\\\.0\\\\.[0-9]+\\\\.[0-9]{1,3}", A), !contains("/", P).
.decl outside(pod: symbol)
outside(P) :- pod_ip(P, A), !match("10[.].*", A).
.decl named(pod: symbol, pattern: symbol)
named(P, W) :- wanted(W), pod_ip(P, _), match(W, P).
.decl many(pods: number)
many(N) :- N = count : { pod_ip(P, _), contains("b", P), !match("b", P) }.
"""
FACTS: Facts = {
    "pod_ip": [("a", "10.0.3.4"), ("b", "10.1.3.4"), ("ab", "10.0.0.1"), ("a/b", "10.0.0.2"), ("c", "fd00::1")],
    "wanted": [("a.?",), ("[^a]",), (".*b",)],
}

CASES = [
    ("", "", True),
    ("", "a", False),
    ("a", "a", True),
    ("a", "ab", False),
    ("b", "ab", False),
    (".", "ä", True),
    (".", "\n", False),
    (".*", "", True),
    ("a|bc", "bc", True),
    ("a|bc", "abc", False),
    ("|a", "", True),
    ("(a|b)*c", "ababc", True),
    ("(a|b)+", "", False),
    ("a?b", "b", True),
    ("a{2}", "aa", True),
    ("a{2}", "aaa", False),
    ("a{2,}", "a", False),
    ("a{2,}", "aaaaa", True),
    ("(ab){1,2}", "abab", True),
    ("(ab){1,2}", "ababab", False),
    ("a{0}", "", True),
    ("a{0}", "a", False),
    ("(a?){3}", "aa", True),
    ("(a*b?){2,3}", "aabab", True),
    ("[a-c]", "b", True),
    ("[a-c]", "d", False),
    ("[^a-c]", "d", True),
    ("[^a-c]", "\n", True),
    ("[-a]", "-", True),
    ("[a-]", "-", True),
    ("[.*]", "*", True),
    ("[a^]", "^", True),
    (r"[\]\\]", "]", True),
    (r"[^\d_]", "x", True),
    (r"[\D]", "5", False),
    (r"\d+\.\d+", "10.25", True),
    (r"\d", "٣", False),
    (r"\w\W\s\S", "_- x", True),
    (r"\w", "ä", False),
    (r"\n\r\t", "\n\r\t", True),
    (r"\(\*\)", "(*)", True),
    ("fd00:.*", "fd00::1", True),
]

UNREADABLE = [
    *("(", ")", "a)", "(a", "[", "[a", "[]", "[^]", "]", "}", "{", "a{", "a{1", "a{x}", "a{,2}", "a{2,1}", "{1}", "*a"),
    *(
        "a**",
        "a*?",
        "a+?",
        "a??",
        "a*+",
        "a{2}{3}",
        "a{2}?",
        "^a",
        "a$",
        "(?:a)",
        "(?=a)",
        "(?!a)",
        "(?i)a",
        "(?P<n>a)",
    ),
    *(r"\1", r"(a)\1", r"\b", r"\x41", r"\u0041", r"\p{L}", r"\ä", "\\", "[[:alpha:]]", "[[a]", r"[a-\d]", "[b-a]"),
    *(
        "a{501}",
        "a{99999}",
        f"a{{{MAX_PLACES}}}b",
        "(a{100}){6}",
        "(a{30}){30}",
        "((){300}){300}",
        "a" * 501,
        "|" * 600,
    ),
    "(" * (MAX_GROUPS + 1) + ")" * (MAX_GROUPS + 1),
    "(" * 99999,
]


def checked(pattern: str, text: str) -> bool:
    return bool(FUNCTORS["@match"](pattern, text))


@pytest.mark.parametrize(("pattern", "text", "holds"), CASES)
def test_a_pattern_matches_the_whole_text(pattern: str, text: str, holds: bool) -> None:
    assert bool(match(pattern, text)) == checked(pattern, text) == holds
    assert bool(re.fullmatch(pattern, text, re.ASCII)) == holds


@pytest.mark.parametrize("pattern", UNREADABLE)
def test_what_is_no_pattern_is_an_error_for_both_readers(pattern: str) -> None:
    with pytest.raises(PatternError, match=r"^character \d+: "):
        read_pattern(pattern)
    with pytest.raises(EvaluationError, match="is no pattern: character"):
        match(pattern, "")
    with pytest.raises(UndefinedError):
        checked(pattern, "")


def test_patterns_up_to_the_limits_are_read() -> None:
    widest = f"a{{{MAX_PLACES}}}"
    deepest = "(" * MAX_GROUPS + "a" + ")" * MAX_GROUPS
    for pattern, text in ((widest, "a" * MAX_PLACES), (deepest, "a"), ("a?" * MAX_PLACES, "a" * 9)):
        assert match(pattern, text) == checked(pattern, text) == 1
        assert match(pattern, text + "b") == checked(pattern, text + "b") == 0


@pytest.mark.parametrize("pattern", ["(a*)*b", "(a|aa)+b", "(a|a)*b", "(.*a){9}b", "a?" * 20 + "a" * 20 + "b"])
def test_a_pattern_that_would_backtrack_ends(pattern: str) -> None:
    text = "a" * 20000
    assert match(pattern, text) == checked(pattern, text) == 0


SINGLE = st.sampled_from(["a", "b", "-", ".", r"\.", r"\d", r"\W", "[ab]", "[^a]", "[a-c-]", r"[^\d\-]", "1"])
PATTERNS = st.recursive(
    SINGLE,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"({'|'.join(parts)})"),
        st.builds("({}){}".format, inner, st.sampled_from(["*", "+", "?", "{2}", "{1,}", "{0,2}", "{1,2}"])),
    ),
    max_leaves=4,
)


@given(PATTERNS, st.text("ab-.1\n", max_size=7))
def test_both_matchers_agree_with_the_standard_library(pattern: str, text: str) -> None:
    assert bool(match(pattern, text)) == checked(pattern, text) == bool(re.fullmatch(pattern, text, re.ASCII))


@given(st.text("ab()[]{}|*+?.^$\\-,12dn\u00e4", max_size=9), st.text("ab-12\u00e4", max_size=5))
@example("[a-", "a")
@example("a{1,}", "a")
def test_both_readers_take_the_same_texts_for_patterns(pattern: str, text: str) -> None:
    try:
        found = match(pattern, text)
    except EvaluationError:
        with pytest.raises(UndefinedError):
            checked(pattern, text)
    else:
        assert found == checked(pattern, text) == bool(re.fullmatch(pattern, text, re.ASCII))


@given(st.text("ab", max_size=3), st.text("ab", max_size=6))
def test_contains_finds_a_part(needle: str, text: str) -> None:
    parts = {text[start : start + len(needle)] for start in range(len(text) + 1)}
    assert contains(needle, text) == FUNCTORS["@contains"](needle, text) == int(needle in parts)


# ---- In rules ----


def test_rules_hold_as_their_constraints_do() -> None:
    program = Program.parse({"r.dl": RULES})
    model = evaluate(program, FACTS)
    assert set(model.rows("inside")) == {("a",), ("ab",)}
    assert set(model.rows("outside")) == {("c",)}
    expected = {("a", "a.?"), ("ab", "a.?"), ("b", "[^a]"), ("c", "[^a]"), ("b", ".*b"), ("ab", ".*b"), ("a/b", ".*b")}
    assert set(model.rows("named")) == expected
    assert set(model.rows("many")) == {(2,)}
    restored = decode(encode(program), program.texts)
    assert set(evaluate(restored, FACTS).rows("named")) == expected


def test_a_change_of_the_facts_changes_what_matches() -> None:
    database = evaluate(Program.parse({"r.dl": RULES}), FACTS)
    with database.txn() as transaction:
        transaction.delete("pod_ip", ("a", "10.0.3.4"))
        transaction.insert("pod_ip", ("bb", "10.0.3.4"))
        transaction.insert("wanted", ("b+",))
    assert set(database.rows("inside")) == {("ab",), ("bb",)}
    assert {row for row in database.rows("named") if row[1] == "b+"} == {("b", "b+"), ("bb", "b+")}
    assert set(database.rows("many")) == {(3,)}


def test_constraints_are_printed_as_they_are_written() -> None:
    program = parse_program(RULES, "r.dl")
    printed = format_program(program)
    assert '!match("10[.].*", A)' in printed
    assert '!contains("/", P)' in printed
    assert parse_program(printed, "r.dl") == program


def test_a_goal_may_hold_a_constraint() -> None:
    text = 'pod_ip(P, A), match("fd.*", A)'
    program, _ = Program.parse({"r.dl": RULES}).with_goal(parse_goal(text), "goal", text)
    assert set(evaluate(program, FACTS).rows("goal")) == {("c", "fd00::1")}


def test_a_proof_and_an_absence_show_the_constraint() -> None:
    model = evaluate(Program.parse({"r.dl": RULES}), FACTS)
    proof = prove(model, "inside", ("ab",))
    assert proof is not None
    assert 'match("10\\\\.0\\\\.[0-9]+\\\\.[0-9]{1,3}", "10.0.0.1")' in map(str, proof.premises)
    assert '!contains("/", "ab")' in map(str, proof.premises)
    absence = why_not(model, goal_of("outside", ("b",)))
    assert absence is not None
    assert format_body(absence.failures[0].failing) == '!match("10[.].*", "10.1.3.4")'


def test_a_pattern_of_a_fact_that_cannot_be_read_is_an_error_and_changes_nothing() -> None:
    database = evaluate(Program.parse({"r.dl": RULES}), FACTS)
    before = set(database.rows("named"))
    with pytest.raises(EvaluationError, match=r"'\(a' is no pattern: character 3"), database.txn() as transaction:
        transaction.insert("wanted", ("(a",))
    assert set(database.rows("named")) == before


def test_a_pattern_of_the_text_that_cannot_be_read_has_its_place() -> None:
    text = '.decl a(x: symbol)\n.decl b(x: symbol)\nb(X) :- a(X), !match("(?=a)", X).\n'
    with pytest.raises(ProgramError, match=r"DL016") as caught:
        Program.parse({"r.dl": text})
    assert str(caught.value.diagnostics[0].span) == "r.dl:3:22"


def test_the_second_opinion_refuses_a_rule_with_a_constraint() -> None:
    program = Program.parse({"r.dl": RULES})
    with pytest.raises(OracleError, match=r"r\.dl:5:1: (match|contains) is not written a second time for it"):
        evaluate_relations(program, FACTS, ["inside"])
