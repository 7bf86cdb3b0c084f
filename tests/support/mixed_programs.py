"""Random programs of two generators, with facts and what they derive."""

from liqo_connectivity.engine import Database, EvaluationError, Facts, Program, evaluate
from tests.support.random_programs import random_program
from tests.support.small_programs import declarations, small_facts, small_rules


def evaluated_program(seed: int) -> tuple[str, Facts, Database] | None:
    """The text of a program, its facts and its model; None if its arithmetic has no result."""
    if seed % 2:
        text, facts = random_program(seed)
    else:
        text, facts = declarations() + "\n".join(small_rules(seed)), small_facts(seed)
    try:
        return text, facts, evaluate(Program.parse({"r.dl": text}), facts)
    except EvaluationError:
        return None
