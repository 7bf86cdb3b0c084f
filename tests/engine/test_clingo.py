"""Random programs and what clingo, an answer-set solver of other authors, derives from them: every relation is the same.

Left out are programs that clingo takes in another sense: those that divide, compare with the least or greatest of
nothing, or count what a wildcard stands for.
"""

from collections.abc import Mapping
from functools import cache
from random import Random

import pytest
from benchmarks.asp import solve

from liqo_connectivity.engine import Model, Program, Row, evaluate
from liqo_connectivity.engine.syntax.nodes import Aggregate, Call, Negation, aggregate_of, subterms
from tests.support.churn import Facts, batches, commit, loaded, netted, program_of

BLOCK = 80
SEEDS = range(0, 640, BLOCK)
LEAST = 15
"""How many programs of a block clingo must be able to take."""


def derived(program: Program, facts: Facts) -> dict[str, list[Row]] | None:
    """What clingo derives; nothing if the program means something else to it."""
    try:
        return solve(program, facts, program.schema.relations)
    except NotImplementedError:
        return None


def rows(model: Model) -> Mapping[str, list[Row]]:
    return {name: model.rows(name) for name in model.program.schema.relations}


@cache
def taken(first: int) -> list[tuple[int, Program, Facts, dict[str, list[Row]]]]:
    """The programs of a block that clingo takes, by seed, each with its facts and what clingo derives."""
    found = [(seed, *program_of(seed)) for seed in range(first, first + BLOCK)]
    solved = [(*one, derived(*one[1:])) for one in found]
    return [(seed, program, facts, wanted) for seed, program, facts, wanted in solved if wanted is not None]


@pytest.mark.parametrize("first", SEEDS)
def test_clingo_derives_the_same(first: int) -> None:
    programs = filled = 0
    for seed, program, facts, wanted in taken(first):
        assert rows(evaluate(program, facts)) == wanted, f"seed {seed}"
        assert rows(loaded(program, facts)) == wanted, f"seed {seed}"
        programs += 1
        filled += sum(bool(wanted[name]) for name in program.rules_by_head)
    assert programs >= LEAST
    assert filled > programs, "empty relations are easily the same"


@pytest.mark.parametrize("first", SEEDS)
def test_clingo_derives_what_a_changed_database_holds(first: int) -> None:
    for seed, program, given, _ in taken(first):
        database, facts = loaded(program, given), given
        for batch in batches(Random(seed), program, given, 3):
            commit(database, batch)
            facts = netted(facts, batch)
            assert rows(database) == derived(program, facts), f"seed {seed}, {batch}"


@pytest.mark.slow
def test_the_programs_that_clingo_takes_have_all_constructs() -> None:
    found = {"mutual recursion": 0, "negation": 0, "aggregate": 0, "functor": 0, "fact for a derived relation": 0}
    for _, program, facts, _ in (one for first in SEEDS for one in taken(first)):
        body = [item for rule in program.rules for item in rule.body]
        terms = [term for rule in program.rules for item in (rule.head, *rule.body) for term in subterms(item)]
        found["mutual recursion"] += any(len(component.relations) > 1 for component in program.components)
        found["negation"] += any(isinstance(item, Negation) for item in body)
        found["aggregate"] += any(isinstance(aggregate_of(item), Aggregate) for item in body)
        found["functor"] += any(isinstance(term, Call) for term in terms)
        found["fact for a derived relation"] += any(facts.get(name) for name in program.rules_by_head)
    assert min(found.values()) >= 5, found
