"""Programs under change: random batches of facts for a program, and what two databases must have in common.

A batch asks for facts to come and to go, given and derived ones alike, some of them in vain. Everything is drawn from
the generator that is passed in. Holds no test.
"""

from collections.abc import Iterator, Mapping
from random import Random

from liqo_connectivity.engine import Program, Row, Value
from liqo_connectivity.engine.incremental.database import Database
from liqo_connectivity.engine.incremental.transactions import Delta
from tests.support.naive import naive
from tests.support.random_programs import NUMBERS as WIDE_NUMBERS
from tests.support.random_programs import SYMBOLS as WIDE_SYMBOLS
from tests.support.random_programs import random_program
from tests.support.small_programs import (
    NUMBERS,
    SYMBOLS,
    declarations,
    domain,
    small_facts,
    small_rules,
    small_rules_with_aggregates,
)

Batch = list[tuple[str, Row, bool]]
"""Requests in order: relation, row, whether it is to be there."""
Facts = dict[str, list[Row]]
State = dict[str, object]


def program_of(seed: int) -> tuple[Program, Facts]:
    """Give a program with facts: in turn one with all constructs, one over few values, and each with aggregates."""
    if seed % 2:
        text, facts = random_program(seed, aggregates=seed % 4 == 3)
        return Program.parse({"random.dl": text}), facts
    rules = small_rules_with_aggregates(seed) if seed % 4 == 2 else small_rules(seed)
    return Program.parse({"small.dl": declarations() + "\n".join(rules)}), small_facts(seed)


def is_small(program: Program) -> bool:
    """Tell whether a program is over few values, so that brute force can say what it means."""
    return "u" in program.schema.relations


def relations_to_change(program: Program, facts: Facts) -> list[str]:
    """List the relations that batches change: those that have facts, and now and then all."""
    return sorted(facts) or sorted(program.schema.relations)


def batches(rng: Random, program: Program, facts: Facts, count: int) -> Iterator[Batch]:
    """Give batches, most of them small, one that takes all facts away, and one that puts many back."""
    symbols: list[Value] = [*(SYMBOLS if is_small(program) else WIDE_SYMBOLS)]
    numbers: list[Value] = [*(NUMBERS if is_small(program) else WIDE_NUMBERS)]
    known = {name: list(rows) for name, rows in facts.items()}
    names = relations_to_change(program, facts)
    symbols = rng.sample(symbols, min(4, len(symbols))) + [
        v for rows in facts.values() for row in rows for v in row if isinstance(v, str)
    ]
    for number in range(count):
        batch: Batch = []
        if number == count // 2:
            batch += [(name, row, False) for name in names for row in known.get(name, ())]
        for _ in range(rng.choice((1, 1, 2, 3, 5, 8))):
            name = rng.choice(names)
            columns = program.schema.relations[name].columns
            if known.get(name) and rng.random() < 0.5:
                row = rng.choice(known[name])
            else:
                row = tuple(
                    rng.choice(numbers if program.schema.root(column.type) == "number" else symbols)
                    for column in columns
                )
            known.setdefault(name, []).append(row)
            batch.append((name, row, rng.random() < 0.55))
        yield batch


def netted(facts: Mapping[str, list[Row]], batch: Batch) -> Facts:
    """Give the facts after a batch."""
    found = {name: dict.fromkeys(rows) for name, rows in facts.items()}
    for name, row, present in batch:
        if present:
            found.setdefault(name, {})[row] = None
        else:
            found.setdefault(name, {}).pop(row, None)
    return {name: list(rows) for name, rows in found.items()}


def commit(database: Database, batch: Batch) -> Delta:
    """Apply a batch as one transaction."""
    with database.txn() as transaction:
        for name, row, present in batch:
            if present:
                transaction.insert(name, row)
            else:
                transaction.delete(name, row)
    return transaction.delta


def loaded(program: Program, facts: Mapping[str, list[Row]]) -> Database:
    database = Database(program)
    database.load(facts)
    return database


def numbers(database: Database) -> dict[str, dict[Row, int]]:
    """Give every relation with the count or rank of each row, projections included."""
    return {name: dict(table.rows) for name, table in database._maintenance.tables.items()}


def difference(database: Database, program: Program, facts: Facts) -> list[str]:
    """Say what a database holds that does not follow from the facts, or the other way round."""
    fresh, held = numbers(loaded(program, facts)), numbers(database)
    found = [f"{name}: counts or ranks are not as if loaded" for name in fresh if held.get(name) != fresh[name]]
    found += [f"{name}: loaded, but not in the database" for name in fresh.keys() ^ held.keys()]
    if is_small(program):
        truth = naive(program, facts, domain)
        found += [
            f"{name}: rows are not what brute force finds" for name in truth if truth[name] != {*database.rows(name)}
        ]
    return found + database.check()
