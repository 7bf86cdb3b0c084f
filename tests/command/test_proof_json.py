"""Proofs and explanations as data: flat lists, in which everything stands once."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from liqo_connectivity import checker, engine
from liqo_connectivity.engine import Explainer, Program, Proof, Row, evaluate
from liqo_connectivity.engine.why_not.absence import pattern
from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.commands import query
from liqo_connectivity.operator.explain import decisions
from liqo_connectivity.operator.explain.document.absence import absence_document
from liqo_connectivity.operator.explain.document.proof import proof_document
from liqo_connectivity.operator.explain.text.absence import absence_lines
from tests.support.certificates import FLOWS, RULES, SCHEMA, call, dump, facts
from tests.support.explaining import prove, why_not

FIRSTS = """.decl offer(rule: number)
.decl hit(rule: number)
.decl matches(rule: number)
.decl first(rule: number)
matches(R) :- hit(R), offer(R).
first(R) :- offer(R), R = min M : { matches(M) }.
offer(0). offer(1). offer(2). offer(3). hit(2). hit(3).
"""
EARLY = "the search ended early: the proof is valid, but a lower one may exist"


def proof(text: str, relation: str, row: Row) -> Proof:
    found = prove(evaluate(Program.parse({"t.dl": text}), {}), relation, row)
    assert found is not None
    return found


def test_premises_are_numbers_and_what_is_no_tuple_stands_in_its_place() -> None:
    document = proof_document(proof(FIRSTS, "first", (2,)), FactBase())
    assert document["minimal"] is True
    root, matches, hit, offer = document["steps"]
    assert [(step["step"], step["relation"]) for step in document["steps"]] == [
        (0, "first"),
        (1, "matches"),
        (2, "hit"),
        (3, "offer"),
    ]
    number, aggregated = root["premises"]
    assert number == 3
    assert aggregated == {
        "aggregated": {
            "comparison": "2 = min M : { matches(M) }",
            "kind": "min",
            "value": 2,
            "witnesses": [[1]],
            "passedOver": [0, 1],
        }
    }
    assert [step["premises"] for step in (matches, hit, offer)] == [[2, 3], [], []]


# ---- The commands ----

STEPS = 1100


@pytest.fixture
def chain(tmp_path: Path) -> list[str]:
    """A goal with a proof that is higher than Python recurs."""
    rules, objects = tmp_path / "chain.dl", tmp_path / "cluster.yaml"
    rules.write_text(f".decl reached(n: number)\nreached(0).\nreached(N + 1) :- reached(N), N < {STEPS}.\n")
    objects.write_text("{apiVersion: v1, kind: Namespace, metadata: {name: shop}}")
    return [f"reached({STEPS})", "-f", str(objects), "--rules", str(rules)]


def test_a_very_high_proof_is_printed(chain: list[str]) -> None:
    code, text = call("query", *chain, "--why", "-o", "json")
    assert code == 0
    (row,) = json.loads(text)["rows"]
    steps = row["proof"]["steps"]
    assert [step["height"] for step in steps if step["relation"] == "reached"] == list(range(STEPS, -1, -1))
    assert len(steps) == STEPS + 2
    code, text = call("query", *chain, "--why")
    # The lowest is a constant of the program.
    assert (code, text.count("reached(")) == (0, STEPS)


def proved_early(explainer: Explainer, relation: str, row: Row) -> Proof | None:
    """As if a budget had stopped the search."""
    found = engine.prove(explainer, relation, row)
    return found and replace(found, minimal=False)


def test_a_search_that_ended_early_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    why = ("why", *FLOWS["denied"], "-f", str(dump()))
    asked = ("query", "peering(P)", "-f", str(dump()), "--why")
    before = [call(*command)[1] for command in (why, (*why, "--full"), (*why, "-o", "dot"), asked)]
    assert not [text for text in before if EARLY in text]
    monkeypatch.setattr(decisions, "prove", proved_early)
    monkeypatch.setattr(query, "prove", proved_early)
    for command in ((*why, "--proof"), (*why, "--full"), asked):
        assert [line.strip() for line in call(*command)[1].splitlines()].count(EARLY) == 1
    assert f'  label="{EARLY}";' in call(*why, "-o", "dot")[1].splitlines()
    document = json.loads(call(*why, "-o", "json")[1])
    assert document["peerings"][0]["proof"]["minimal"] is False
    assert checker.check(document, RULES, facts(), SCHEMA).verdict == "denied"
    assert json.loads(call(*asked, "-o", "json")[1])["rows"][0]["proof"]["minimal"] is False


# ---- What is not there ----


def test_a_missing_tuple_that_several_rules_need_is_explained_once() -> None:
    """2^12 ways lead down to the one fact that is missing."""
    height = 12
    text = ".decl given()\n.input given\n.decl p0()\np0() :- given().\n" + "".join(
        f".decl a{n}()\na{n}() :- p{n}().\n.decl b{n}()\nb{n}() :- p{n}().\n"
        f".decl p{n + 1}()\np{n + 1}() :- a{n}().\np{n + 1}() :- b{n}().\n"
        for n in range(height)
    )
    found = why_not(evaluate(Program.parse({"t.dl": text}), {}), pattern(f"p{height}", ()), depth=40)
    assert found is not None
    document = absence_document(found, FactBase())
    assert [goal["goal"] for goal in document["goals"]] == list(range(len(document["goals"])))
    assert (document["goals"][0]["text"], document["proofs"]) == (f"p{height}()", [])
    below = {failure["because"]["goal"] for goal in document["goals"] for failure in goal["failures"]}
    assert below == set(range(1, len(document["goals"])))
    assert len(json.dumps(document)) < 20_000


def test_a_proof_that_several_failures_need_is_written_once() -> None:
    text = (
        ".decl given(n: number)\n.decl bad(n: number)\n.decl good(n: number)\ngiven(1).\nbad(N) :- given(N).\n"
        "good(N) :- given(N), !bad(N).\ngood(N) :- !bad(N), given(N), N = 1.\n"
    )
    model = evaluate(Program.parse({"t.dl": text}), {})
    found = why_not(model, pattern("good", (1,)))
    assert found is not None
    document = absence_document(found, FactBase())
    (goal,) = document["goals"]
    assert [failure["because"] for failure in goal["failures"]] == [{"proof": 0}, {"proof": 0}]
    (proof,) = document["proofs"]
    assert [step["relation"] for step in proof["steps"]] == ["bad", "given"]
    early = replace(
        found, failures=tuple(f._replace(because=proved_early(Explainer(model), "bad", (1,))) for f in found.failures)
    )
    assert [line.strip() for line in absence_lines(early, FactBase(), full=True)].count(EARLY) == 2
