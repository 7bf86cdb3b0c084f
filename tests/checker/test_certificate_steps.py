"""Single proofs, of any program: each step is checked once, however high the proof and however much it shares."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from liqo_connectivity.checker import RejectedError, read_rules
from liqo_connectivity.checker.consequences import Consequences
from liqo_connectivity.checker.dump import Source, source_of
from liqo_connectivity.checker.steps import StepChecker
from liqo_connectivity.checker.syntax import Row
from liqo_connectivity.engine import Facts, Program, Proof, evaluate
from liqo_connectivity.facts import Fact, FactBase
from liqo_connectivity.facts.base.fact import Source as Object
from liqo_connectivity.operator.explain.document.proof import proof_document
from liqo_connectivity.operator.explain.dot import proofs_dot
from liqo_connectivity.operator.explain.text.proof import proof_lines
from tests.support.explaining import prove
from tests.support.mixed_programs import evaluated_program

FIELDS = ("kind", "namespace", "name", "uid", "resourceVersion", "field", "value")
SOURCE: dict[str, object] = dict.fromkeys(FIELDS, "x")


class OneObject(FactBase):
    """A base in which one field of one object asserts every fact, of whatever relation."""

    def facts_for(self, relation: str, row: Row) -> tuple[Fact, ...]:
        return (Fact(row, Object("x", "x", "x", "x", "x"), "x", "x"),)


BASE = OneObject()


def steps_for(text: str, facts: Facts, wanted: Sequence[str] | None = None) -> StepChecker:
    """A checker that trusts a program and facts, each asserted by ``SOURCE``; of relations not wanted nothing is absent."""
    rules = read_rules({"r.dl": text})
    given: dict[str, dict[Row, frozenset[Source]]] = {
        name: {tuple(row): frozenset({source_of(SOURCE)}) for row in rows} for name, rows in facts.items()
    }
    return StepChecker(rules, given, {}, Consequences(rules.rules, facts, rules.columns if wanted is None else wanted))


def certificate(proof: Proof) -> Any:
    """A proof as it is printed, read again."""
    return json.loads(json.dumps(proof_document(proof, BASE)))


def proved(text: str, facts: Facts, relation: str, row: Row) -> Proof:
    proof = prove(evaluate(Program.parse({"r.dl": text}), facts), relation, row)
    assert proof is not None
    return proof


@pytest.mark.parametrize("seed", range(150))
def test_proofs_of_random_programs_hold(seed: int) -> None:
    found = evaluated_program(seed)
    if found is None:
        return
    text, facts, model = found
    steps = steps_for(text, facts)
    for name in model.program.rules_by_head:
        for row in model.rows(name)[:3]:
            proof = prove(model, name, row)
            assert proof is not None
            document = certificate(proof)
            assert steps.check(document, "") == (name, row)
            assert sum(isinstance(node, Proof) for node in proof.walk()) == len(document["steps"])


CONSTRAINED = """.decl e(x: symbol, pattern: symbol)
.input e
.decl p(x: symbol)
p(X) :- e(X, W), match(W, X), !contains("b", X), !match("a{3,}", X).
"""


def test_constraints_are_matched_again() -> None:
    facts: Facts = {"e": [("aa", "a+"), ("ab", ".*"), ("aaa", "(a*)*"), ("c", "a")]}
    assert evaluate(Program.parse({"r.dl": CONSTRAINED}), facts).rows("p") == [("aa",)]
    document = certificate(proved(CONSTRAINED, facts, "p", ("aa",)))
    assert steps_for(CONSTRAINED, facts).check(document, "") == ("p", ("aa",))
    shown = [premise["holds"] for premise in document["steps"][0]["premises"] if isinstance(premise, dict)]
    assert shown == ['match("a+", "aa")', '!contains("b", "aa")', '!match("a{3,}", "aa")']


@pytest.mark.parametrize(("row", "why"), [("ab", '!contains("b", "ab")'), ("aaa", '!match("a{3,}", "aaa")')])
def test_a_constraint_that_does_not_hold_is_refused(row: str, why: str) -> None:
    facts: Facts = {"e": [("aa", ".*"), (row, ".*")]}
    written = json.dumps(certificate(proved(CONSTRAINED, {"e": [("aa", ".*")]}, "p", ("aa",))))
    forged = json.loads(written.replace('"aa"', f'"{row}"').replace('\\"aa\\"', f'\\"{row}\\"'))
    with pytest.raises(RejectedError) as caught:
        steps_for(CONSTRAINED, facts, []).check(forged, "")
    assert why in str(caught.value)
    assert "this is not true" in str(caught.value)


# ---- Sharing and height ----

HEIGHT = 5000
CHAIN = """.decl next(s: number, t: number)
.input next
.decl reached(n: number)
reached(0).
reached(T) :- reached(S), next(S, T).
"""


def doubling(height: int) -> str:
    """Each step rests on the one below it twice over, by two others: 2^height ways lead down."""
    rules = "".join(
        f".decl left{n}()\n.decl right{n}()\n.decl both{n + 1}()\n"
        f"left{n}() :- both{n}().\nright{n}() :- both{n}().\nboth{n + 1}() :- left{n}(), right{n}().\n"
        for n in range(height)
    )
    return f".decl given(n: number)\n.input given\n.decl both0()\nboth0() :- given(_).\n{rules}"


def test_what_is_shared_is_written_once() -> None:
    text = doubling(20)
    document = certificate(proved(text, {"given": [(1,)]}, "both20", ()))
    assert len(document["steps"]) == 2 + 3 * 20
    assert len(json.dumps(document)) < 20_000
    steps = steps_for(text, {"given": [(1,)]}, [])
    assert steps.check(document, "") == ("both20", ())
    assert (steps.derived, steps.leaves) == (1 + 3 * 20, 1)


def test_steps_are_read_from_the_top_down() -> None:
    steps = certificate(proved(doubling(2), {"given": [(1,)]}, "both2", ()))["steps"]
    assert [(step["relation"], step.get("premises")) for step in steps] == [
        ("both2", [1, 2]),
        ("left1", [3]),
        ("right1", [3]),
        ("both1", [4, 5]),
        ("left0", [6]),
        ("right0", [6]),
        ("both0", [7]),
        ("given", None),
    ]


@pytest.fixture(scope="module")
def chain() -> Proof:
    return proved(CHAIN, {"next": [(n, n + 1) for n in range(HEIGHT)]}, "reached", (HEIGHT,))


def test_a_proof_of_thousands_of_steps_holds(chain: Proof) -> None:
    document = certificate(chain)
    assert (chain.height, len(document["steps"])) == (HEIGHT, 2 * HEIGHT + 1)
    steps = steps_for(CHAIN, {"next": [(n, n + 1) for n in range(HEIGHT)]}, [])
    assert steps.check(document, "") == ("reached", (HEIGHT,))
    assert (steps.derived, steps.leaves) == (HEIGHT + 1, HEIGHT)
    lowest = document["steps"][HEIGHT]
    assert lowest["row"] == [0]
    lowest["rule"]["line"] += 1
    with pytest.raises(RejectedError, match=f"^/steps/{HEIGHT} "):
        steps.check(document, "")


def test_a_proof_of_thousands_of_steps_is_laid_out(chain: Proof) -> None:
    for full in (False, True):
        lines = proof_lines(chain, BASE, full=full)
        assert lines[0].startswith(f"reached({HEIGHT})")
        assert sum("reached(" in line for line in lines) >= HEIGHT
    assert proofs_dot([chain], BASE).count(" -> ") == 2 * HEIGHT


# ---- Recursion by hand ----

PATHS = """.decl edge(s: symbol, t: symbol)
.input edge
.decl path(s: symbol, t: symbol)
path(X, Y) :- edge(X, Y).
path(X, Z) :- path(X, Y), edge(Y, Z).
"""


def leaf(*row: str) -> dict[str, object]:
    return {"relation": "edge", "row": list(row), "height": 0, "sources": [SOURCE]}


def path(line: int, height: int, row: tuple[str, str], *premises: object) -> dict[str, object]:
    text = PATHS.splitlines()[line - 1]
    rule = {"file": "r.dl", "line": line, "text": text}
    return {"relation": "path", "row": list(row), "height": height, "rule": rule, "premises": list(premises)}


def listed(*steps: Mapping[str, object]) -> dict[str, object]:
    return {"minimal": True, "steps": [{"step": number, **step} for number, step in enumerate(steps)]}


def check_paths(*steps: Mapping[str, object]) -> object:
    return steps_for(PATHS, {"edge": [("a", "b"), ("b", "b"), ("b", "c")]}).check(listed(*steps), "/x")


def test_a_proof_of_a_recursive_relation_holds() -> None:
    found = check_paths(path(5, 2, ("a", "c"), 1, 2), path(4, 1, ("a", "b"), 3), leaf("b", "c"), leaf("a", "b"))
    assert found == ("path", ("a", "c"))


def test_a_tuple_that_is_proved_by_itself_is_rejected() -> None:
    """Each line is an instance of its rule, and the heights fit."""
    twice = path(5, 2, ("b", "b"), 1, 2), path(4, 1, ("b", "b"), 2), leaf("b", "b")
    with pytest.raises(RejectedError, match=r"^/x/steps/1 \(path\(\"b\", \"b\"\)\): step 0 speaks of it already"):
        check_paths(*twice)


def test_a_circle_is_rejected() -> None:
    """Without a fact at its end: reading goes on to the step that names one above."""
    upper, lower = path(5, 2, ("a", "b"), 1, 2), path(5, 1, ("a", "b"), 0, 2)
    lower["row"] = ["a", "c"]
    with pytest.raises(RejectedError, match="the rule needs"):
        check_paths(upper, lower, leaf("b", "b"))
    with pytest.raises(RejectedError, match=r"^/x/steps/1/premises/0 .*step 0 is none: a proof has no circles"):
        check_paths(path(5, 2, ("a", "c"), 1, 2), path(5, 1, ("a", "b"), 0, 3), leaf("b", "c"), leaf("c", "b"))


def test_a_premise_that_does_not_join_is_rejected() -> None:
    with pytest.raises(RejectedError, match=r"/x/steps/0/premises/1 .*the rule needs edge\(\"b\", \"b\"\) here"):
        check_paths(path(5, 2, ("a", "b"), 1, 2), path(4, 1, ("a", "b"), 2), leaf("a", "b"))


# ---- Aggregates ----

RULE = "first(F, R) :- matches(_, F), R = min X : { matches(X, F) }."
FIRSTS = f""".decl matches(rule: number, flow: symbol)
.input matches
.decl first(flow: symbol, rule: number)
{RULE}
"""


def matched(rule: int) -> dict[str, object]:
    return {"relation": "matches", "row": [rule, "f"], "height": 0, "sources": [SOURCE]}


@pytest.mark.parametrize(
    ("value", "holds", "witness", "problem"),
    [
        (1, '1 = min X : { matches(X, "f") }', 1, ""),
        (2, '2 = min X : { matches(X, "f") }', 2, "this is not true"),
        (2, '1 = min X : { matches(X, "f") }', 1, "the rule needs"),
        (1, '1 = min X : { matches(X, "g") }', 1, "the rule needs"),
        (1, '1 = max X : { matches(X, "f") }', 1, "the rule needs"),
        (1, '1 = min X : { matches(X, "f") }', 2, "does not have the value 1"),
        (1, '1 = min X : { matches(X, "f") }', 5, "does not have the value 1"),
    ],
)
def test_the_value_of_an_aggregate_is_computed_anew(value: int, holds: str, witness: int, problem: str) -> None:
    # The premise and the witness may be the same tuple, and so the same step.
    shown = {"comparison": holds, "kind": "min", "value": value, "passedOver": []}
    premises = [1, {"aggregated": {**shown, "witnesses": [[1 if witness == 2 else 2]]}}]
    rule = {"file": "r.dl", "line": 4, "text": RULE}
    root = {"relation": "first", "row": ["f", value], "height": 1, "rule": rule, "premises": premises}
    proof = listed(root, matched(2), *([] if witness == 2 else [matched(witness)]))
    steps = steps_for(FIRSTS, {"matches": [(2, "f"), (1, "f"), (3, "g"), (0, "h")]})
    if not problem:
        assert steps.check(proof, "") == ("first", ("f", 1))
        return
    with pytest.raises(RejectedError, match=problem):
        steps.check(proof, "")
