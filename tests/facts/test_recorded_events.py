"""The recorded events, one by one: a fact base that follows them is at every point what the objects of that point give,
and passes through the recorded states.
"""

from collections.abc import Iterable

import pytest

from liqo_connectivity.facts import FactBase, ObjectKey, Row, kind_of
from liqo_connectivity.facts.dumps.dump import jsonl_lines
from tests.support import recordings
from tests.support.clusters import RENDERED, base_of, facts_of, rendered, rows, solve
from tests.support.manifests import Object

EVERY = 40
DERIVED = (*RENDERED, "member", "finding", "pending", "governing")
STATES = {"rome": 363, "rome-2": 496, "rome-3": 518, "rome-4": 585}
"""After how many events the cluster was in each of the recorded states."""


def changes(base: FactBase) -> set[tuple[str, Row]]:
    return {(relation, row) for relation, found in base.relations() for row in found}


def is_read(found: Object) -> bool:
    return kind_of(found["apiVersion"], found["kind"]) is not None


def replay(count: int, policies: Iterable[Object] = ()) -> tuple[FactBase, dict[ObjectKey, Object]]:
    """A base after some events, and the objects that were there then."""
    base, current = base_of(policies), {facts_of(found)[0]: found for found in policies}
    for (kind, found), _ in zip(recordings.events(), range(count), strict=False):
        if is_read(found):
            key, facts = facts_of(found)
            before = len(base)
            delta = base.replace(key, () if kind == "DELETED" else facts)
            assert len(base) == before + len(delta.added) - len(delta.removed)
            if kind == "DELETED":
                del current[key]
            else:
                assert (key in current) == (kind == "MODIFIED")
                current[key] = found
    return base, current


@pytest.mark.slow
def test_a_base_that_follows_the_events_is_what_the_objects_give() -> None:
    total = sum(1 for _ in recordings.events())
    assert total == 674
    policies = [*recordings.policies_of("rome-4")]
    evaluated: set[tuple[Row, ...]] = set()
    for count in [*range(0, total, EVERY), total]:
        base, current = replay(count, policies)
        scratch = base_of(current.values())
        assert changes(base) == changes(scratch), f"after {count} events"
        assert list(jsonl_lines(base)) == list(jsonl_lines(scratch)), f"after {count} events"
        model = solve(base, DERIVED)
        assert rows(model, DERIVED) == rows(solve(scratch, DERIVED), DERIVED), f"after {count} events"
        assert rendered(base) == rendered(scratch)
        evaluated.add(tuple(model.rows("pending")))
    assert len(evaluated) > 3, "the policies waited for different things while the peerings came up"


@pytest.mark.parametrize("state", STATES)
def test_the_events_lead_through_the_recorded_states(state: str) -> None:
    base, _ = replay(STATES[state])
    recorded = base_of(found for found in recordings.objects_of(state) if is_read(found))
    assert changes(base) == changes(recorded)


def test_the_end_of_the_run() -> None:
    """A pod of rome was offloaded to milan and from there back to rome: one address is rome's own, the other stale."""
    base, _ = replay(674)
    model = solve(base, ["member", "finding"])
    assert ("milan", "offloaded", "10.244.1.11") in model.rows("member")
    assert ("StaleAddress", "Pod", "shop/boom2", "10.71.1.11") in model.rows("finding")
    # The virtual kubelets were restarted: their other pods show addresses of the new mapping.
    stale = [row for row in model.rows("finding") if row[0] == "StaleAddress"]
    assert len(stale) == 1
    assert ("milan", "vc-remote", "10.63.2.15") in model.rows("member")
