"""What a proof rests on, it rests on: without one of its facts it is another proof or none, and without others the same."""

from random import Random

import pytest

from liqo_connectivity.engine import Database, Program, Proof, Row, evaluate
from tests.support.churn import Batch, commit, loaded, netted, program_of
from tests.support.explaining import proofs, prove
from tests.support.small_programs import COLUMNS, declarations, plenty_of_facts, small_rules_without_negation

LIMIT = 60
"""How many proofs of a tuple are looked at; those of a tuple with more are left out where all are needed."""


def leaves(proof: Proof | None) -> set[tuple[str, Row]]:
    """Give the facts that a proof rests on."""
    nodes = [] if proof is None else proof.walk()
    return {(node.relation, node.row) for node in nodes if isinstance(node, Proof) and node.rule is None}


def asked(database: Database, rng: Random, count: int) -> list[tuple[str, Row]]:
    """Give some derived tuples."""
    found = [(name, row) for name in sorted(database.program.rules_by_head) for row in database.rows(name)]
    return rng.sample(found, min(count, len(found)))


def positive(seed: int) -> Database:
    """Load a small program without negation."""
    program = Program.parse({"p.dl": declarations() + "\n".join(small_rules_without_negation(seed))})
    return loaded(program, plenty_of_facts(seed))


@pytest.mark.parametrize("seed", range(0, 80, 4))
def test_without_a_fact_of_a_proof_there_is_another_proof_or_none(seed: int) -> None:
    for program, facts in map(program_of, range(seed, seed + 4)):
        database, rng = loaded(program, facts), Random(seed)
        for name, row in asked(database, rng, 5):
            for leaf in sorted(leaves(prove(database, name, row)), key=str):
                gone: Batch = [(*leaf, False)]
                commit(database, gone)
                changed = prove(database, name, row)
                assert changed == prove(evaluate(program, netted(facts, gone)), name, row)
                assert (changed is not None) == database.contains(name, row)
                assert leaf not in leaves(changed)
                commit(database, [(*leaf, True)])


@pytest.mark.parametrize("first", range(0, 60, 12))
def test_without_negation_other_facts_do_not_matter_to_a_proof(first: int) -> None:
    tried = 0
    for seed in range(first, first + 12):
        database = positive(seed)
        given = {(name, row) for name in COLUMNS for row in database.given(name)}
        for name, row in asked(database, Random(seed), 8):
            proof = prove(database, name, row)
            others = sorted(given - leaves(proof), key=str)
            commit(database, [(relation, fact, False) for relation, fact in others])
            assert prove(database, name, row) == proof
            commit(database, [(relation, fact, True) for relation, fact in others])
            tried += len(others) > 0
    assert tried > 40


@pytest.mark.parametrize("first", range(0, 60, 12))
def test_without_negation_a_tuple_goes_with_a_fact_of_each_proof(first: int) -> None:
    tried = several = 0
    for seed in range(first, first + 12):
        database, rng = positive(seed), Random(seed)
        for name, row in asked(database, rng, 12):
            some = proofs(database, name, row, LIMIT)
            rests = [sorted(leaves(proof), key=str) for proof in some.found]
            if not some.complete or not all(rests):
                continue
            gone = sorted({rng.choice(facts) for facts in rests}, key=str)
            commit(database, [(relation, fact, False) for relation, fact in gone])
            assert prove(database, name, row) is None
            # One comes back, and with it the tuple, if a proof rests on none of the others.
            commit(database, [(*gone[0], True)])
            assert database.contains(name, row) == any(set(gone[1:]).isdisjoint(facts) for facts in rests)
            commit(database, [(relation, fact, True) for relation, fact in gone])
            tried, several = tried + 1, several + (len(gone) > 1)
    assert tried > 40
    assert several > 5
