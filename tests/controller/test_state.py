"""The state follows batches as if it were made anew from what there is, and one bad object keeps no other from it."""

from collections.abc import Iterator
from random import Random

import pytest

from liqo_connectivity.facts import ObjectKey, kind_of
from liqo_connectivity.operator.controller.objects.stored import (
    AGENT,
    FIREWALL,
    POLICY,
    Agent,
    Observed,
    StoredFirewall,
    stored_firewall,
    stored_policy,
)
from liqo_connectivity.operator.controller.state.state import GOALS, State
from tests.support import recordings
from tests.support.clusters import facts_of, program
from tests.support.descriptions import Cluster
from tests.support.manifests import Object, objects
from tests.support.random_clusters import cluster

Batch = dict[tuple[str, ObjectKey], Observed | None]
CRD = objects(Cluster(firewall_fields=frozenset({"sets", "ctstate"})))[0]
WRITTEN = ObjectKey(FIREWALL, "liqo-tenant-milan", "milan-connectivity")


def observed(found: Object) -> tuple[tuple[str, ObjectKey], Observed]:
    key, facts = facts_of(found)
    stored = stored_policy(found) if found["kind"] == POLICY else None
    return (found["kind"], key), Observed(facts, stored)


def fresh(batch: Batch) -> State:
    state = State(program())
    state.apply(batch)
    return state


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
def test_after_the_recorded_events_it_is_as_made_anew(size: int) -> None:
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
def test_after_random_changes_it_is_as_made_anew(seed: int) -> None:
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


# ---- What changed ----


def policy(
    name: str = "guard", *, created: str = "2026-01-01T00:00:00Z", version: str = "1", **metadata: object
) -> Object:
    return {
        "apiVersion": "security.liqo.io/v1",
        "kind": POLICY,
        "metadata": {
            "name": name,
            "namespace": "liqo-tenant-milan",
            "uid": f"uid-{name}",
            "resourceVersion": version,
            "generation": 1,
            "creationTimestamp": created,
            **metadata,
        },
        "spec": {"rules": [{"action": "deny", "source": {"namespace": "shop"}}]},
    }


def network() -> Object:
    labels = {"liqo.io/remote-cluster-id": "milan", "configuration.liqo.io/cidr-type": "pod"}
    return {
        "apiVersion": "ipam.liqo.io/v1alpha1",
        "kind": "Network",
        "metadata": {"name": "milan-pod", "namespace": "liqo-tenant-milan", "labels": labels},
        "spec": {"cidr": "10.244.0.0/16"},
        "status": {"cidr": "10.71.0.0/16"},
    }


def pod(address: str, name: str = "web", version: str = "1", **more: object) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "resourceVersion": version, **more},
        "spec": {"nodeName": "worker"},
        "status": {"phase": "Running", "podIP": address},
    }


def small(*more: Object) -> State:
    return fresh(dict(map(observed, [CRD, network(), policy(), *more])))


def tell(state: State, *found: Object) -> object:
    return state.apply(dict(map(observed, found)))


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
    state = small()
    assert vars_of(tell(state, pod("10.200.0.1"))) == [{"milan": 1}, frozenset(), frozenset(), False]
    # A Pod that moves takes one address out and puts one in, and is one change.
    assert vars_of(tell(state, pod("10.200.0.2", version="2")))[0] == {"milan": 1}


def test_a_policy_that_begins_to_wait_is_told_of() -> None:
    state = small()
    changes = state.apply({("Network", facts_of(network())[0]): None})
    assert changes.policies == {ObjectKey(POLICY, "liqo-tenant-milan", "guard")}
    assert changes.firewalls == {WRITTEN}
    assert changes.peerings.keys() == {"milan"}


# ---- One bad object ----


@pytest.mark.parametrize("first", [True, False])
def test_an_object_whose_facts_cannot_be_evaluated_is_unreadable_alone(first: bool) -> None:
    """Seconds since 1970 that need more than 32 bits are no number of the rules' language."""
    bad, good = policy("late", created="2040-01-01T00:00:00Z"), [pod("10.200.0.1"), pod("10.200.0.2", "other")]
    if first:
        state = small(bad, *good)
    else:
        state = small()
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


# ---- What the controller wrote ----


def firewall(version: str = "5", **more: object) -> StoredFirewall:
    metadata: dict[str, object] = {
        "name": WRITTEN.name,
        "namespace": WRITTEN.namespace,
        "uid": "u",
        "resourceVersion": version,
        "labels": {
            "app.kubernetes.io/managed-by": "liqo-connectivity-engine",
            "security.liqo.io/owner-uid": "uid-guard",
        },
        "annotations": {"security.liqo.io/owner": "guard"},
    }
    return stored_firewall({"metadata": {**metadata, **more}, "spec": {"table": {"chains": [{}]}}})


def test_an_answer_is_not_taken_back_by_a_watch_that_is_behind() -> None:
    state = small()
    assert state.record_firewall(firewall("7")).firewalls == {WRITTEN}
    assert not state.apply({(FIREWALL, WRITTEN): Observed((), firewall("6"))}).firewalls
    assert state.firewalls[WRITTEN].resource_version == "7"
    assert not state.apply({(FIREWALL, WRITTEN): Observed((), firewall("7"))}).firewalls, "the echo is no news"
    assert state.apply({(FIREWALL, WRITTEN): Observed((), firewall("2", uid="another"))}).firewalls
    assert state.apply({(FIREWALL, WRITTEN): None}).firewalls == {WRITTEN}
    assert not state.firewalls


def removal(state: State) -> list[tuple[object, ...]]:
    return [tuple(row) for row in state.rows("removal")]


def test_what_was_written_goes_with_its_policy() -> None:
    state = small()
    state.record_firewall(firewall())
    assert not removal(state)
    tell(state, policy(deletionTimestamp="2026-01-02T00:00:00Z", version="2"))
    assert removal(state) == [("liqo-tenant-milan/milan-connectivity", "drain")]
    assert state.rows("draining") == [("liqo-tenant-milan/guard", "liqo-tenant-milan/milan-connectivity")]
    state.apply({(POLICY, ObjectKey(POLICY, "liqo-tenant-milan", "guard")): None})
    assert removal(state) == [("liqo-tenant-milan/milan-connectivity", "drain")]
    assert not state.rows("draining")


def test_it_goes_at_once_with_its_namespace() -> None:
    terminating = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "liqo-tenant-milan", "deletionTimestamp": "2026-01-02T00:00:00Z"},
    }
    state = small(terminating)
    state.record_firewall(firewall())
    assert not state.rows("writable")
    assert state.rows("condition_false")[0][2] == "NamespaceTerminating"
    tell(state, policy(deletionTimestamp="2026-01-02T00:00:00Z", version="2"))
    assert removal(state) == [("liqo-tenant-milan/milan-connectivity", "delete")]
    assert not state.rows("draining"), "nothing waits for it"


def test_it_stays_while_another_policy_takes_over() -> None:
    state = small(policy("younger", created="2026-02-02T00:00:00Z"))
    state.record_firewall(firewall())
    tell(state, policy(deletionTimestamp="2026-03-02T00:00:00Z", version="2"))
    assert not removal(state)
    assert not state.rows("draining")
    assert state.rows("writable") == [("milan", "liqo-tenant-milan", "liqo-tenant-milan/younger")]
    # Even while that one cannot be enforced.
    state.apply({("Network", facts_of(network())[0]): None})
    assert not state.rows("writable")
    assert not removal(state)


@pytest.mark.parametrize("lost", ["label", "network", "readable"])
def test_it_stays_when_its_policy_cannot_be_enforced(lost: str) -> None:
    tenant = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": "custom",
            "labels": {"liqo.io/remote-cluster-id": "milan", "liqo.io/tenant-namespace": "true"},
        },
    }
    guard = policy()
    guard["metadata"]["namespace"] = "custom"
    where = network()
    where["metadata"]["namespace"] = "custom"
    state = fresh(dict(map(observed, [CRD, where, guard, tenant])))
    key = ObjectKey(FIREWALL, "custom", "milan-connectivity")
    state.record_firewall(firewall(namespace="custom"))
    assert state.rows("writable")
    if lost == "label":
        tell(state, {**tenant, "metadata": {"name": "custom"}})
    elif lost == "network":
        state.apply({("Network", facts_of(where)[0]): None})
    else:
        tell(state, {**guard, "metadata": {**guard["metadata"], "resourceVersion": "9"}, "spec": {"rules": 7}})
    assert not state.rows("writable")
    assert not removal(state)
    assert key in state.firewalls


def test_what_nobody_wanted_goes() -> None:
    state = fresh(dict(map(observed, [CRD, network()])))
    state.record_firewall(firewall())
    assert removal(state) == [("liqo-tenant-milan/milan-connectivity", "drain")]
    by_hand = firewall(name="by-hand")
    state.record_firewall(by_hand)
    assert ("liqo-tenant-milan/by-hand", "drain") in removal(state)


def test_an_agent_is_no_pod_and_a_pod_no_agent() -> None:
    state = small(pod("10.200.0.1"))
    facts = state.facts()
    key = ObjectKey(AGENT, "shop", "web")
    assert state.apply({("agents", key): Observed((), Agent(key, live=True))}).agents
    assert not state.apply({("agents", key): Observed((), Agent(key, live=True))}).agents
    assert state.apply({("agents", key): None}).agents
    assert state.facts() == facts


def test_an_absent_definition_makes_policies_wait_only_for_a_controller() -> None:
    state = fresh(dict(map(observed, [network(), policy()])))
    (row,) = state.rows("condition_false")
    assert row[1:5] == (
        "Programmed",
        "UnsupportedLiqo",
        "CustomResourceDefinition",
        "firewallconfigurations.networking.liqo.io",
    )
    tell(state, CRD)
    assert not state.rows("condition_false")
