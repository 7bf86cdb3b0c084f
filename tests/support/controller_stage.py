"""A controller without threads, requests and time: its control loop on an API server in memory, by a clock that tests set."""

from typing import Any

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
STANDIN = ObjectKey(FIREWALL, TENANT, "milan-connectivity-standin")
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


def network(*, ready: bool = True) -> Object:
    """The Network of the peering; before it is ready it has no CIDR."""
    labels = {"liqo.io/remote-cluster-id": "milan", "configuration.liqo.io/cidr-type": "pod"}
    status = {"cidr": "10.71.0.0/16"} if ready else {}
    return thing("Network", "milan-pod", TENANT, labels=labels, spec={"cidr": "10.244.0.0/16"}, status=status)


class Stage:
    """A control loop with a clock of the test's own, and everything that its reflectors would tell it."""

    def __init__(self, api: MemoryApi | None = None) -> None:
        self.now = 1000.0
        self.leads = True
        self.shown: list[tuple[float, str, str]] = []
        """When ``Ready`` changed, in seconds since the begin, and to what."""
        self.api = api or MemoryApi()
        self._told: dict[tuple[str, ObjectKey], Observed | None] = {}
        self.restart()
        tenant = {"liqo.io/remote-cluster-id": "milan", "liqo.io/tenant-namespace": "true"}
        self.put(objects(Cluster(firewall_fields=frozenset({"sets", "ctstate"})))[0])
        self.put(thing("Namespace", TENANT, labels=tenant))
        for name in ("shop", "other", "free"):
            self.put(thing("Namespace", name))
        self.put(thing("Node", "worker-1"))
        self.put(network())
        for host in HOSTS:
            self.agent(host)
        self.edit("deny")
        self.run(0.1)

    def restart(self, *, fresh: bool = True) -> None:
        """Begin with a new process, which lists everything; the old one is as if it were killed.

        One that is not fresh has the old one's database, from which everything was removed: to make one takes long.
        """
        self.queue = ChangeQueue(0.0)
        if fresh:
            self.state = State(program())
        else:
            self.state.apply(dict.fromkeys([*self._told, *((FIREWALL, key) for key in self.state.firewalls)]))
        settings = Settings(write_interval=0.01, write_interval_limit=0.05)
        self.loop = ControlLoop(
            self.api,
            self.queue,
            self.state,
            settings,
            Metrics(),
            synced=lambda: True,
            leading=lambda: self.leads,
            clock=lambda: self.now,
        )
        for (source, key), observed in self._told.items():
            if observed is not None:
                self.queue.put(source, key, observed)

    def tell(self, source: str, key: ObjectKey, observed: Observed | None) -> None:
        """Let a watch tell of an object, if that is news."""
        if self._told.get((source, key)) != observed:
            self._told[source, key] = observed
            self.queue.put(source, key, observed)

    def watch(self) -> None:
        """Let the watches tell of the policy and the FirewallConfigurations as they are stored."""
        self.put(self.api.stored[policy_path(GUARD)])
        for key in (CHAIN, STANDIN):
            found = self.api.stored.get(firewall_path(key))
            self.tell("firewallconfigurations", key, Observed((), stored_firewall(found)) if found else None)

    def put(self, found: Object) -> None:
        key, facts = facts_of(found)
        self.tell(found["kind"], key, Observed(facts, stored_policy(found) if key.kind == POLICY else None))

    def edit(self, action: str, *more: Object) -> None:
        """Write the policy, as its administrator does: its last rule is about the namespace ``shop``."""
        spec = {"rules": [*more, {"action": action, "source": {"namespace": "shop"}}]}
        path = policy_path(GUARD)
        if path not in self.api.stored:
            self.api.stored[path] = thing(POLICY, "guard", TENANT)
        self.put(self.api.apply(path, {"metadata": {}, "spec": spec}, force=True))

    def pod(self, number: int, namespace: str = "shop") -> None:
        """Start a pod, whose address is a new member."""
        status = {"phase": "Running", "podIP": f"10.244.1.{number}"}
        self.put(thing("Pod", f"web-{number}", namespace, spec={"nodeName": "worker-1"}, status=status))

    def agent(self, host: str, node: str = "", *, live: bool = True, away: bool = False) -> None:
        """Start, change or end an agent; it is not ready while it is away."""
        key = ObjectKey(AGENT, "liqo", host)
        self.tell("agents", key, Observed((), Agent(key, live, node, away)))

    def report(self, *statuses: str, key: ObjectKey = CHAIN) -> None:
        """What the agents report of an object, one after the other; a third is ``fabric-c``."""
        hosts = (*HOSTS, "fabric-c")
        conditions = [{"host": host, "type": "Applied", "status": s} for host, s in zip(hosts, statuses, strict=False)]
        made = self.api.apply(
            f"{firewall_path(key)}/status", {"metadata": {}, "status": {"conditions": conditions}}, force=True
        )
        self.tell("firewallconfigurations", key, Observed((), stored_firewall(made)))

    def is_selected(self, key: ObjectKey) -> bool:
        """Whether there is such an object and Liqo's agents apply it."""
        found = self.api.stored.get(firewall_path(key))
        return found is not None and found["metadata"]["labels"].get("networking.liqo.io/firewall-category") == "fabric"

    def chain(self, key: ObjectKey) -> Object | None:
        """The table that is stored of an object, None if there is no object."""
        found = self.api.stored.get(firewall_path(key))
        return found["spec"]["table"] if found is not None else None

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
