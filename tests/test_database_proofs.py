"""Proofs over a database: those of the reference evaluator, whatever the database has been through."""

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from churn import batches, commit, loaded, netted, program_of

from liqo_connectivity.engine import Program, evaluate, prove
from liqo_connectivity.engine.model import Model

HERE = Path(__file__).parent


def same_proofs(program: Program, one: Model, other: Model) -> int:
    count = 0
    for name in program.schema.relations:
        assert one.rows(name) == other.rows(name)
        for row in one.rows(name):
            assert prove(one, name, row) == prove(other, name, row)
            count += 1
    return count


@pytest.mark.parametrize("seed", range(60))
def test_after_changes_every_proof_is_that_of_a_fresh_model(seed: int) -> None:
    program, facts = program_of(seed)
    database = loaded(program, facts)
    for number, batch in enumerate(batches(Random(seed), program, facts, 8)):
        commit(database, batch)
        facts = netted(facts, batch)
        if number in (3, 7):
            same_proofs(program, database, evaluate(program, facts))
            same_proofs(program, database.snapshot(), loaded(program, facts))


@pytest.mark.parametrize("seed", range(20))
def test_asking_for_proofs_between_changes_disturbs_nothing(seed: int) -> None:
    """Proofs may build indexes of their own; those have to follow later changes."""
    program, facts = program_of(seed)
    database = loaded(program, facts)
    for batch in batches(Random(seed), program, facts, 6):
        commit(database, batch)
        facts = netted(facts, batch)
        for name in program.schema.relations:
            for row in database.rows(name)[:3]:
                assert prove(database, name, row) is not None
        assert not database.check()


def test_a_proof_is_the_same_under_every_hash_seed() -> None:
    code = """
from random import Random
from churn import batches, commit, loaded, netted, program_of
from liqo_connectivity.engine import prove
for seed in range(12):
    program, facts = program_of(seed)
    database = loaded(program, facts)
    for batch in batches(Random(seed), program, facts, 4):
        print(commit(database, batch))
    for name in program.schema.relations:
        for row in database.rows(name):
            print([str(node) for node in prove(database, name, row).walk()])
"""
    found = set()
    for seed in range(4):
        path = os.pathsep.join([str(HERE), str(HERE.parent / "src")])
        environment = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": path}
        found.add(subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True).stdout)
    assert len(found) == 1
    assert len(found.pop()) > 1000
