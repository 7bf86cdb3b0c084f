"""Rows, proofs and errors do not depend on the seed of Python's hashes."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = """
from tests.support.random_programs import random_program
from liqo_connectivity.engine import Explainer, Program, ProgramError, evaluate, prove
for seed in range(40):
    text, facts = random_program(seed, texts=True)
    program = Program.parse({"r.dl": text})
    model = evaluate(program, facts)
    explainer = Explainer(model)
    for relation in program.schema.relations:
        for row in model.rows(relation):
            proof = prove(explainer, relation, row)
            print(relation, row, proof.height, [str(node) for node in proof.walk()])
cycle = "".join(f".decl r{i}()\\nr{i}() :- r{(i + 1) % 9}(), r{(i + 4) % 9}(), !r{(i + 7) % 9}().\\n" for i in range(9))
try:
    Program.parse({"c.dl": cycle})
except ProgramError as error:
    print(error)
"""


@pytest.mark.slow
def test_rows_proofs_and_errors_do_not_depend_on_the_hash_seed() -> None:
    def output(seed: int) -> str:
        env = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PYTHONHASHSEED": str(seed)}
        done = subprocess.run([sys.executable, "-c", SCRIPT], env=env, capture_output=True, text=True, check=True)
        return done.stdout

    outputs = {output(seed) for seed in range(4)}
    assert len(outputs) == 1
    assert "the cycle: " in outputs.pop()
