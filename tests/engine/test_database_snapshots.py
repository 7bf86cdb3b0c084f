"""Snapshots of a database stay what they were, and cost nothing once nobody needs them."""

import gc
import threading
import weakref
from collections.abc import Mapping
from random import Random

import pytest

from liqo_connectivity.engine import Program, UnknownRelationError, evaluate
from liqo_connectivity.engine.incremental.database import Database
from liqo_connectivity.engine.incremental.transactions import Delta
from tests.support.churn import batches, commit, loaded, netted, program_of
from tests.support.path_database import BATCH, FACTS, TEXT

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


@pytest.mark.slow
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
