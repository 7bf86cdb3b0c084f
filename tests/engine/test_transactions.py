"""A transaction happens as a whole or not at all, a question about one leaves no trace, and readers see whole states."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from types import FrameType
from typing import TYPE_CHECKING

import pytest

import liqo_connectivity.engine
from liqo_connectivity.engine import EvaluationError, FactError, Program, Row, evaluate
from liqo_connectivity.engine.incremental import database as database_module
from liqo_connectivity.engine.incremental.database import Database
from tests.support.churn import batches, commit, loaded, netted, numbers, program_of
from tests.support.path_database import BATCH, FACTS, TEXT

if TYPE_CHECKING:
    from _typeshed import TraceFunction
ENGINE = str(Path(liqo_connectivity.engine.__file__).parent)


class Injected(BaseException):
    """Raised where no engine would: not even an Exception."""


def raise_at(count: int, action: Callable[[], object]) -> bool:
    """Run something, and raise at the line of the engine with this number; tell whether it was reached."""
    left = count

    def lines(frame: FrameType, event: str, _: object) -> "TraceFunction | None":
        nonlocal left
        if event == "call" and not frame.f_code.co_filename.startswith((ENGINE, "<")):
            return None
        if event == "line":
            left -= 1
            if left == 0:
                sys.settrace(None)
                raise Injected
        return lines

    sys.settrace(lines)
    try:
        action()
    except Injected:
        return True
    finally:
        sys.settrace(None)
    return False


def given(database: Database) -> dict[str, list[Row]]:
    return {name: sorted(table.given) for name, table in database._maintenance.tables.items()}


@pytest.mark.slow
@pytest.mark.parametrize(("warm", "step"), [(True, 1), (False, 23)])
def test_an_exception_at_any_line_leaves_the_old_state_or_the_new_one(warm: bool, step: int) -> None:
    """Lines of generated functions count, and so do those that generate them, during the first transaction."""
    program = Program.parse({"t.dl": TEXT})
    specializer = loaded(program, FACTS)._specializer
    after = numbers(loaded(program, netted(FACTS, BATCH)))
    count, committed = 0, 0
    while True:
        count += step
        database = loaded(program, FACTS)
        if warm:
            database._specializer = specializer
            database.load(FACTS)
            database.prepare()
        before, facts = numbers(database), given(database)
        if not raise_at(count, partial(commit, database, BATCH)):
            assert numbers(database) == after
            break
        assert not database.check()
        if database.version == 1 + warm:
            assert (numbers(database), given(database)) == (before, facts), f"line {count}"
        else:
            committed += 1
            assert numbers(database) == after, f"line {count}"
        commit(database, BATCH)
        assert numbers(database) == after, f"line {count}"
    assert count > 400
    assert committed < 10


@pytest.mark.parametrize("seed", range(30))
def test_an_exception_at_some_line_of_a_random_program(seed: int) -> None:
    rng = Random(seed)
    program, facts = program_of(seed)
    database = loaded(program, facts)
    for batch in batches(rng, program, facts, 8):
        before, version = numbers(database), database.version
        if raise_at(rng.randrange(1, 600), partial(commit, database, batch)) and database.version == version:
            assert numbers(database) == before
        else:
            facts = netted(facts, batch)
        assert not database.check()
        assert numbers(database) == numbers(loaded(program, facts))


def test_an_exception_inside_the_block_drops_all_requests() -> None:
    database = loaded(Program.parse({"t.dl": TEXT}), FACTS)
    before = numbers(database)
    with pytest.raises(KeyError), database.txn() as transaction:  # noqa: PT012  # the block is what is tested
        transaction.insert("q", ("z",))
        raise KeyError
    assert numbers(database) == before


@pytest.mark.parametrize(
    ("name", "row"), [("nope", ("a",)), ("q", ("a", "b")), ("q", (1,)), ("q", ["a"]), ("q", (True,)), ("r", ("a",))]
)
def test_a_row_that_does_not_fit_is_refused_before_anything_changes(name: str, row: Row) -> None:
    database = loaded(Program.parse({"t.dl": TEXT}), FACTS)
    before = numbers(database)
    with pytest.raises(FactError), database.txn() as transaction:  # noqa: PT012  # the block is what is tested
        transaction.insert("q", ("z",))
        transaction.insert(name, row)
    with pytest.raises(FactError):
        database.load({"q": [("z",)], name: [row]})
    with pytest.raises(FactError):
        database.what_if({name: [row]}, {})
    assert numbers(database) == before


DIVISION = """.decl n(x: number)
.decl d(x: number)
.decl h(x: number)
h(X / Y) :- n(X), d(Y).
"""


def test_a_value_that_cannot_be_computed_is_refused() -> None:
    database = loaded(Program.parse({"d.dl": DIVISION}), {"n": [(6,)], "d": [(2,)]})
    before = numbers(database)
    with pytest.raises(EvaluationError, match="6 / 0 has no value"):
        commit(database, [("d", (0,), True), ("n", (8,), True)])
    with pytest.raises(EvaluationError):
        database.what_if({"d": [(0,)]}, {})
    assert numbers(database) == before
    assert not database.check()


def test_what_only_a_state_between_could_not_compute_is_no_error() -> None:
    """``n`` changes before ``d``, and meets a divisor that the transaction takes away."""
    for name in ("n", "d"):
        text = DIVISION.replace(".decl n", f".decl {name}") if name == "n" else DIVISION
        database = loaded(Program.parse({"d.dl": text}), {"d": [(0,)]})
        delta = commit(database, [("d", (0,), False), ("d", (2,), True), ("n", (6,), True)])
        assert delta["h"].added == ((3,),)
        assert database.what_if({"d": [(3,)]}, {"d": [(2,)]})["h"].added == ((2,),)
        assert not database.check()


# ---- What if ----


@pytest.mark.parametrize("seed", range(60))
def test_what_if_tells_what_a_transaction_then_does_and_leaves_no_trace(seed: int) -> None:
    program, facts = program_of(seed)
    database = loaded(program, facts)
    for batch in batches(Random(seed), program, facts, 5):
        last = {(name, row): present for name, row, present in batch}
        inserts, deletes = dict[str, list[Row]](), dict[str, list[Row]]()
        for (name, row), present in last.items():
            (inserts if present else deletes).setdefault(name, []).append(row)
        before, version = numbers(database), database.version
        told = database.what_if(inserts, deletes)
        assert (numbers(database), database.version) == (before, version)
        assert not database.check()
        assert commit(database, batch) == told


# ---- Large transactions ----


@pytest.mark.parametrize("seed", range(60))
def test_deriving_anew_and_following_changes_give_the_same(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    program, facts = program_of(seed)
    followed, rebuilt = loaded(program, facts), loaded(program, facts)
    rebuilt.prepare()
    old = rebuilt.snapshot()
    for batch in batches(Random(seed), program, facts, 6):
        delta = commit(followed, batch)
        with monkeypatch.context() as patch:
            patch.setattr(database_module, "SMALL", 0)
            patch.setattr(database_module, "FOLLOWED", 1e9)
            assert commit(rebuilt, batch) == delta
        assert numbers(followed) == numbers(rebuilt)
        assert not rebuilt.check()
    model = evaluate(program, facts)
    assert all(old.rows(name) == model.rows(name) for name in program.schema.relations)


@pytest.mark.slow
def test_a_large_transaction_is_derived_anew() -> None:
    database = loaded(Program.parse({"t.dl": TEXT}), FACTS)
    before = database._maintenance
    commit(database, [("q", (f"n{number}",), True) for number in range(900)])
    assert database._maintenance is before
    rows = [(f"m{number}", f"m{number % 7}") for number in range(12_000)]
    commit(database, [("e", row, True) for row in rows])
    assert database._maintenance is not before
    assert not database.check()
