"""All that the engine says about some random programs under change, printed: deltas, rows, proofs, what is missing, errors.

Run as a script, by any CPython that the engine runs on, with the engine's two dependencies and no others. Before
anything is printed, each changed database is compared with a fresh one, and a small one with brute force.
"""

from random import Random

from liqo_connectivity.engine import Database, Program, ProgramError, Row
from liqo_connectivity.engine.proofs.proof import Proof
from liqo_connectivity.engine.syntax.printer import format_body
from liqo_connectivity.engine.why_not.absence import Absence, pattern
from tests.support.churn import Batch, batches, commit, difference, loaded, netted, program_of
from tests.support.explaining import proofs, why_not

SEEDS = range(80)
CYCLE = "".join(f".decl r{i}()\nr{i}() :- r{(i + 1) % 9}(), r{(i + 4) % 9}(), !r{(i + 7) % 9}().\n" for i in range(9))


def main() -> None:
    for seed in SEEDS:
        program, facts = program_of(seed)
        database, rng = loaded(program, facts), Random(seed)
        requests: Batch = []
        for batch in batches(rng, program, facts, 5):
            print(seed, commit(database, batch))
            facts = netted(facts, batch)
            requests += batch
        assert not difference(database, program, facts)
        tell(database, requests[-5:])
    try:
        Program.parse({"c.dl": CYCLE})
    except ProgramError as error:
        print(error)


def tell(database: Database, requests: Batch) -> None:
    """Print why each row is there, and why those of some requests are not, nor in other relations."""
    for name in database.program.schema.relations:
        for row in database.rows(name):
            for proof in proofs(database, name, row, 3).found:
                tell_proof(proof)
    for name, row, _ in requests:
        for other in (name, *database.program.rules_by_head):
            if roots(database.program, other) == roots(database.program, name):
                tell_absence(database, other, row)


def roots(program: Program, name: str) -> list[str]:
    return [program.schema.root(column.type) for column in program.schema.relations[name].columns]


def tell_proof(proof: Proof) -> None:
    for node in proof.walk():
        print(node, (node.height, node.rule and node.rule.number) if isinstance(node, Proof) else "")


def tell_absence(database: Database, name: str, row: Row) -> None:
    found = why_not(database, pattern(name, row))
    for absence in found.walk() if found is not None else ():
        print(absence, absence.reason)
        for failure in absence.failures:
            print(failure.rule.number, [format_body(item) for item in failure.holding], failure)
            if isinstance(failure.because, Absence | None):
                continue
            tell_proof(failure.because)


if __name__ == "__main__":
    main()
