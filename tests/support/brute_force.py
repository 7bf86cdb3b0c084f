"""A small program, derived by the engine and by brute force: both find the same rows and the same least heights."""

from liqo_connectivity.engine import Database, Facts, Program, evaluate
from tests.support.explaining import prove
from tests.support.naive import naive
from tests.support.proof_checker import check, least_heights
from tests.support.small_programs import COLUMNS, domain


def same_rows(program: Program, facts: Facts) -> Database:
    """Evaluate a program; its model. Raises AssertionError if a relation differs from what brute force finds."""
    model, truth = evaluate(program, facts), naive(program, facts, domain)
    for name in COLUMNS:
        assert set(model.rows(name)) == truth[name], f"relation {name}:\n{program.texts}"
    return model


def check_least_proofs(program: Program, facts: Facts) -> None:
    """Prove every tuple. Raises AssertionError for a proof that is none, or not of the least height."""
    model = evaluate(program, facts)
    heights = least_heights(program, facts, naive(program, facts, domain), domain)
    for name in COLUMNS:
        for row in model.rows(name):
            proof = prove(model, name, row)
            assert proof is not None
            check(proof, model, facts)
            assert proof.height == heights[name, row]
