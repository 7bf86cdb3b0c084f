"""The checker's own reader, functions and evaluation: other code than the engine's, with the same results."""

from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from liqo_connectivity.checker import RulesError, read_rules
from liqo_connectivity.checker import syntax as d
from liqo_connectivity.checker.consequences import Consequences
from liqo_connectivity.checker.dialect import read_comparison, read_rule
from liqo_connectivity.checker.functors import FUNCTORS
from liqo_connectivity.engine import Facts, Program, evaluate
from liqo_connectivity.engine.syntax import nodes as s
from liqo_connectivity.engine.syntax.functors import BUILTIN, CONSTRAINTS
from liqo_connectivity.engine.syntax.printer import format_body, format_rule
from liqo_connectivity.rules.program import builtin_texts
from tests.support.mixed_programs import evaluated_program
from tests.support.random_programs import random_program
from tests.support.small_programs import declarations, small_rules


def term(found: s.Term) -> d.Term:
    match found:
        case s.Variable(name=name):
            return d.Variable(name)
        case s.Wildcard():
            return d.Wildcard()
        case s.Constant(value=value):
            return d.Constant(value)
        case s.Arithmetic(operator=operator, left=left, right=right):
            return d.Application(operator, (term(left), term(right)))
        case s.Call(functor=functor, arguments=arguments):
            return d.Application(f"@{functor}", tuple(map(term, arguments)))
        case s.Aggregate(kind=kind, target=target, body=body, outer=outer):
            named = d.Variable(target.name) if target else None
            return d.Aggregate(kind, named, tuple(map(item, body)), frozenset(outer))


def item(found: s.Literal_) -> d.Literal:
    match found:
        case s.Atom(relation=relation, terms=terms):
            return d.Literal("atom", relation, tuple(map(term, terms)))
        case s.Negation(atom=s.Atom(relation=relation, terms=terms)):
            return d.Literal("negation", relation, tuple(map(term, terms)))
        case s.Comparison(operator=operator, left=left, right=right):
            return d.Literal("comparison", operator, (term(left), term(right)))


def same(texts: dict[str, str]) -> None:
    program, rules = Program.parse(texts), read_rules(texts)
    mine = [d.Rule(item(r.head), tuple(map(item, r.body))) for r in program.rules]
    assert mine == list(rules.rules)
    assert [(r.span.file, r.span.line) for r in program.rules] == [(r.file, r.line) for r in rules.rules]
    schema = program.schema
    assert rules.columns == {n: tuple(schema.root(c.type) for c in x.columns) for n, x in schema.relations.items()}
    assert rules.inputs == schema.inputs
    for rule in program.rules:
        assert read_rule(format_rule(rule)) == d.Rule(item(rule.head), tuple(map(item, rule.body)))
        for literal in rule.body:
            if isinstance(literal, s.Comparison) and not any(side.outer for side in sides(literal)):
                assert read_comparison(format_body(literal)) == item(literal)


def sides(found: s.Comparison) -> list[s.Aggregate]:
    return [side for side in (found.left, found.right) if isinstance(side, s.Aggregate)]


# ---- Reading ----


def test_the_builtin_rules_are_read_alike() -> None:
    same(builtin_texts())


@pytest.mark.parametrize("seed", range(60))
def test_random_programs_are_read_alike(seed: int) -> None:
    same({"r.dl": random_program(seed, texts=True)[0]})
    same({"s.dl": declarations() + "\n".join(small_rules(seed))})


@pytest.mark.parametrize(
    "body",
    [
        "(X = 1)",
        "((X + 1) * 2 = Y)",
        "(X) = (Y)",
        "((e(X, Y); e(Y, X)), X < Y; !e(X, _), (X) < -1)",
        "X = -1 - -1",
        "X - 1 < 2 % (3 - Y)",
        "e(X, (Y))",
        "/* a /* b */ X = 1 // c",
    ],
)
def test_parentheses_signs_and_comments_are_read_alike(body: str) -> None:
    text = f".decl e(x: number, y: number)\n.input e\n.decl p(x: number)\np(X),\np(Y) :- e(X, Y),\n {body}\n."
    same({"t.dl": text})


@pytest.mark.parametrize(
    "body",
    [
        'match /* a */ ("a.*", X)',
        '!match(X, "a")',
        '(X != Y, contains("\\\\", X); !contains(Y, X))',
        '2 < count : { e(_, Z), match("b", Z) }',
    ],
)
def test_constraints_are_read_alike(body: str) -> None:
    text = f".decl e(x: symbol, y: symbol)\n.input e\n.decl p(x: symbol)\np(X) :- e(X, Y), {body}.\n"
    same({"t.dl": text})


@pytest.mark.parametrize(
    "text",
    [
        "p(",
        "p(X) :- q(X)",
        "p(X).",
        ".decl p(x: nothing)",
        ".decl p(x: symbol)\np(1, 2).",
        "p 1",
        '"',
        ".decl p()\np() :- 'a'.",
    ],
)
def test_what_is_no_program_is_refused(text: str) -> None:
    with pytest.raises(RulesError):
        read_rules({"t.dl": text})


@pytest.mark.parametrize(
    "text", ["", "p(X).q(X).", "p(X), q(X).", "p(X) :- a(X); b(X).", "p(X) :- a(X)", ".decl p()", "(" * 9999]
)
def test_what_is_no_single_rule_is_none(text: str) -> None:
    assert read_rule(text) is None


# ---- Functions ----

ADDRESSES = st.one_of(
    st.ip_addresses().map(str),
    st.ip_addresses(v=6).map(lambda address: address.exploded),
    st.integers(0, 2**32 - 1).map(lambda n: f"::ffff:{n >> 24}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"),
    st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){2,4}", fullmatch=True),
    st.from_regex(r"[0-9a-fA-F:.]{0,12}", fullmatch=True),
    st.sampled_from(
        ["", "::", "::1", "1::", "0:0:1::", "1:0:0:2:0:0:0:3", "01.2.3.4", "1.2.3.4 ", "fe80::1%eth0", "١.1.1.1"]
    ),
    st.text(max_size=6),
)
CIDRS = st.one_of(
    st.builds(lambda address, length: f"{address}/{length}", ADDRESSES, st.integers(0, 130)),
    st.builds(lambda address, length: f"{address}/{length}", st.ip_addresses(v=4), st.integers(0, 33)),
    st.sampled_from(
        ["10.0.0.0/08", "10.0.0.0/255.0.0.0", "10.0.0.0", "10.0.0.0/", "/8", "::/0", "0.0.0.0/0", "1.1.1.1/٣"]
    ),
    ADDRESSES,
)


INTEGERS = (
    "0",
    "+1",
    "-0",
    "007",
    "1e3",
    "1_0",
    "",
    "-",
    "9223372036854775808",
    "-9223372036854775808",
    "9" * 5000,
    "٣",
)


@given(ADDRESSES, CIDRS, CIDRS)
@example("10.0.0.1", "10.0.0.0/8", "10.0.0.0/9")
@example("10.0.0.1", "::ffff:1.2.3.4/104", "::ffff:1.2.3.0/120")
def test_functions_of_addresses_agree(address: str, cidr: str, other: str) -> None:
    assert {name.removeprefix("@") for name in FUNCTORS} == {*BUILTIN, *CONSTRAINTS}
    calls: list[tuple[str, tuple[str | int, ...]]] = [
        ("address_family", (address,)),
        ("address_canonical", (address,)),
        ("cidr_family", (cidr,)),
        ("cidr_canonical", (cidr,)),
        ("cidr_lower", (cidr,)),
        ("cidr_upper", (cidr,)),
    ]
    calls += [("cidr_contains", (cidr, address)), ("cidr_covers", (cidr, other)), ("cidr_covers", (other, cidr))]
    calls += [("integer_order", pair) for pair in product((cidr, "-7", "9223372036854775807"), INTEGERS)]
    calls += [("text_length", (address,)), ("text_join", (cidr, address)), ("text_of", (len(cidr) - 9,))]
    for name, arguments in calls:
        assert FUNCTORS[f"@{name}"](*arguments) == BUILTIN[name](*arguments), (name, arguments)


# ---- Evaluation ----


def consequences(text: str, facts: Facts) -> Consequences:
    rules = read_rules({"r.dl": text})
    return Consequences(rules.rules, facts, rules.columns)


@pytest.mark.parametrize("seed", range(150))
def test_the_same_follows(seed: int) -> None:
    found = evaluated_program(seed)
    if found is None:
        return
    text, facts, model = found
    follows = consequences(text, facts)
    for name in model.program.schema.relations:
        assert sorted(follows.rows(name)) == model.rows(name), name


def test_negation_of_what_depends_on_it_is_refused() -> None:
    with pytest.raises(RulesError, match="negation"):
        consequences(".decl p()\n.decl q()\np() :- !q().\nq() :- p().", {})


def test_variables_without_values_are_refused() -> None:
    with pytest.raises(RulesError, match="no values"):
        consequences(".decl p(x: symbol)\n.decl q(x: symbol)\np(X) :- !q(X).", {})
    with pytest.raises(RulesError, match="no values"):
        consequences(".decl p(x: symbol)\n.decl q(x: symbol)\np(X) :- q(_).", {"q": [("a",)]})


FIRSTS = """.decl matches(rule: number, flow: symbol)
.input matches
.decl first(flow: symbol, rule: number)
first(F, R) :- matches(_, F), R = min X : { matches(X, F) }.
.decl busy(flow: symbol)
busy(F) :- matches(_, F), count : { matches(_, F), !first(F, 7) } > 1.
.decl last(rule: number)
last(maximum) :- maximum = max counted : { matches(counted, _) }.
"""


def test_aggregates_are_read_and_computed_alike() -> None:
    matches: dict[str, list[d.Row]] = {"matches": [(2, "f"), (1, "f"), (3, "g"), (0, "h")]}
    same({"r.dl": FIRSTS})
    model = evaluate(Program.parse({"r.dl": FIRSTS}), matches)
    follows = consequences(FIRSTS, matches)
    for name in ("first", "busy", "last"):
        assert sorted(follows.rows(name)) == model.rows(name), name
    assert model.rows("busy") == [("f",)]


def test_an_aggregate_of_what_depends_on_it_is_refused() -> None:
    with pytest.raises(RulesError, match="aggregate"):
        consequences(".decl p(n: number)\np(N) :- N = count : { p(_) }.", {})
