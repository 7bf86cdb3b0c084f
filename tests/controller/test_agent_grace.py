"""Pods that come and go do not make ``Ready`` flap, and what really fails shows at once."""

from typing import Any

import pytest

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import (
    AGENT,
    FIREWALL,
    POLICY,
    Agent,
    Observed,
    stored_firewall,
    stored_policy,
)
from liqo_connectivity.operator.controller.reconcile.control_loop import ControlLoop
from liqo_connectivity.operator.controller.serving.metrics import Metrics
from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.controller.state.state import State
from liqo_connectivity.operator.controller.watching.change_queue import ChangeQueue
from liqo_connectivity.operator.controller.writing.object_client import firewall_path, policy_path
from tests.support.clusters import facts_of, program
from tests.support.descriptions import Cluster
from tests.support.manifests import Object, objects
from tests.support.memory_api import MemoryApi

TENANT = "liqo-tenant-milan"
GUARD = ObjectKey(POLICY, TENANT, "guard")
CHAIN = ObjectKey(FIREWALL, TENANT, "milan-connectivity")
HOSTS = ("fabric-a", "fabric-b")
GRACE = Settings().agent_grace


def thing(kind: str, name: str, namespace: str = "", **fields: Any) -> Object:
    versions = {"Network": "ipam.liqo.io/v1alpha1", POLICY: "security.liqo.io/v1"}
    metadata = {"name": name, "namespace": namespace, "uid": name, "resourceVersion": "1", "generation": 1}
    labels = fields.pop("labels", {})
    return {
        "apiVersion": versions.get(kind, "v1"),
        "kind": kind,
        "metadata": {**metadata, "labels": labels, "creationTimestamp": "2026-01-01T00:00:00Z"},
        **fields,
    }


class Stage:
    """A control loop with a clock of the test's own, and everything that its reflectors would tell it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.shown: list[tuple[float, str, str]] = []
        """When ``Ready`` changed, in seconds since the begin, and to what."""
        self.api = MemoryApi()
        self.queue = ChangeQueue(0.0)
        self.state = State(program())
        settings = Settings(write_interval=0.01, write_interval_limit=0.05)
        self.loop = ControlLoop(
            self.api,
            self.queue,
            self.state,
            settings,
            Metrics(),
            synced=lambda: True,
            leading=lambda: True,
            clock=lambda: self.now,
        )
        network = {"liqo.io/remote-cluster-id": "milan", "configuration.liqo.io/cidr-type": "pod"}
        tenant = {"liqo.io/remote-cluster-id": "milan", "liqo.io/tenant-namespace": "true"}
        spec, status = {"cidr": "10.244.0.0/16"}, {"cidr": "10.71.0.0/16"}
        self.put(objects(Cluster(firewall_fields=frozenset({"sets", "ctstate"})))[0])
        self.put(thing("Namespace", TENANT, labels=tenant))
        self.put(thing("Namespace", "shop"))
        self.put(thing("Node", "worker-1"))
        self.put(thing("Network", "milan-pod", TENANT, labels=network, spec=spec, status=status))
        for host in HOSTS:
            key = ObjectKey(AGENT, "liqo", host)
            self.queue.put("agents", key, Observed((), Agent(key, live=True)))
        self.edit("deny")
        self.run(0.1)

    def put(self, found: Object) -> None:
        key, facts = facts_of(found)
        self.queue.put(found["kind"], key, Observed(facts, stored_policy(found) if key.kind == POLICY else None))

    def edit(self, action: str) -> None:
        """Write the policy, as its administrator does."""
        spec = {"rules": [{"action": action, "source": {"namespace": "shop"}}]}
        path = policy_path(GUARD)
        if path not in self.api.stored:
            self.api.stored[path] = thing(POLICY, "guard", TENANT)
        self.put(self.api.apply(path, {"metadata": {}, "spec": spec}, force=True))

    def pod(self, number: int) -> None:
        """Start a pod, whose address is a new member."""
        status = {"phase": "Running", "podIP": f"10.244.1.{number}"}
        self.put(thing("Pod", f"web-{number}", "shop", spec={"nodeName": "worker-1"}, status=status))

    def report(self, *statuses: str) -> None:
        """What the agents report of the chain, one after the other."""
        conditions = [{"host": host, "type": "Applied", "status": s} for host, s in zip(HOSTS, statuses, strict=True)]
        made = self.api.apply(
            f"{firewall_path(CHAIN)}/status", {"metadata": {}, "status": {"conditions": conditions}}, force=True
        )
        self.queue.put("firewallconfigurations", CHAIN, Observed((), stored_firewall(made)))

    def run(self, seconds: float) -> None:
        """Let time pass, in steps of the control loop."""
        end = self.now + seconds
        while self.now < end - 1e-6:
            self.loop.step(0)
            self.loop.step(0)
            ready = self.ready()
            if not self.shown or self.shown[-1][1:] != ready:
                self.shown.append((round(self.now - 1000, 2), *ready))
            self.now += 0.05

    def ready(self) -> tuple[str, str]:
        found = self.api.stored[policy_path(GUARD)].get("status", {}).get("conditions", [])
        return next(((one["status"], one["reason"]) for one in found if one["type"] == "Ready"), ("", ""))


@pytest.fixture
def stage() -> Stage:
    made = Stage()
    assert made.ready() == ("Unknown", "AgentsPending"), "nothing was reported yet, so there is nothing to keep"
    made.report("True", "True")
    made.run(0.2)
    assert made.ready() == ("True", "FabricSynced")
    made.shown.clear()
    return made


def test_pods_that_come_and_go_do_not_make_ready_flap(stage: Stage) -> None:
    for number in range(1, 40):
        stage.pod(number)
        stage.report("True", "")
        stage.run(1)
        stage.report("True", "True")
        stage.run(0.2)
    assert [shown[1:] for shown in stage.shown] == [("True", "FabricSynced")]


def test_agents_that_do_not_report_in_time_are_pending_whatever_changes_meanwhile(stage: Stage) -> None:
    begin = stage.now - 1000
    for number in range(1, 20):
        stage.pod(number)
        stage.report("True", "")
        stage.run(0.5)
    assert [shown[1:] for shown in stage.shown] == [("True", "FabricSynced"), ("Unknown", "AgentsPending")]
    assert stage.shown[1][0] - begin == pytest.approx(GRACE, abs=0.2)
    stage.report("True", "True")
    stage.run(0.2)
    assert stage.ready() == ("True", "FabricSynced")


def test_silence_alone_ends_the_grace(stage: Stage) -> None:
    begin = stage.now - 1000
    stage.pod(1)
    stage.report("", "")
    stage.run(GRACE * 2)
    assert [shown[1:] for shown in stage.shown] == [("True", "FabricSynced"), ("Unknown", "AgentsPending")]
    assert stage.shown[1][0] - begin == pytest.approx(GRACE, abs=0.2)


def test_a_failure_shows_at_once(stage: Stage) -> None:
    stage.pod(1)
    stage.report("True", "")
    stage.run(1)
    stage.report("True", "False")
    stage.run(0.1)
    assert stage.ready() == ("False", "AgentsFailed")
    # And then there is nothing to keep.
    stage.report("True", "")
    stage.run(0.1)
    assert stage.ready() == ("Unknown", "AgentsPending")


def test_an_edit_of_the_policy_waits_for_the_agents(stage: Stage) -> None:
    stage.edit("allow")
    stage.report("True", "")
    stage.run(0.2)
    assert stage.ready() == ("Unknown", "AgentsPending")


def test_an_object_that_was_created_again_is_not_enforced(stage: Stage) -> None:
    del stage.api.stored[firewall_path(CHAIN)]
    stage.queue.put("firewallconfigurations", CHAIN, None)
    stage.run(0.5)
    assert firewall_path(CHAIN) in stage.api.stored
    assert stage.ready() == ("Unknown", "AgentsPending")


def test_without_agents_nothing_is_kept(stage: Stage) -> None:
    for host in HOSTS:
        stage.queue.put("agents", ObjectKey(AGENT, "liqo", host), None)
    stage.run(0.2)
    assert stage.ready() == ("Unknown", "NoAgents")
