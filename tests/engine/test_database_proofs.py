"""Proofs over a database: those of a fresh one, whatever the database has been through."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from liqo_connectivity.engine import (
    Database,
    Explainer,
    Program,
    Proof,
    Row,
    UnknownRelationError,
    evaluate,
    prepare_why_not,
)
from liqo_connectivity.engine.codegen.source import Template
from liqo_connectivity.engine.storage import tables
from liqo_connectivity.engine.storage.model import Model
from liqo_connectivity.engine.why_not.absence import Absence, pattern
from tests.support.churn import batches, commit, loaded, netted, program_of
from tests.support.explaining import explainer_of, prove, why_not


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
    """Proofs may build indexes; those have to follow later changes."""
    program, facts = program_of(seed)
    database = loaded(program, facts)
    for batch in batches(Random(seed), program, facts, 6):
        commit(database, batch)
        facts = netted(facts, batch)
        for name in program.schema.relations:
            for row in database.rows(name)[:3]:
                assert prove(database, name, row) is not None
        assert not database.check()


def test_threads_prove_from_one_snapshot_while_the_database_changes() -> None:
    program, facts = program_of(37)
    database = loaded(program, facts)
    snapshot, model = database.snapshot(), evaluate(program, facts)
    asked = [(name, row) for name in program.schema.relations for row in model.rows(name)]
    assert len(asked) > 20

    def answers(_: int) -> list[Proof | None]:
        return [prove(snapshot, name, row) for name, row in asked]

    with ThreadPoolExecutor(4) as threads:
        found = [threads.submit(answers, number) for number in range(8)]
        for batch in batches(Random(3), program, facts, 20):
            commit(database, batch)
    assert all(one.result() == [prove(model, name, row) for name, row in asked] for one in found)


def test_what_would_be_leaves_proofs_as_they_are() -> None:
    program = Program.parse({"p.dl": PATHS})
    database = loaded(program, {"e": [("a", "b"), ("b", "c")]})
    before = prove(database, "p", ("a", "c"))
    assert database.what_if(inserts={"e": [("a", "c")]}, deletes={"e": [("a", "b")]})["p"].removed
    assert before == prove(database, "p", ("a", "c"))
    assert before is not None
    assert before.height == 2


PATHS = """.decl e(x: symbol, y: symbol)
.decl p(x: symbol, y: symbol)
p(X, Y) :- e(X, Y).
p(X, Z) :- p(X, Y), e(Y, Z)."""


def test_rules_compiled_over_empty_tables_serve_the_full_ones() -> None:
    program = Program.parse({"p.dl": PATHS})
    database = Database(program)
    assert prove(database, "p", ("0", "1")) is None
    rows: list[Row] = []
    for number in range(200):
        rows.append((str(number), str(number + 1)))
        commit(database, [("e", rows[-1], True)])
        found = prove(database, "p", ("0", str(number + 1)))
        assert found is not None
        assert found.height == number + 1
    same_row = ("0", "200")
    assert prove(database, "p", same_row) == prove(evaluate(program, {"e": rows}), "p", same_row)


def test_rows_given_for_a_derived_relation_come_and_go_in_proofs() -> None:
    program = Program.parse({"p.dl": PATHS})
    database = loaded(program, {"e": [("a", "b"), ("b", "c")]})
    heights = []
    for present in (False, True, False):
        commit(database, [("p", ("a", "b"), present)])
        found = prove(database, "p", ("a", "c"))
        assert found is not None
        heights.append(found.height)
    assert heights == [2, 1, 2]


def test_proofs_between_two_commits_share_their_parts_and_no_more_than_some_thousands_are_kept() -> None:
    program = Program.parse({"p.dl": PATHS})
    edges: list[Row] = [(str(number), str(number + 1)) for number in range(3)]
    database = loaded(program, {"e": [*edges, *((f"a{number}", f"b{number}") for number in range(6000))]})
    lower, higher = prove(database, "p", ("0", "1")), prove(database, "p", ("0", "2"))
    assert lower is not None
    assert higher is not None
    assert higher.premises[0] is lower
    commit(database, [("e", ("0", "1"), False)])
    assert prove(database, "p", ("0", "1")) is None
    for row in database.rows("p"):
        assert prove(database, "p", row) is not None
    assert len(explainer_of(database).rules().built()) <= 10_000


@pytest.mark.parametrize("seed", range(40))
def test_what_is_prepared_needs_nothing_more_to_be_asked(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    program, facts = program_of(seed)
    asked = sorted(program.rules_by_head)[::2]
    database = loaded(program, facts)
    prepare_why_not(explainer_of(database), asked)
    model = evaluate(program, facts)
    expected = proofs_of(asked, model), absences_of(asked, model)
    with monkeypatch.context() as patch:
        patch.setattr(tables, "build_index", _refuse)
        patch.setattr(Template, "make", _refuse)
        assert (proofs_of(asked, database), absences_of(asked, database)) == expected
    for batch in batches(Random(seed), program, facts, 6):
        commit(database, batch)
        facts = netted(facts, batch)
    assert proofs_of(asked, database) == proofs_of(asked, evaluate(program, facts))
    assert not database.check()


def test_what_is_loaded_later_can_be_prepared_again(monkeypatch: pytest.MonkeyPatch) -> None:
    program = Program.parse({"p.dl": PATHS})
    edges: list[Row] = [("a", "b"), ("b", "c")]
    database = Database(program)
    explainer = explainer_of(database)
    explainer.prepare(["p"])
    database.load({"e": edges})
    explainer.prepare(["p"])
    expected = proofs_of(["p"], evaluate(program, {"e": edges}))
    with monkeypatch.context() as patch:
        patch.setattr(tables, "build_index", _refuse)
        patch.setattr(Template, "make", _refuse)
        assert proofs_of(["p"], database) == expected


def test_only_relations_that_are_there_are_prepared() -> None:
    with pytest.raises(UnknownRelationError, match="'q'"):
        Explainer(Database(Program.parse({"p.dl": PATHS}))).prepare(["q"])


def _refuse(*_: object) -> object:
    raise AssertionError("this was to be prepared")


def proofs_of(names: Iterable[str], model: Model) -> list[Proof | None]:
    return [prove(model, name, row) for name in names for row in model.rows(name)]


def absences_of(names: Iterable[str], model: Model) -> list[Absence | None]:
    """Ask why rows are missing that take each value from another row of the relation."""
    held = [(name, list(zip(*model.rows(name), strict=True))) for name in names]
    missing = [(name, row) for name, columns in held for row in zip(*(sorted(c) for c in columns), strict=True)]
    return [why_not(model, pattern(name, row), 8) for name, row in missing]
