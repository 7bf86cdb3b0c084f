"""Reading and printing programs: what is printed reads back as the same program, however it was laid out."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liqo_connectivity.engine import ProgramError, Span
from liqo_connectivity.engine.syntax.nodes import (
    Aggregate,
    Arithmetic,
    Atom,
    Body,
    Call,
    Clause,
    Column,
    Comparison,
    Conjunction,
    Constant,
    Directive,
    Disjunction,
    FunctorDeclaration,
    Negation,
    RelationDeclaration,
    Term,
    TypeDeclaration,
    Variable,
    Wildcard,
    aggregate_of,
)
from liqo_connectivity.engine.syntax.normalization import normalize
from liqo_connectivity.engine.syntax.parser import RESERVED, parse_goal, parse_program
from liqo_connectivity.engine.syntax.printer import format_body, format_program, format_rule, format_term, format_value
from tests.support.seeds import examples

RULE_FILES = sorted((Path(__file__).parents[2] / "rules").glob("*.dl"))

names = st.from_regex(r"[A-Za-z?][A-Za-z0-9_?]{0,5}|_[A-Za-z0-9_?]{1,5}", fullmatch=True).filter(
    lambda name: name not in RESERVED
)
symbols = st.text(max_size=12)
numbers = st.integers(-(2**31), 2**31 - 1)


def built(node: Callable[..., Any], *fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Build nodes; hypothesis alone would make up the optional fields of a named tuple too, such as the place."""
    return st.tuples(*fields).map(lambda values: node(*values))


constants = built(Constant, symbols | numbers)
terms: st.SearchStrategy[Term] = st.recursive(
    built(Variable, names) | built(Wildcard) | constants,
    lambda inner: (
        built(Arithmetic, st.sampled_from(["+", "-", "*", "/", "%"]), inner, inner)
        | built(Call, names, st.lists(inner, max_size=3).map(tuple))
    ),
    max_leaves=6,
)
atoms = built(Atom, names, st.lists(terms, max_size=3).map(tuple))
operators = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
plain = atoms | built(Negation, atoms) | built(Comparison, operators, terms, terms)
inner = st.lists(plain, min_size=1, max_size=3).map(tuple)
aggregates = built(Aggregate, st.just("count"), st.none(), inner) | built(
    Aggregate, st.sampled_from(["min", "max"]), built(Variable, names), inner
)
literals = plain | built(Comparison, operators, terms, aggregates) | built(Comparison, operators, aggregates, terms)


def _conjunctions(inner: st.SearchStrategy[Body]) -> st.SearchStrategy[Body]:
    return built(Conjunction, st.lists(inner, min_size=2, max_size=3).map(tuple)) | built(
        Disjunction, st.lists(inner, min_size=2, max_size=3).map(tuple)
    )


bodies: st.SearchStrategy[Body] = st.recursive(literals, _conjunctions, max_leaves=6)
columns = st.lists(built(Column, names, names), max_size=3).map(tuple)
docs = st.from_regex(r"[A-Za-z0-9.,:()/é]{1,8}( [A-Za-z0-9.,:()/é]{1,8}){0,3}", fullmatch=True) | st.just("")
statements = (
    built(TypeDeclaration, names, names)
    | built(RelationDeclaration, names, columns, docs)
    | built(FunctorDeclaration, names, columns, names)
    | built(Directive, st.sampled_from(["input", "output"]), st.lists(names, min_size=1, max_size=3).map(tuple))
    | built(Clause, st.lists(atoms, min_size=1, max_size=2).map(tuple), bodies | st.none())
)


@settings(max_examples=examples(400), deadline=None)
@given(st.lists(statements, max_size=5).map(tuple))
def test_a_program_printed_reads_back_as_itself(program: tuple[Clause, ...]) -> None:
    assert parse_program(format_program(program), "p.dl") == program


@settings(max_examples=examples(200), deadline=None)
@given(bodies)
def test_a_goal_printed_reads_back_as_itself(goal: Body) -> None:
    assert parse_goal(format_body(goal)) == goal
    assert parse_goal(format_body(goal) + ".") == goal


@settings(deadline=None)
@given(symbols)
def test_a_symbol_is_quoted_so_that_it_cannot_end_early(symbol: str) -> None:
    (clause,) = parse_program(f"a({format_value(symbol)}).", "p.dl")
    assert clause == Clause((Atom("a", (Constant(symbol),)),), None)


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.name)
def test_the_rule_files_print_and_read_back(path: Path) -> None:
    program = parse_program(path.read_text("utf-8"), path.name)
    assert program
    assert parse_program(format_program(program), path.name) == program


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.name)
def test_the_rules_of_the_rule_files_print_and_read_back(path: Path) -> None:
    rules = normalize(parse_program(path.read_text("utf-8"), path.name))
    assert normalize(parse_program("".join(map(format_rule, rules)), path.name)) == rules


def body_of(text: str) -> Body:
    (clause,) = parse_program(f"h(X) :- {text}.", "p.dl")
    assert isinstance(clause, Clause)
    assert clause.body is not None
    return clause.body


def test_layout_and_comments_do_not_matter() -> None:
    tight = parse_program('.decl a(x:symbol,y:number)a("u",1).a(X,Y):-a(X,Y),!a(Y,_);X!=Y.', "p.dl")
    wide = """
      .decl a ( x : symbol ,   // the first
                y : number )
      /* a fact,
         ** and / stars * */ a
      ( "u" , 1 )
      .\t\r\n
      a(X, Y)  // a head
        :- a(X, Y), ! a(Y, _) /**/ ; X != Y .// no line feed at the end"""
    assert parse_program(wide, "p.dl") == tight


@pytest.mark.parametrize("word", sorted(RESERVED))
def test_no_name_is_a_word_of_souffle(word: str) -> None:
    for text in (
        f".type {word} <: symbol",
        f".functor {word}(text: symbol): number",
        f".decl a({word}: symbol)",
        f".decl a(x: {word})",
        f".output {word}",
        f".decl {word}()\n.decl b()\nb() :- {word}().",
        f"a({word}) :- b({word}).",
        f"a(N) :- N = count : {{ b({word}) }}.",
    ):
        with pytest.raises(ProgramError, match=f"^error.DL015.: '{word}' is a reserved word"):
            parse_program(text, "p.dl")
    with pytest.raises(ProgramError, match="DL015"):
        parse_goal(f"a(X, {word})")
    other = f".decl {word}s({word.capitalize()}_: symbol)\n{word}s({word}_) :- {word}s({word}_).\n"
    assert parse_program(format_program(parse_program(other, "p.dl")), "p.dl") == parse_program(other, "p.dl")


def test_the_words_of_souffle_are_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "dialect.md").read_text("utf-8")
    _, paragraph = text.split("cannot name", 1)
    listed = set(re.findall(r"`(\w+)`", paragraph.split(". ", 1)[0]))
    assert listed == RESERVED


def test_layout_and_comments_inside_an_aggregate_do_not_matter() -> None:
    tight = body_of("count:{a(X),!b(X)}<3,N=min X:{a(X)}")
    assert body_of("count /* of */ : // all\n { a(X) , !b(X) } < 3, N = min/**/X : {\na(X)}") == tight
    assert format_body(tight) == "count : { a(X), !b(X) } < 3, N = min X : { a(X) }"


def test_an_aggregate_learns_which_of_its_variables_come_from_outside() -> None:
    (rule,) = normalize(
        parse_program("h(X, N) :- b(Y), N = count : { c(X, Y, Z, _) }, M = max Z : { c(M, Z) }.", "p.dl")
    )
    found = [aggregate_of(item) for item in rule.body]
    assert [aggregate.outer for aggregate in found if aggregate] == [("X", "Y"), ("M",)]


def test_comments_inside_symbols_are_part_of_them() -> None:
    assert parse_program('a("// no", "/* no */").', "p.dl") == (
        Clause((Atom("a", (Constant("// no"), Constant("/* no */"))),), None),
    )


def test_escapes_in_symbols() -> None:
    (clause,) = parse_program(r'a("q\" b\\ n\n r\r t\t \\n é\\").', "p.dl")
    assert clause == Clause((Atom("a", (Constant('q" b\\ n\n r\r t\t \\n é\\'),)),), None)


def test_comma_binds_tighter_than_semicolon() -> None:
    a, b, c = (Atom(name, ()) for name in "abc")
    assert body_of("a(), b(); c()") == Disjunction((Conjunction((a, b)), c))
    assert body_of("a(), (b(); c())") == Conjunction((a, Disjunction((b, c))))
    assert body_of("((a()))") == a


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1 + 2 * 3", "1 + (2 * 3)"),
        ("1 * 2 + 3", "(1 * 2) + 3"),
        ("1 - 2 - 3", "(1 - 2) - 3"),
        ("8 / 4 % 3", "(8 / 4) % 3"),
        ("1 - -2", "1 - (-2)"),
        ("1 -2", "1 - 2"),
    ],
)
def test_arithmetic_precedence(written: str, meant: str) -> None:
    assert body_of(f"X = {written}") == body_of(f"X = {meant}")
    assert body_of(f"X = {written}") != body_of("X = (1 - (2 - 3))")


def test_parentheses_are_printed_only_where_they_matter() -> None:
    comparison = body_of("X = ((1 + 2)) * 3 - (4 - (5))")
    assert isinstance(comparison, Comparison)
    assert format_term(comparison.right) == "(1 + 2) * 3 - (4 - 5)"


def test_relations_without_columns_and_lists_of_relations() -> None:
    program = parse_program(".decl on()\n.decl off()\n.input on, off\n.output on\noff() :- !on().\non().", "p.dl")
    assert program[2] == Directive("input", ("on", "off"))
    assert program[4] == Clause((Atom("off", ()),), Negation(Atom("on", ())))
    assert program[5] == Clause((Atom("on", ()),), None)


def test_several_heads_times_alternatives_are_rules_in_reading_order() -> None:
    rules = normalize(parse_program("a(X), b(X) :- c(X); d(X), (e(X); f(X)).", "p.dl"))
    assert [format_rule(rule) for rule in rules] == [
        "a(X) :- c(X).",
        "a(X) :- d(X), e(X).",
        "a(X) :- d(X), f(X).",
        "b(X) :- c(X).",
        "b(X) :- d(X), e(X).",
        "b(X) :- d(X), f(X).",
    ]
    assert [rule.number for rule in rules] == list(range(6))


def test_the_lines_right_above_a_declaration_document_it() -> None:
    text = "// not this\n\n// One\n// two.\n.decl a()\n.decl b() // nor this\n.decl c()\r\n// Windows.\r\n.decl d()\r\n"
    program = parse_program(text, "p.dl")
    assert [s.doc for s in program if isinstance(s, RelationDeclaration)] == ["One two.", "", "", "Windows."]


def test_places_count_from_one_and_end_behind() -> None:
    (clause,) = parse_program('\n  a("é",\n b).', "p.dl")
    assert isinstance(clause, Clause)
    span = clause.heads[0].span
    assert (span.line, span.column, span.end_line, span.end_column) == (2, 3, 3, 4)
    assert str(span) == "p.dl:2:3"


@pytest.mark.parametrize("text", ["", " \n", "// only a comment", "/* only a comment */"])
def test_an_empty_text_is_an_empty_program(text: str) -> None:
    assert parse_program(text, "p.dl") == ()


@pytest.mark.parametrize("text", ["", ".", "a(X) :- b(X).", "a(X). b(X)."])
def test_what_is_no_goal(text: str) -> None:
    with pytest.raises(ProgramError):
        parse_goal(text)


def test_nodes_are_equal_by_class_and_fields_and_not_by_place() -> None:
    here, there = (Variable("X", Span("p.dl", line, 1, line, 2)) for line in (1, 2))
    assert here == there
    assert hash(here) == hash(there)
    assert repr(here) == "Variable(name='X')"
    assert here != Variable("Y", here.span)
    assert Atom("p", (here,)) == Atom("p", (there,))
    assert {Atom("p", (here,)), Atom("p", (there,))} == {Atom("p", (Variable("X"),))}
    items = (Atom("p", ()), Atom("q", ()))
    others: list[object] = [Conjunction(items), Disjunction(items), items, (items,)]
    assert [one == other for one in others for other in others] == [one is other for one in others for other in others]
    assert [one != other for one in others for other in others] == [
        one is not other for one in others for other in others
    ]
