"""What the controller has written is part of its state: it goes with its policy, and an answer is newer than a late event."""

import pytest

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import (
    AGENT,
    FIREWALL,
    POLICY,
    Agent,
    Observed,
)
from liqo_connectivity.operator.controller.state.state import State
from tests.support.clusters import facts_of
from tests.support.state_changes import CRD, WRITTEN, firewall, fresh, network, observed, pod, policy, small, tell

# ---- What the controller wrote ----


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
