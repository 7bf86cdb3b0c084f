"""The checker's own reader, functions and evaluation: other code than the engine's, with the same results."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from random_programs import random_program
from small_programs import declarations, small_facts, small_rules

from liqo_connectivity.checker import RejectedError, RulesError, read_rules
from liqo_connectivity.checker import syntax as d
from liqo_connectivity.checker.consequences import Consequences
from liqo_connectivity.checker.dialect import read_comparison, read_rule
from liqo_connectivity.checker.dump import Source, source_of
from liqo_connectivity.checker.functors import FUNCTORS
from liqo_connectivity.checker.steps import Steps
from liqo_connectivity.engine import EvaluationError, Facts, Program, Proof, evaluate, prove
from liqo_connectivity.engine import syntax as s
from liqo_connectivity.engine.functors import BUILTIN
from liqo_connectivity.engine.printer import format_body, format_rule
from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.answer import proof_json
from liqo_connectivity.rules.program import builtin_texts


def term(found: s.Term) -> d.Term:
    match found:
        case s.Variable(name=name):
            return d.Var(name)
        case s.Wildcard():
            return d.Any_()
        case s.Constant(value=value):
            return d.Const(value)
        case s.Arithmetic(operator=operator, left=left, right=right):
            return d.Apply(operator, (term(left), term(right)))
        case s.Call(functor=functor, arguments=arguments):
            return d.Apply(f"@{functor}", tuple(map(term, arguments)))
        case s.Aggregate(kind=kind, target=target, body=body, outer=outer):
            named = d.Var(target.name) if target else None
            return d.Fold(kind, named, tuple(map(item, body)), frozenset(outer))


def item(found: s.Literal_) -> d.Item:
    match found:
        case s.Atom(relation=relation, terms=terms):
            return d.Item("atom", relation, tuple(map(term, terms)))
        case s.Negation(atom=s.Atom(relation=relation, terms=terms)):
            return d.Item("negation", relation, tuple(map(term, terms)))
        case s.Comparison(operator=operator, left=left, right=right):
            return d.Item("comparison", operator, (term(left), term(right)))


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
    same({"r.dl": random_program(seed)[0]})
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


@given(ADDRESSES, CIDRS, CIDRS)
@example("10.0.0.1", "10.0.0.0/8", "10.0.0.0/9")
@example("10.0.0.1", "::ffff:1.2.3.4/104", "::ffff:1.2.3.0/120")
def test_functions_of_addresses_agree(address: str, cidr: str, other: str) -> None:
    assert {name.removeprefix("@") for name in FUNCTORS} == set(BUILTIN)
    calls: list[tuple[str, tuple[str, ...]]] = [
        ("address_family", (address,)),
        ("cidr_family", (cidr,)),
        ("cidr_canonical", (cidr,)),
    ]
    calls += [("cidr_contains", (cidr, address)), ("cidr_covers", (cidr, other)), ("cidr_covers", (other, cidr))]
    for name, arguments in calls:
        assert FUNCTORS[f"@{name}"](*arguments) == BUILTIN[name](*arguments), (name, arguments)


# ---- Evaluation and steps ----


def consequences(text: str, facts: Facts) -> tuple[d.Rules, Consequences]:
    rules = read_rules({"r.dl": text})
    return rules, Consequences(rules.rules, facts, rules.columns)


@pytest.mark.parametrize("seed", range(150))
def test_the_same_follows_and_proofs_hold(seed: int) -> None:
    text, facts = (
        random_program(seed) if seed % 2 else (declarations() + "\n".join(small_rules(seed)), small_facts(seed))
    )
    program = Program.parse({"r.dl": text})
    try:
        model = evaluate(program, facts)
    except EvaluationError:
        return
    rules, follows = consequences(text, facts)
    for name in program.schema.relations:
        assert sorted(follows.rows(name)) == model.rows(name), name
    given: dict[str, dict[d.Row, frozenset[Source]]] = {
        name: {tuple(row): frozenset() for row in rows} for name, rows in facts.items()
    }
    steps = Steps(rules, given, frozenset(), follows)
    for name in program.rules_by_head:
        for row in model.rows(name)[:3]:
            proof = prove(model, name, row)
            assert proof is not None
            if any(isinstance(node, Proof) and node.rule is None for node in proof.walk()):
                # These facts have no object that asserts them, and so no certificate.
                continue
            assert steps.check(proof_json(proof, FactBase()), "") == (name, row)


def test_negation_of_what_depends_on_it_is_refused() -> None:
    with pytest.raises(RulesError, match="negation"):
        consequences(".decl p()\n.decl q()\np() :- !q().\nq() :- p().", {})


def test_variables_without_values_are_refused() -> None:
    with pytest.raises(RulesError, match="no values"):
        consequences(".decl p(x: symbol)\n.decl q(x: symbol)\np(X) :- !q(X).", {})
    with pytest.raises(RulesError, match="no values"):
        consequences(".decl p(x: symbol)\n.decl q(x: symbol)\np(X) :- q(_).", {"q": [("a",)]})


PATHS = """.decl edge(s: symbol, t: symbol)
.input edge
.decl path(s: symbol, t: symbol)
path(X, Y) :- edge(X, Y).
path(X, Z) :- path(X, Y), edge(Y, Z).
"""
SOURCE: dict[str, object] = dict.fromkeys(
    ("kind", "namespace", "name", "uid", "resourceVersion", "field", "value"), "x"
)


def leaf(*row: str) -> dict[str, object]:
    return {"relation": "edge", "row": list(row), "height": 0, "sources": [SOURCE]}


def path(line: int, height: int, row: tuple[str, str], *premises: object) -> dict[str, object]:
    text = PATHS.splitlines()[line - 1]
    rule = {"file": "r.dl", "line": line, "text": text}
    return {"relation": "path", "row": list(row), "height": height, "rule": rule, "premises": list(premises)}


def paths() -> Steps:
    facts: dict[str, dict[d.Row, frozenset[Source]]] = {
        "edge": {row: frozenset({source_of(SOURCE)}) for row in (("a", "b"), ("b", "b"), ("b", "c"))}
    }
    rules, follows = consequences(PATHS, {"edge": list(facts["edge"])})
    return Steps(rules, facts, frozenset(), follows)


def test_a_proof_of_a_recursive_relation_holds() -> None:
    proof = path(5, 2, ("a", "c"), path(4, 1, ("a", "b"), leaf("a", "b")), leaf("b", "c"))
    assert paths().check(proof, "/x") == ("path", ("a", "c"))


def test_a_proof_that_rests_on_itself_is_rejected() -> None:
    inner = path(5, 2, ("b", "b"), path(4, 1, ("b", "b"), leaf("b", "b")), leaf("b", "b"))
    with pytest.raises(RejectedError, match=r"/x/premises/0 \(path\(\"b\", \"b\"\)\): it is used to prove itself"):
        paths().check(inner, "/x")
    endless = path(5, 2, ("a", "b"), {}, leaf("b", "b"))
    endless["premises"] = [endless, leaf("b", "b")]
    with pytest.raises(RejectedError):
        paths().check(endless, "/x")


def test_a_premise_that_does_not_join_is_rejected() -> None:
    with pytest.raises(RejectedError, match=r"/x/premises/1 .*the rule needs edge\(\"b\", \"b\"\) here"):
        paths().check(path(5, 2, ("a", "b"), path(4, 1, ("a", "b"), leaf("a", "b")), leaf("a", "b")), "/x")


# ---- Aggregates ----

RULE = "first(F, R) :- match(_, F), R = min X : { match(X, F) }."
FIRSTS = f""".decl match(rule: number, flow: symbol)
.input match
.decl first(flow: symbol, rule: number)
{RULE}
.decl busy(flow: symbol)
busy(F) :- match(_, F), count : {{ match(_, F), !first(F, 7) }} > 1.
.decl last(rule: number)
last(max) :- max = max count : {{ match(count, _) }}.
"""
MATCHES: dict[str, list[d.Row]] = {"match": [(2, "f"), (1, "f"), (3, "g"), (0, "h")]}


def test_aggregates_are_read_and_computed_alike() -> None:
    same({"r.dl": FIRSTS})
    model = evaluate(Program.parse({"r.dl": FIRSTS}), MATCHES)
    _, follows = consequences(FIRSTS, MATCHES)
    for name in ("first", "busy", "last"):
        assert sorted(follows.rows(name)) == model.rows(name), name
    assert model.rows("busy") == [("f",)]


def test_an_aggregate_of_what_depends_on_it_is_refused() -> None:
    with pytest.raises(RulesError, match="aggregate"):
        consequences(".decl p(n: number)\np(N) :- N = count : { p(_) }.", {})


def matched(rule: int) -> dict[str, object]:
    return {"relation": "match", "row": [rule, "f"], "height": 0, "sources": [SOURCE]}


@pytest.mark.parametrize(
    ("value", "holds", "witness", "problem"),
    [
        (1, '1 = min X : { match(X, "f") }', 1, ""),
        (2, '2 = min X : { match(X, "f") }', 2, "this is not true"),
        (2, '1 = min X : { match(X, "f") }', 1, "the rule needs"),
        (1, '1 = min X : { match(X, "g") }', 1, "the rule needs"),
        (1, '1 = max X : { match(X, "f") }', 1, "the rule needs"),
        (1, '1 = min X : { match(X, "f") }', 2, "does not have the value 1"),
        (1, '1 = min X : { match(X, "f") }', 5, "does not have the value 1"),
    ],
)
def test_the_value_of_an_aggregate_is_computed_anew(value: int, holds: str, witness: int, problem: str) -> None:
    rules, follows = consequences(FIRSTS, MATCHES)
    facts = {"match": {row: frozenset({source_of(SOURCE)}) for row in MATCHES["match"]}}
    shown = {"comparison": holds, "kind": "min", "value": value, "passedOver": []}
    aggregated = {**shown, "witnesses": [[matched(witness)]]}
    premises = [matched(2), {"aggregated": aggregated}]
    rule = {"file": "r.dl", "line": 4, "text": RULE}
    proof = {"relation": "first", "row": ["f", value], "height": 1, "rule": rule, "premises": premises}
    steps = Steps(rules, facts, frozenset(), follows)
    if not problem:
        assert steps.check(proof, "") == ("first", ("f", 1))
        return
    with pytest.raises(RejectedError, match=problem):
        steps.check(proof, "")
