"""After each batch the state equals one built from all objects, and a bad object does not keep out the others."""

from collections.abc import Iterator
from random import Random

import pytest

from liqo_connectivity.facts import ObjectKey, kind_of
from liqo_connectivity.operator.controller.objects.stored import (
    AGENT,
    POLICY,
    Agent,
    Observed,
)
from liqo_connectivity.operator.controller.state.state import GOALS, State
from liqo_connectivity.rules.program import load
from tests.support import recordings
from tests.support.clusters import facts_of
from tests.support.manifests import Object, objects
from tests.support.random_clusters import cluster
from tests.support.state_changes import (
    CRD,
    WRITTEN,
    Batch,
    firewall,
    fresh,
    network,
    observed,
    pod,
    policy,
    small,
    tell,
)


def tuples(state: State) -> dict[str, object]:
    """Everything that follows, and what is wanted."""
    return {
        **{name: state.rows(name) for name in GOALS},
        "wanted": [state.desired.firewall(peering) for peering in state.desired.peerings()],
        "facts": sorted(map(repr, state.facts()[1])),
    }


def events() -> Iterator[Batch]:
    """The recorded watch events, one by one, after the policies and a definition that can enforce them."""
    yield dict(map(observed, [CRD, *recordings.policies_of("rome-4")]))
    for kind, found in recordings.events():
        if kind_of(found["apiVersion"], found["kind"]) is not None and found["kind"] != CRD["kind"]:
            at, seen = observed(found)
            yield {at: None if kind == "DELETED" else seen}


@pytest.mark.parametrize("size", [1, 9])
def test_after_the_recorded_events_it_equals_a_new_one(size: int) -> None:
    batches = list(events())
    state, everything = fresh(batches[0]), dict(batches[0])
    changed = 0
    for first in range(1, len(batches), size):
        batch: Batch = {}
        for one in batches[first : first + size]:
            batch.update(one)
        changes = state.apply(batch)
        everything.update(batch)
        changed += bool(changes.peerings)
        if first % (size * 70) == 1:
            assert tuples(state) == tuples(fresh({at: seen for at, seen in everything.items() if seen is not None}))
    assert tuples(state) == tuples(fresh({at: seen for at, seen in everything.items() if seen is not None}))
    assert changed > 10
    assert state.desired.peerings() == ["milan", "naples"]


@pytest.mark.parametrize("seed", range(6))
def test_after_random_changes_it_equals_a_new_one(seed: int) -> None:
    """Objects of one random cluster give way to those of another, a few at a time, in any order."""
    rng = Random(seed)
    before, after = (dict(map(observed, [CRD, *_distinct(objects(cluster(Random(seed * 2 + n))))])) for n in (0, 1))
    state, current = fresh({**before}), dict(before)
    moves = [(at, after.get(at)) for at in rng.sample(sorted({*before, *after}), len({*before, *after}))]
    while moves:
        batch = dict(moves[: (size := rng.choice((1, 2, 5)))])
        moves = moves[size:]
        told = state.desired.peerings()
        wanted = {peering: state.desired.firewall(peering) for peering in told}
        changes = state.apply(batch)
        for at, seen in batch.items():
            if seen is None:
                current.pop(at, None)
            else:
                current[at] = seen
        for peering in {*told, *state.desired.peerings()} - changes.peerings.keys():
            assert state.desired.firewall(peering) == wanted[peering], "a chain that changed was not told of"
    assert tuples(state) == tuples(fresh({**current}))


def _distinct(found: list[Object]) -> list[Object]:
    """The first object of each name, and none of the definition, which the random clusters vary."""
    first: dict[object, Object] = {}
    for one in found:
        if one["kind"] != CRD["kind"]:
            first.setdefault(facts_of(one)[0], one)
    return list(first.values())


def test_a_heartbeat_changes_nothing() -> None:
    state = small(pod("10.200.0.1"))
    number = state.number
    assert not any(vars_of(tell(state, pod("10.200.0.1", version="2", annotations={"beat": "2"}))))
    assert state.number == number
    assert [fact.source.resource_version for fact in state.facts()[1] if fact.relation == "pod_ip"] == ["2"]


def test_what_is_as_before_but_for_its_version_is_no_news() -> None:
    state = small(pod("10.200.0.1"))

    def is_news(found: Object) -> bool:
        (_, key), seen = observed(found)
        return state.is_news(key, seen)

    assert not is_news(pod("10.200.0.1", version="2"))
    assert is_news(pod("10.200.0.2", version="2"))
    assert is_news(pod("10.200.0.1", "another"))
    assert is_news(pod("10.200.0.1", labels={"liqo.io/shadowPod": "true"}))
    assert state.is_news(facts_of(pod(""))[0], None)
    assert not is_news(policy())
    assert is_news(policy(version="2")), "its status may have changed"
    assert state.is_news(WRITTEN, Observed((), firewall("7")))
    state.record_firewall(firewall("7"))
    assert not state.is_news(WRITTEN, Observed((), firewall("7"))), "the answer told of it"
    assert state.is_news(WRITTEN, Observed((), firewall("8")))
    agent = ObjectKey(AGENT, "liqo", "fabric-1")
    assert state.is_news(agent, Observed((), Agent(agent, live=True)))
    state.apply({("agents", agent): Observed((), Agent(agent, live=True))})
    assert not state.is_news(agent, Observed((), Agent(agent, live=True)))
    assert state.is_news(agent, Observed((), Agent(agent, live=False)))


def vars_of(changes: object) -> list[object]:
    return [getattr(changes, name) for name in ("peerings", "policies", "firewalls", "agents")]


def test_a_pod_changes_the_chain_of_its_peering_and_no_policy() -> None:
    # A policy says of a namespace that it names if that has no pod at all.
    state = small(pod("10.200.0.9", "first"))
    assert vars_of(tell(state, pod("10.200.0.1"))) == [{"milan": 1}, frozenset(), frozenset(), False]
    # A Pod that moves takes one address out and puts one in, and is one change.
    assert vars_of(tell(state, pod("10.200.0.2", version="2")))[0] == {"milan": 1}


def test_a_policy_that_begins_to_wait_is_told_of() -> None:
    state = small()
    changes = state.apply({("Network", facts_of(network())[0]): None})
    assert changes.policies == {ObjectKey(POLICY, "liqo-tenant-milan", "guard")}
    assert changes.firewalls == {WRITTEN}
    assert changes.peerings.keys() == {"milan"}


# ---- A policy that grows too large ----


def test_a_chain_that_does_not_fit_leaves_the_last_one_in_place() -> None:
    state = small(pod("10.200.0.1"))
    state.record_firewall(firewall())
    assert state.desired.peerings() == ["milan"]
    large = policy(version="2")
    large["spec"]["rules"] = [{"action": "allow"}] * 1000
    changes = state.apply(dict(map(observed, [large])))
    assert changes.peerings.keys() == {"milan"}
    assert state.desired.peerings() == []
    assert (state.rows("writable"), state.rows("removal")) == ([], [])
    ((*condition, detail),) = state.rows("condition_false")
    assert condition[1:3] == ["Programmed", "TooLarge"]
    assert str(detail).startswith("up to /spec/rules/999: 1001 rules of nftables, and 1000 fit: use fewer rules")
    tell(state, policy(version="3"))
    assert state.desired.peerings() == ["milan"]
    assert state.rows("condition_false") == []


# ---- One bad object ----


@pytest.mark.parametrize("first", [True, False])
def test_an_object_whose_facts_cannot_be_evaluated_is_unreadable_alone(first: bool) -> None:
    """An added rule reckons with the age of policies, and a sum that needs more than 32 bits is no number."""
    rules = load({"age.dl": 'invalid_field(P, "/metadata") :- policy_created(P, Seconds), Seconds + 200000000 < 0.'})
    bad, good = policy("late", created="2040-01-01T00:00:00Z"), [pod("10.200.0.1"), pod("10.200.0.2", "other")]
    if first:
        state = small(bad, *good, rules=rules)
    else:
        state = small(rules=rules)
        tell(state, bad, *good)
    assert [row[:2] for row in state.rows("condition_unreadable")] == [("liqo-tenant-milan", "late")]
    assert "32 bits" in str(state.rows("condition_unreadable")[0][4])
    # A policy that could not be read may be the one that governs.
    assert state.rows("condition_false")[0][:3] == ("liqo-tenant-milan/guard", "Programmed", "ObjectUnreadable")
    tell(state, policy("late", version="2"))
    assert not state.rows("condition_unreadable")
    assert len(state.rows("chain_element")) == 2


def test_a_policy_that_cannot_be_read_may_still_go() -> None:
    bad = policy(deletionTimestamp="2026-01-02T00:00:00Z")
    bad["spec"] = {"rules": 7}
    state = small()
    tell(state, {**bad, "metadata": {**bad["metadata"], "resourceVersion": "2"}})
    assert not state.rows("condition_unreadable")
    assert not state.rows("governing")
