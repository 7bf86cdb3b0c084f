"""What a change of a program or of its facts does to all that follows, without knowing what follows.

Other names give the same rows under the other names; the order inside a body does not matter; without negation more facts
derive more; programs that share no relation can be evaluated apart or together.
"""

import re
from random import Random

import pytest

from liqo_connectivity.engine import Model, Program, Proof, Row, evaluate
from liqo_connectivity.engine.syntax.nodes import Aggregate, Body, Clause, Comparison, Conjunction, Disjunction, Term
from tests.support.churn import Batch, batches, commit, loaded, numbers, program_of
from tests.support.explaining import prove
from tests.support.small_programs import (
    COLUMNS,
    declarations,
    plenty_of_facts,
    random_row,
    small_facts,
    small_rules,
    small_rules_without_negation,
)

SEEDS = range(60)


def rows(model: Model) -> dict[str, list[Row]]:
    return {name: model.rows(name) for name in model.program.schema.relations}


# ---- The order inside a body ----


def shuffled(body: Body, rng: Random) -> Body:
    """Put the literals of conjunctions, those of aggregates too, and alternatives in another order."""
    match body:
        case Conjunction(items=items):
            return Conjunction(tuple(shuffled(item, rng) for item in rng.sample(items, len(items))))
        case Disjunction(alternatives=branches):
            return Disjunction(tuple(shuffled(branch, rng) for branch in rng.sample(branches, len(branches))))
        case Comparison(left=left, right=right):
            return body._replace(left=_inside(left, rng), right=_inside(right, rng))
        case _:
            return body


def _inside(term: Term, rng: Random) -> Term:
    return term._replace(body=tuple(rng.sample(term.body, len(term.body)))) if isinstance(term, Aggregate) else term


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_inside_a_body_does_not_matter(seed: int) -> None:
    program, facts = program_of(2 * seed)
    rng = Random(seed)
    statements = [
        s._replace(body=shuffled(s.body, rng)) if isinstance(s, Clause) and s.body is not None else s
        for s in program.statements
    ]
    other = Program.build(statements, program.texts)
    databases = [loaded(program, facts), loaded(other, facts)]
    assert rows(evaluate(program, facts)) == rows(evaluate(other, facts)) == rows(databases[1])
    for batch in batches(rng, program, facts, 6):
        first, second = (commit(database, batch) for database in databases)
        assert first == second


# ---- Other names ----

_RELATION = re.compile(rf"\b([{''.join(COLUMNS)}])\(")
_VARIABLE = re.compile(r"\b([XYZNM])\b")
_SYMBOL = re.compile(r'"((?:[^"\\]|\\.)*)"')
RENAMED = {name: f"n{len(COLUMNS) - place}_{name}" for place, name in enumerate(COLUMNS)}
"""Other names for the relations of small programs, in the opposite order."""


def renamed_text(text: str) -> str:
    """Rename relations and variables, and put a letter in front of each symbol, which keeps their order."""
    text = _SYMBOL.sub(r'"~\1"', text)
    text = _RELATION.sub(lambda found: f"{RENAMED[found[1]]}(", text)
    return _VARIABLE.sub(lambda found: f"_{'XYZNM'[::-1]['XYZNM'.index(found[1])]}_of", text)


def renamed(row: Row) -> Row:
    return tuple(f"~{value}" if isinstance(value, str) else value for value in row)


def steps(proof: Proof | None, *, rename: bool = False) -> list[tuple[str, Row, int, int]]:
    """List the tuples of a proof, by what rule and how high, under other names if asked so."""
    assert proof is not None
    return [
        (
            RENAMED[node.relation] if rename else node.relation,
            renamed(node.row) if rename else node.row,
            -1 if node.rule is None else node.rule.number,
            node.height,
        )
        for node in proof.walk()
        if isinstance(node, Proof)
    ]


@pytest.mark.parametrize("seed", SEEDS)
def test_other_names_give_the_same_rows_and_proofs_under_them(seed: int) -> None:
    text, facts = declarations() + "\n".join(small_rules(seed)), small_facts(seed)
    model = evaluate(Program.parse({"p.dl": text}), facts)
    other_facts = {RENAMED[name]: [renamed(row) for row in found] for name, found in facts.items()}
    other = evaluate(Program.parse({"p.dl": renamed_text(text)}), other_facts)
    for name in COLUMNS:
        assert [renamed(row) for row in model.rows(name)] == other.rows(RENAMED[name])
        for row in model.rows(name):
            expected = steps(prove(model, name, row), rename=True)
            assert steps(prove(other, RENAMED[name], renamed(row))) == expected


# ---- More facts ----


def positive_program(seed: int) -> Program:
    return Program.parse({"p.dl": declarations() + "\n".join(small_rules_without_negation(seed))})


def more(rng: Random) -> Batch:
    """Ask for some facts more, of derived relations too."""
    return [(name, random_row(name, rng), True) for name in rng.choices(list(COLUMNS), k=6)]


@pytest.mark.parametrize("first", range(0, 60, 12))
def test_without_negation_more_facts_derive_more(first: int) -> None:
    derived = 0
    for seed in range(first, first + 12):
        rng, facts = Random(seed), plenty_of_facts(seed)
        database = loaded(positive_program(seed), facts)
        for _ in range(4):
            before = rows(database)
            grown = commit(database, more(rng))
            assert not any(change.removed for change in grown.changes.values())
            assert all(set(found) <= set(database.rows(name)) for name, found in before.items())
            given = [(name, row, False) for name in COLUMNS for row in database.given(name)]
            shrunk = commit(database, rng.sample(given, min(4, len(given))))
            assert not any(change.added for change in shrunk.changes.values())
            derived += sum(
                len(grown[name].added) + len(shrunk[name].removed) for name in database.program.rules_by_head
            )
    assert derived > 100, "changes that derive nothing test nothing"


# ---- Apart and together ----


def prefixed(text: str, prefix: str) -> str:
    return _RELATION.sub(rf"{prefix}\1(", text)


@pytest.mark.parametrize("seed", SEEDS)
def test_programs_that_share_no_relation_are_evaluated_apart_or_together(seed: int) -> None:
    rng = Random(seed)
    texts = {
        prefix: prefixed(declarations() + "\n".join(small_rules(other)), prefix)
        for prefix, other in (("a_", seed), ("b_", seed + 1000))
    }
    facts = {
        prefix: {prefix + name: found for name, found in small_facts(other).items()}
        for prefix, other in (("a_", seed), ("b_", seed + 1000))
    }
    apart = {prefix: loaded(Program.parse({"p.dl": text}), facts[prefix]) for prefix, text in texts.items()}
    lines = [line for text in texts.values() for line in text.split("\n")]
    together = loaded(Program.parse({"p.dl": "\n".join(rng.sample(lines, len(lines)))}), facts["a_"] | facts["b_"])
    for _ in range(5):
        held: dict[str, dict[Row, int]] = {}
        for database in apart.values():
            held |= numbers(database)
        assert numbers(together) == held
        assert rows(together) == rows(apart["a_"]) | rows(apart["b_"])
        parts = {
            prefix: [
                (prefix + name, random_row(name, rng), rng.random() < 0.6) for name in rng.choices(list(COLUMNS), k=5)
            ]
            for prefix in apart
        }
        told = {
            name: change for prefix in apart for name, change in commit(apart[prefix], parts[prefix]).changes.items()
        }
        assert commit(together, parts["a_"] + parts["b_"]).changes == told
