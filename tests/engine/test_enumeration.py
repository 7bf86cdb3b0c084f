"""All proofs up to a number: different, sound, the lowest first, and as many as brute force finds."""

from itertools import product

import pytest

from liqo_connectivity.engine import EvaluationError, Explainer, Facts, Model, Program, Proof, Row, evaluate
from liqo_connectivity.engine.proofs.derivation_graph import DerivationGraph, open_needs
from liqo_connectivity.engine.proofs.enumeration import Proofs, derivation_graph
from liqo_connectivity.engine.proofs.rule_instances import Tuple
from tests.support.explaining import proofs, prove
from tests.support.proof_checker import check
from tests.support.random_programs import random_program

PATHS = """
.decl edge(source: symbol, target: symbol)
.input edge
.decl path(source: symbol, target: symbol)
path(X, Y) :- edge(X, Y).
path(X, Z) :- path(X, Y), edge(Y, Z).
"""


def model_of(text: str, facts: Facts) -> Model:
    return evaluate(Program.parse({"t.dl": text}), facts)


def leaves(proof: Proof) -> list[str]:
    return sorted(str(node) for node in proof.walk() if isinstance(node, Proof) and node.rule is None)


def test_each_way_through_a_graph_is_a_proof() -> None:
    model = model_of(PATHS, {"edge": [("a", "b"), ("b", "d"), ("a", "c"), ("c", "d"), ("a", "d"), ("d", "a")]})
    found = proofs(model, "path", ("a", "d"), 10)
    assert [(proof.height, leaves(proof)) for proof in found.found] == [
        (1, ['edge("a", "d")']),
        (2, ['edge("a", "b")', 'edge("b", "d")']),
        (2, ['edge("a", "c")', 'edge("c", "d")']),
    ]
    assert found.complete
    assert proofs(model, "path", ("a", "d"), 3).complete
    assert proofs(model, "path", ("a", "d"), 2) == Proofs(found.found[:2], complete=False)


def test_a_cycle_proves_nothing_by_itself() -> None:
    model = model_of(PATHS, {"edge": [("a", "b"), ("b", "a")]})
    assert [leaves(p) for p in proofs(model, "path", ("a", "b"), 9).found] == [['edge("a", "b")']]


def test_what_does_not_hold_has_no_proofs() -> None:
    model = model_of(PATHS, {"edge": [("a", "b")]})
    assert proofs(model, "path", ("b", "a"), 3) == Proofs((), complete=True)
    assert proofs(model, "path", ("a", "b"), 0) == Proofs((), complete=False)
    assert [p.height for p in proofs(model, "edge", ("a", "b"), 3).found] == [0]


def test_the_order_of_facts_does_not_matter() -> None:
    edges: list[Row] = [("a", "b"), ("b", "d"), ("a", "c"), ("c", "d"), ("b", "c"), ("c", "b")]
    one, other = (proofs(model_of(PATHS, {"edge": e}), "path", ("a", "d"), 9) for e in (edges, edges[::-1]))
    assert one == other
    assert len(one.found) == 4


def count(model: Model, relation: str, row: Row) -> int | None:
    """Count the proofs by brute force: every choice of an instance for each tuple that is needed; None for too many."""
    goal = (relation, row)
    graph, _ = derivation_graph(Explainer(model).rules(), goal, 10_000)
    derived = [t for t, uses in graph.items() if uses]
    total = 1
    for t in derived:
        total *= len(graph[t])
    if total > 3000:
        return None
    found: set[tuple[object, ...]] = set()
    for choice in product(*(range(len(graph[t])) for t in derived)):
        used: dict[Tuple, int] = {}
        if sound(goal, graph, dict(zip(derived, choice, strict=True)), (), used):
            found.add(tuple(sorted(used.items(), key=str)))
    return len(found)


def sound(
    goal: Tuple, graph: DerivationGraph, chosen: dict[Tuple, int], path: tuple[Tuple, ...], used: dict[Tuple, int]
) -> bool:
    """Tell whether a choice proves a tuple without resting on itself; note what is used of it."""
    if goal not in chosen:
        return True
    if goal in path:
        return False
    used[goal] = chosen[goal]
    return all(sound(need, graph, chosen, (*path, goal), used) for need in open_needs(graph[goal][chosen[goal]]))


@pytest.mark.parametrize("seed", range(60))
def test_random_programs(seed: int) -> None:
    text, facts = random_program(seed, texts=True)
    program = Program.parse({"r.dl": text})
    try:
        model = evaluate(program, facts)
    except EvaluationError:
        return
    for name in program.rules_by_head:
        for row in model.rows(name)[:2]:
            some = proofs(model, name, row, 12)
            found = some.found
            assert found[0] == prove(model, name, row)
            assert [p.height for p in found] == sorted(p.height for p in found)
            assert all(one != other for n, one in enumerate(found) for other in found[:n])
            for proof in found:
                check_shape(proof, name, row)
            total = count(model, name, row)
            if total is not None:
                assert len(found) == min(total, 12)
                assert some.complete == (total <= 12)
            check(found[0], model, facts)


def check_shape(proof: Proof, relation: str, row: Row) -> None:
    assert (proof.relation, proof.row) == (relation, row)
    for node in proof.walk():
        if isinstance(node, Proof):
            below = [p.height for p in node.premises if isinstance(p, Proof)]
            assert all(height < node.height or not node.premises for height in below)
