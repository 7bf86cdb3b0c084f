"""A transaction happens as a whole or not at all, a question about one leaves no trace, and readers see whole states."""

import gc
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from random import Random
from types import FrameType
from typing import TYPE_CHECKING

import pytest

import liqo_connectivity.engine
from liqo_connectivity.engine import EvaluationError, FactError, Program, Row, UnknownRelationError, evaluate
from liqo_connectivity.engine.incremental import database as database_module
from liqo_connectivity.engine.incremental.database import Database
from liqo_connectivity.engine.incremental.transactions import Delta
from tests.support.churn import Batch, Facts, batches, commit, loaded, netted, numbers, program_of

if TYPE_CHECKING:
    from _typeshed import TraceFunction

ENGINE = str(Path(liqo_connectivity.engine.__file__).parent)
TEXT = """.decl e(x: symbol, y: symbol)
.decl q(x: symbol)
.decl r(x: symbol, y: symbol)
r(X, Y) :- e(X, Y).
r(X, Z) :- r(X, Y), e(Y, Z).
.decl both(x: symbol, y: symbol)
both(X, Y) :- r(X, Y), r(Y, X), X < Y.
.decl lonely(x: symbol)
lonely(X) :- q(X), !r(X, _), !r(_, X).
.decl pair(x: symbol, y: symbol)
pair(X, Y) :- lonely(X), lonely(Y), !both(X, Y).
"""
FACTS: Facts = {
    "e": [("a", "b"), ("b", "c"), ("c", "a"), ("x", "y")],
    "q": [("a",), ("y",), ("l",), ("m",)],
    "both": [("a", "b"), ("l", "m")],
}
BATCH: Batch = [
    ("e", ("b", "c"), False),
    ("e", ("c", "d"), True),
    ("e", ("x", "y"), False),
    ("q", ("l",), False),
    ("q", ("n",), True),
    ("both", ("a", "b"), False),
    ("both", ("n", "m"), True),
]


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


def test_a_large_transaction_is_derived_anew() -> None:
    database = loaded(Program.parse({"t.dl": TEXT}), FACTS)
    before = database._maintenance
    commit(database, [("q", (f"n{number}",), True) for number in range(900)])
    assert database._maintenance is before
    rows = [(f"m{number}", f"m{number % 7}") for number in range(12_000)]
    commit(database, [("e", row, True) for row in rows])
    assert database._maintenance is not before
    assert not database.check()


# ---- Snapshots ----


@pytest.mark.parametrize("seed", range(40))
def test_a_snapshot_stays_what_it_was(seed: int) -> None:
    program, facts = program_of(seed)
    database = loaded(program, facts)
    taken = [(database.snapshot(), evaluate(program, facts))]
    for batch in batches(Random(seed), program, facts, 6):
        commit(database, batch)
        facts = netted(facts, batch)
        taken.append((database.snapshot(), evaluate(program, facts)))
    for snapshot, model in taken:
        for name in program.schema.relations:
            assert snapshot.rows(name) == model.rows(name)
            assert set(snapshot.given(name)) == set(model.given(name))
    assert [snapshot.version for snapshot, _ in taken] == list(range(1, 8))


def test_what_no_snapshot_needs_is_freed() -> None:
    database = loaded(Program.parse({"t.dl": TEXT}), FACTS)
    for number in range(5):
        commit(database, [("q", (f"n{number}",), True)])
    assert database._place.next is None
    place, snapshot = database._place, database.snapshot()
    commit(database, [("q", ("z",), True)])
    assert place.next is database._place
    assert ("z",) not in snapshot.rows("q")


def test_tables_that_are_replaced_are_freed_without_a_garbage_collection() -> None:
    """What is loaded is frozen, and so would never be collected."""
    text = TEXT + ".decl n(x: number)\nn(N) :- N = count : { pair(_, _) }."
    database = loaded(Program.parse({"t.dl": text}), FACTS)
    commit(database, BATCH)
    gc.collect()
    gc.disable()
    try:
        left = [weakref.ref(database._maintenance)]
        database.load(FACTS)
        left.append(weakref.ref(database._maintenance))
        database.prepare()
        commit(database, BATCH)
        commit(database, [("q", (f"n{number}",), True) for number in range(1500)])
        assert [reference() for reference in left] == [None, None]
    finally:
        gc.enable()


def test_readers_in_other_threads_see_whole_states() -> None:
    """Every state has as many rows in ``a`` as in ``b``, and all states between have not."""
    text = ".decl f(x: number)\n.decl a(x: number)\n.decl b(x: number)\na(X) :- f(X).\nb(X) :- f(X)."
    database = loaded(Program.parse({"s.dl": text}), {"f": [(0,)]})
    stop, wrong = threading.Event(), list[Mapping[str, object]]()

    def read() -> None:
        while not stop.is_set():
            snapshot = database.snapshot()
            rows = {name: snapshot.rows(name) for name in ("a", "b", "f")}
            if not rows["a"] == rows["b"] == rows["f"]:
                wrong.append(rows)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    rng = Random(1)
    for _ in range(1500):
        commit(database, [("f", (rng.randrange(50),), rng.random() < 0.5) for _ in range(4)])
    stop.set()
    for reader in readers:
        reader.join()
    assert not wrong


def test_unknown_relations_are_named() -> None:
    database = Database(Program.parse({"t.dl": TEXT}))
    for ask in (database.rows, database.given, database.snapshot().rows, database.snapshot().given):
        with pytest.raises(UnknownRelationError, match="nope"):
            ask("nope")
    assert not Delta({})["nope"].added
