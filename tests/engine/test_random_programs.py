"""The engine against brute force on random programs: the same rows, proofs that are proofs, and none lower."""

import random

import pytest

from liqo_connectivity.engine import Program, evaluate
from tests.support.brute_force import check_least_proofs, same_rows
from tests.support.explaining import prove
from tests.support.seeds import groups
from tests.support.small_programs import COLUMNS, declarations, small_facts, small_rules

FAST = range(0, 600, 25)
SLOW = groups(600, 6000, 25)


def program_of(seed: int) -> Program:
    return Program.parse({"small.dl": declarations() + "\n".join(small_rules(seed))})


def same_as_brute_force(seed: int) -> int:
    program = program_of(seed)
    model = same_rows(program, small_facts(seed))
    return sum(len(model.rows(rule.head.relation)) for rule in program.rules)


@pytest.mark.parametrize("first", FAST)
def test_a_random_program_means_what_brute_force_finds(first: int) -> None:
    derived = [same_as_brute_force(seed) for seed in range(first, first + 25)]
    assert sum(count > 0 for count in derived) > 10, "programs that derive nothing test nothing"


@pytest.mark.slow
@pytest.mark.parametrize("first", SLOW)
def test_many_random_programs_mean_what_brute_force_finds(first: int) -> None:
    for seed in range(first, first + 25):
        same_as_brute_force(seed)


@pytest.mark.parametrize("seed", range(60))
def test_every_tuple_of_a_random_program_has_a_least_proof(seed: int) -> None:
    check_least_proofs(program_of(seed), small_facts(seed))


@pytest.mark.parametrize("seed", range(100))
def test_neither_the_order_of_facts_nor_that_of_rules_changes_a_row(seed: int) -> None:
    rng = random.Random(seed)
    model = evaluate(program_of(seed), small_facts(seed))
    rules, facts = small_rules(seed), small_facts(seed)
    rng.shuffle(rules)
    names = rng.sample(list(facts), len(facts))
    shuffled = {name: rng.sample(facts[name], len(facts[name])) for name in names}
    other = evaluate(Program.parse({"small.dl": "\n".join(rules) + "\n" + declarations()}), shuffled)
    assert {name: model.rows(name) for name in COLUMNS} == {name: other.rows(name) for name in COLUMNS}


@pytest.mark.parametrize("seed", range(60))
def test_neither_the_order_of_facts_nor_facts_of_no_concern_change_a_proof(seed: int) -> None:
    rng = random.Random(seed)
    facts = small_facts(seed)
    text = declarations() + ".decl aside(x: symbol)\n" + "\n".join(small_rules(seed))
    program = Program.parse({"small.dl": text})
    model = evaluate(program, facts)
    shuffled = {name: rng.sample(rows, len(rows)) for name, rows in reversed(facts.items())}
    other = evaluate(program, {"aside": [("a",), ("zz",)], **shuffled})
    for name in COLUMNS:
        for row in model.rows(name):
            assert prove(model, name, row) == prove(other, name, row)
