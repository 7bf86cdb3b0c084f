"""How long the deletion of a chain waits for Liqo's agents, by a clock that the tests set."""

from dataclasses import replace
from typing import Any

import pytest

from liqo_connectivity.chains import LABELS
from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import AGENT, Agent, StoredFirewall, stored_firewall
from liqo_connectivity.operator.controller.writing.deletion import FirewallDeleter


class Recorder:
    """An API server that says yes: what was asked of it."""

    def __init__(self, live: dict[str, Any]) -> None:
        self.live = live
        self.asked: list[str] = []

    def get(self, path: str) -> dict[str, object]:
        self.asked.append("get")
        return self.live

    def apply(self, path: str, body: Any, *, force: bool, partial: bool = False) -> dict[str, object]:
        self.asked.append("apply")
        self.live["spec"] = body["spec"]
        return self.live

    def create(self, path: str, body: Any) -> dict[str, object]:
        raise NotImplementedError  # a deletion creates nothing

    def replace(self, path: str, body: Any) -> dict[str, object]:
        raise NotImplementedError  # nor does it replace anything

    def delete(self, path: str, *, uid: str, resource_version: str | None = None) -> dict[str, object]:
        self.asked.append("delete")
        return {}


def live() -> dict[str, Any]:
    metadata = {
        "name": "milan-connectivity",
        "namespace": "t",
        "uid": "u",
        "resourceVersion": "1",
        "labels": dict(LABELS),
    }
    return {"metadata": metadata, "spec": {"table": {"name": "connectivity-milan", "family": "IPV4", "chains": [{}]}}}


def agents(*names: str) -> list[Agent]:
    return [Agent(ObjectKey(AGENT, "liqo", name), live=True) for name in names]


def stepped(remover: FirewallDeleter, stored: StoredFirewall, now: float, *names: str) -> StoredFirewall:
    step = remover.step(stored, agents(*names), now, drain=True)
    assert step.stored is not None
    assert step.wait >= 0
    return step.stored


def test_reports_have_to_be_good_for_a_while() -> None:
    calls = Recorder(live())
    remover = FirewallDeleter(calls, settle=2.0, timeout=30.0)
    stored = stepped(remover, stored_firewall(live()), 0.0, "a")
    assert stored.empty
    assert calls.asked == ["get", "apply"]
    good = replace(stored, hosts=(("a", "True"),))
    stepped(remover, good, 0.5, "a")
    stepped(remover, replace(good, hosts=(("a", "False"),)), 1.0, "a")
    stepped(remover, good, 1.5, "a")
    stepped(remover, good, 3.4, "a")
    assert "delete" not in calls.asked, "good since 1.5 only"
    assert stepped(remover, good, 3.5, "a").deleting
    assert calls.asked[-1] == "delete"


def test_without_agents_only_the_settling_is_waited_for() -> None:
    calls = Recorder(live())
    remover = FirewallDeleter(calls, settle=2.0, timeout=30.0)
    stored = stepped(remover, stored_firewall(live()), 0.0)
    assert remover.step(stored, [], 1.0, drain=True).wait == pytest.approx(1.0)
    assert stepped(remover, stored, 2.0).deleting


def test_each_wait_has_an_end() -> None:
    calls = Recorder(live())
    remover = FirewallDeleter(calls, settle=2.0, timeout=30.0)
    stored = stepped(remover, stored_firewall(live()), 0.0, "a")
    assert remover.step(stored, agents("a"), 29.0, drain=True).wait == pytest.approx(1.0)
    step = remover.step(stored, agents("a"), 30.0, drain=True)
    assert "it was deleted before every agent removed the chain" in step.overdue
    assert step.stored is not None
    assert step.stored.deleting
    assert not remover.has_given_up(stored.key, 59.0)
    assert remover.has_given_up(stored.key, 60.0)
    assert "finalizer" in remover.step(step.stored, agents("a"), 60.0, drain=True).overdue
    remover.forget(stored.key)
    assert not remover.has_given_up(stored.key, 60.0)


def test_an_object_of_somebody_else_is_not_emptied() -> None:
    foreign = live()
    del foreign["metadata"]["labels"]
    calls = Recorder(foreign)
    step = FirewallDeleter(calls, 2.0, 30.0).step(stored_firewall(live()), [], 0.0, drain=True)
    assert calls.asked == ["get"]
    assert step.stored is not None
    assert not step.stored.managed


def test_an_object_that_no_agent_selects_goes_at_once() -> None:
    inert = live()
    inert["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "liqo-connectivity-engine"}
    inert["spec"]["table"]["chains"] = []
    calls = Recorder(inert)
    step = FirewallDeleter(calls, 2.0, 30.0).step(stored_firewall(inert), agents("a"), 0.0, drain=True)
    assert calls.asked == ["delete"]
    assert step.overdue == ""
    # One of which agents have reported was selected before somebody took its labels.
    inert["status"] = {"conditions": [{"host": "a", "type": "Applied", "status": "True"}]}
    calls = Recorder(inert)
    FirewallDeleter(calls, 2.0, 30.0).step(stored_firewall(inert), agents("a", "b"), 0.0, drain=True)
    assert calls.asked == []
