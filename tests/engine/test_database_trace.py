"""The recorded events, one by one, as changes of a database: after each it holds and proves what a fresh database does."""

from collections.abc import Iterator

import pytest

from liqo_connectivity.engine import Model, Row, evaluate
from liqo_connectivity.engine.incremental.database import Database
from liqo_connectivity.facts import FactBase, kind_of
from tests.support import recordings
from tests.support.churn import Batch, Facts, commit, loaded, numbers
from tests.support.clusters import RENDERED, base_of, facts_of, facts_with, program, questions, tables
from tests.support.explaining import prove

READ = 407
"""How many of the events are of objects that are read."""
CHANGES = 224
"""How many of them change a fact."""
PROVED = ("flow_verdict", "chain_rule", "chain_element", "pending", "finding")
FLOWS = questions(
    [
        ("10.63.1.5", "10.244.1.6", "new"),
        ("10.200.2.7", "10.63.2.6", "new"),
        ("10.244.1.11", "10.63.1.10", "new"),
        ("10.63.200.1", "10.200.2.7", "new"),
        ("10.63.200.1", "10.200.2.7", "established"),
        ("10.61.0.5", "192.168.0.1", "new"),
        ("10.200.2.8", "10.99.0.5", "new"),
        ("8.8.8.8", "1.1.1.1", "new"),
    ]
)
"""Between pods of both clusters, from other addresses of milan, with naples, and outside of all."""


def start() -> tuple[FactBase, Database]:
    """The policies for milan and naples, before there is anything they could be for."""
    base = base_of(recordings.policies_of("rome-4"))
    return base, loaded(program(), facts_with(base, FLOWS))


def requests(base: FactBase) -> Iterator[Batch]:
    """Let the base follow the events; give what each changed."""
    for kind, found in recordings.events():
        if kind_of(found["apiVersion"], found["kind"]) is not None:
            key, facts = facts_of(found)
            delta = base.replace(key, () if kind == "DELETED" else facts)
            removed = [(name, row, False) for name, row in delta.removed]
            yield [*removed, *((name, row, True) for name, row in delta.added)]


def proved(model: Model, rows: Facts, turn: int) -> list[object]:
    """The proofs of every third verdict in turn, and of the first and the last rows of the other relations."""
    wanted = {
        name: found[turn % 3 :: 3] if name == "flow_verdict" else found[:2] + found[-1:] for name, found in rows.items()
    }
    return [prove(model, name, row) for name in PROVED for row in wanted[name]]


@pytest.mark.slow
def test_after_every_event_a_database_is_what_is_derived_anew() -> None:
    base, database = start()
    relations = program().schema.relations
    seen: dict[str, set[tuple[Row, ...]]] = {name: set() for name in (*RENDERED, *PROVED)}
    before, count, changed, proofs, sets_changed = {name: database.rows(name) for name in relations}, 0, 0, 0, 0
    for count, batch in enumerate(requests(base), 1):
        delta = commit(database, batch)
        rows = {name: database.rows(name) for name in relations}
        for name in relations:
            removed, added = delta[name]
            assert sorted((set(before[name]) - set(removed)) | set(added)) == rows[name], f"event {count}, {name}"
        before = rows
        if not batch:
            assert not delta
            continue
        model = evaluate(program(), facts_with(base, FLOWS))
        assert rows == {name: model.rows(name) for name in relations}, f"event {count}"
        found = proved(database, rows, changed)
        assert found == proved(model, rows, changed), f"event {count}"
        proofs += len(found)
        changed += 1
        sets_changed += any(delta["chain_set"])
        for name, states in seen.items():
            states.add(tuple(rows[name]))
    assert not database.check()
    assert (count, changed) == (READ, CHANGES)
    # No side of a rule of these policies is open to any address, and none has ports; for Liqo's agents no rule matches
    # ICMPv6. Which sets the rules of a chain name depends on its policy alone, so they only come and go with the chain.
    # No chain is so large that it is written in parts.
    few = {name for name, states in seen.items() if len(states) < 3}
    never = {"chain_any", "chain_icmp6", "chain_port", "chain_set", "chain_gathered"}
    never |= {name for name in seen if name.startswith("chain_part")}
    assert few <= never, f"what hardly ever changes shows nothing: {few}"
    assert sets_changed >= 5
    assert {verdict for state in seen["flow_verdict"] for _, verdict in state} == {"allowed", "denied", "unknown"}
    assert proofs > 6 * CHANGES


@pytest.mark.parametrize("size", [1, 7, 60, READ])
def test_it_does_not_matter_how_many_events_a_transaction_takes(size: int) -> None:
    base, database = start()
    batches = list(requests(base))
    for first in range(0, len(batches), size):
        commit(database, [request for batch in batches[first : first + size] for request in batch])
    fresh = loaded(program(), facts_with(base, FLOWS))
    assert numbers(database) == numbers(fresh)
    assert tables(database) == tables(fresh)
    assert not database.check()


def test_the_events_taken_back_one_by_one_leave_no_trace() -> None:
    base, database = start()
    before = numbers(database)
    done = [(batch, commit(database, batch)) for batch in requests(base)]
    assert numbers(database) != before
    for batch, delta in reversed(done):
        assert commit(database, [(name, row, not present) for name, row, present in reversed(batch)]) == delta.inverse()
    assert numbers(database) == before
    assert not database.check()
