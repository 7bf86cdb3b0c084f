"""The control loop in the thread of a test, against a real API server: real reflectors, and steps one by one.

The reflectors see whatever a test changes on the server; decisions and writes happen only in ``until``.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import uuid4

from yaml import CSafeLoader, load

from liqo_connectivity.engine import Program
from liqo_connectivity.operator.controller.reconcile.control_loop import ControlLoop
from liqo_connectivity.operator.controller.serving.metrics import Metrics
from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.controller.state.state import State
from liqo_connectivity.operator.controller.watching.change_queue import ChangeQueue
from liqo_connectivity.operator.controller.watching.reflector import Reflector
from liqo_connectivity.operator.controller.watching.resources import resources
from liqo_connectivity.operator.kube.connection import connect
from liqo_connectivity.operator.kube.rest_client import RestClient
from liqo_connectivity.rules.program import load as load_rules
from tests.support.api_client import ApiError, Client, Object
from tests.support.checkout import ROOT
from tests.support.control_plane import ControlPlane
from tests.support.waiting import eventually

T = TypeVar("T")
FIREWALLS = "/apis/networking.liqo.io/v1beta1/namespaces/{}/firewallconfigurations"
POLICIES = "/apis/security.liqo.io/v1/namespaces/{}/peeringconnectivities"
QUICK = {
    "write_interval": 0.01,
    "write_interval_limit": 0.05,
    "retry_backoff": 0.02,
    "retry_backoff_limit": 0.2,
    "agent_settle": 0.05,
    "agent_timeout": 0.5,
    "debounce": 0.005,
    "watch_backoff": 0.05,
    "absent_interval": 0.1,
}


@dataclass
class Site:
    """A peering for one test alone: its tenant namespace, a namespace for pods, and what is stored for it."""

    client: Client
    cluster: str
    tenant: str
    pods: str

    @property
    def firewall(self) -> str:
        """The path of the peering's FirewallConfiguration."""
        return f"{FIREWALLS.format(self.tenant)}/{self.cluster}-connectivity"

    def policy(self, name: str = "guard") -> str:
        """The path of a policy."""
        return f"{POLICIES.format(self.tenant)}/{name}"

    def get(self, path: str) -> Object | None:
        """What is at a path, None if nothing."""
        try:
            return self.client.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def stored(self) -> Object | None:
        """The FirewallConfiguration."""
        return self.get(self.firewall)

    def conditions(self, name: str = "guard") -> dict[str, tuple[str, str]]:
        """Status and reason of each condition that a policy shows."""
        found = (self.get(self.policy(name)) or {}).get("status", {}).get("conditions", ())
        return {each["type"]: (each["status"], each["reason"]) for each in found}

    def message(self, kind: str, name: str = "guard") -> str:
        """The message of a condition."""
        conditions = (self.get(self.policy(name)) or {})["status"]["conditions"]
        return next(str(each["message"]) for each in conditions if each["type"] == kind)

    def elements(self) -> list[str]:
        """The addresses of the sets of the namespace for pods."""
        found = self.stored()
        sets = found["spec"]["table"].get("sets", []) if found else []
        return [
            each["key"] for held in sets if held["name"].startswith("namespace.") for each in held.get("elements", ())
        ]

    def add_policy(self, name: str = "guard", *, action: str = "deny", finalizers: tuple[str, ...] = ()) -> Object:
        """A policy about traffic from the namespace for pods."""
        return self.client.create(
            {
                "apiVersion": "security.liqo.io/v1",
                "kind": "PeeringConnectivity",
                "metadata": {"name": name, "namespace": self.tenant, "finalizers": list(finalizers)},
                "spec": {"rules": [{"action": action, "source": {"namespace": self.pods}}]},
            }
        )

    def add_pod(self, address: str, name: str = "") -> str:
        """A running pod with an address; its path."""
        made = self.client.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name or f"pod-{uuid4().hex[:8]}", "namespace": self.pods},
                "spec": {
                    "containers": [{"name": "c", "image": "none"}],
                    "nodeName": "worker-1",
                    "automountServiceAccountToken": False,
                },
            }
        )
        path = self.client.path(made)
        self.client.patch_status(path, {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]})
        return path

    def left(self) -> list[str]:
        """The paths of the policies and FirewallConfigurations that are there."""
        paths = (POLICIES.format(self.tenant), FIREWALLS.format(self.tenant))
        return [f"{path}/{item['metadata']['name']}" for path in paths for item in self.client.list(path)]

    def report(self, **hosts: str) -> None:
        """What Liqo's agents say of the FirewallConfiguration: host and status."""
        conditions = [
            {
                "host": host.replace("_", "-"),
                "type": "Applied",
                "status": status,
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
            for host, status in hosts.items()
        ]
        self.client.patch(f"{self.firewall}/status", {"status": {"conditions": conditions}})


@dataclass
class Rig:
    """A controller whose control loop the test steps."""

    loop: ControlLoop
    state: State
    metrics: Metrics
    reflectors: list[Reflector] = field(default_factory=list)

    def until(self, done: Callable[[], T | None], seconds: float = 15) -> T:
        """Step until something is true; returns that."""
        end = datetime.now(UTC).timestamp() + seconds
        while True:
            self.loop.step(0.02)
            found = done()
            if found:
                return found
            if datetime.now(UTC).timestamp() > end:
                raise TimeoutError(f"not within {seconds} s; the last answer was {found!r}")

    def rest(self) -> None:
        """Step until nothing is left to do, several times."""
        for _ in range(15):
            self.until(lambda: self.loop.quiescent)


def install(plane: ControlPlane) -> None:
    """Make the API server serve PeeringConnectivities."""
    text = (ROOT / "deploy" / "base" / "crd.yaml").read_text("utf-8")
    plane.install([load(text, Loader=CSafeLoader)])


def site(plane: ControlPlane, *, network: bool = True) -> Site:
    """A peering that is ready, unless it has no Network; its pods run on a physical node."""
    plane.admin.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "worker-1"}})
    cluster = f"c{uuid4().hex[:10]}"
    labels = {"liqo.io/remote-cluster-id": cluster, "liqo.io/tenant-namespace": "true"}
    made = Site(plane.admin, cluster, plane.namespace("tenant", labels), plane.namespace("pods"))
    # Pods are refused until the controller manager has made it.
    eventually(lambda: made.get(f"/api/v1/namespaces/{made.pods}/serviceaccounts/default"))
    if network:
        add_network(made)
    return made


@contextmanager
def placed(plane: ControlPlane, *, network: bool = True) -> Iterator[Site]:
    """A site that leaves nothing behind that a controller would care about."""
    made = site(plane, network=network)
    try:
        yield made
    finally:
        for path in made.left():
            made.client.patch(path, {"metadata": {"finalizers": None}})
            with suppress(ApiError):
                made.client.delete(path)


def add_network(place: Site) -> str:
    """The remote pod CIDR of a peering; each site has one that no other test uses. Gives its path."""
    number = int(place.cluster[1:], 16)
    cidr = f"10.{64 + number % 128}.{number // 128 % 256}.0/24"
    labels = {"liqo.io/remote-cluster-id": place.cluster, "configuration.liqo.io/cidr-type": "pod"}
    made = place.client.create(
        {
            "apiVersion": "ipam.liqo.io/v1alpha1",
            "kind": "Network",
            "metadata": {"name": "remote-pod", "namespace": place.tenant, "labels": labels},
            "spec": {"cidr": "10.244.0.0/16"},
        }
    )
    path = place.client.path(made)
    place.client.patch_status(path, {"cidr": cidr})
    return path


@contextmanager
def rig(
    plane: ControlPlane,
    *,
    program: Program | None = None,
    leading: Callable[[], bool] = lambda: True,
    never_synced: bool = False,
    wrap: Callable[[RestClient], Any] = lambda api: api,
    **settings: Any,
) -> Iterator[Rig]:
    """A controller with quick settings; ``wrap`` may put something between it and the API server."""
    chosen = Settings(**{**QUICK, "liqo_namespace": "liqo", **settings})
    metrics = Metrics()
    api = RestClient(connect(str(plane.kubeconfig())), fence=leading)
    queue = ChangeQueue(chosen.debounce)
    reflectors = [Reflector(each, api, queue, chosen, metrics) for each in resources(chosen.liqo_namespace)]
    state = State(program or load_rules())
    loop = ControlLoop(
        wrap(api),
        queue,
        state,
        chosen,
        metrics,
        synced=lambda: not never_synced and all(reflector.synced.is_set() for reflector in reflectors),
        leading=leading,
        instance="test",
    )
    for reflector in reflectors:
        reflector.start()
    try:
        yield Rig(loop, state, metrics, reflectors)
    finally:
        queue.close()
        for reflector in reflectors:
            reflector.stop()
        for reflector in reflectors:
            reflector.join(5)
