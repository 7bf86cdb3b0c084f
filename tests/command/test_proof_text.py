"""Proofs with aggregates as people read them: what comes first, what was passed over, what is counted."""

from dataclasses import replace

import pytest

from liqo_connectivity.engine import Program, Proof, Row, evaluate
from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.explain.dot import proofs_dot
from liqo_connectivity.operator.explain.proof_steps import caveat
from liqo_connectivity.operator.explain.text.proof import proof_lines
from tests.support.explaining import prove

TEXT = """.decl offer(rule: number)
.decl hit(rule: number)
.decl matches(rule: number)
.decl first(rule: number)
.decl many(hits: number)
matches(R) :- hit(R), offer(R).
first(R) :- offer(R), R = min M : { matches(M) }.
many(1) :- 2 < count : { matches(_) }.
"""


def proof(relation: str, row: Row, hits: list[int]) -> Proof:
    # Stated in the text: they come from no object.
    stated = "".join([*(f"offer({n}). " for n in range(9)), *(f"hit({n}). " for n in hits)])
    found = prove(evaluate(Program.parse({"t.dl": TEXT + stated}), {}), relation, row)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("first", "said"),
    [
        (1, "  not found: matches(0)"),
        (3, "  not found: matches(0), matches(1), matches(2)"),
        (6, "  not found: matches(0), matches(1), matches(2) and 3 more"),
    ],
)
def test_the_least_names_what_it_passes_over(first: int, said: str) -> None:
    lines = proof_lines(proof("first", (first,), [first, 7]), FactBase())
    assert lines[0] == f"first({first})  [t.dl:7]{said}"
    assert f"  matches({first})  [t.dl:6]" in lines[1]


def test_where_nothing_is_passed_over_the_witness_says_it_all() -> None:
    assert proof_lines(proof("first", (0,), [0, 7]), FactBase())[0] == "first(0) <- matches(0)  [t.dl:6]"


def test_a_count_says_how_many_and_shows_three() -> None:
    lines = proof_lines(proof("many", (1,), [1, 2, 3, 4, 5]), FactBase())
    assert lines[0] == "many(1)  [t.dl:8]  true: 2 < count : { matches(_) } (the value is 5)"
    assert [line.split()[0] for line in lines[1:] if "matches" in line] == ["matches(1)", "matches(2)", "matches(3)"]


def test_the_full_form_keeps_the_aggregate_above_its_witness() -> None:
    lines = proof_lines(proof("first", (1,), [1]), FactBase(), full=True)
    at = lines.index("  true: 1 = min M : { matches(M) }; not found: matches(0)")
    assert lines[at + 1] == "    matches(1)  [t.dl:6]"


def test_a_graph_draws_a_witness_below_its_aggregate() -> None:
    lines = proofs_dot([proof("first", (1,), [1])], FactBase()).splitlines()
    nodes = {line.split('"')[1]: line.split()[0] for line in lines if 'label="' in line}
    aggregate, witness = nodes["1 = min M : { matches(M) }"], nodes["matches(1)\\nt.dl:6"]
    assert f"  {witness} -> {aggregate};" in lines


def test_a_search_that_ended_early_is_told() -> None:
    found = proof("first", (1,), [1])
    assert caveat(found) == []
    assert "label=" not in proofs_dot([found], FactBase()).replace('[label="', "")
    early = replace(found, minimal=False)
    (line,) = caveat(early)
    assert line == "the search ended early: the proof is valid, but a lower one may exist"
    assert f'  label="{line}";' in proofs_dot([found, early], FactBase()).splitlines()
