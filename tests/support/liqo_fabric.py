"""Liqo's fabric pods at work in a control plane: each applies every FirewallConfiguration of its category and reports it.

What arrives in a node's kernel is that of ``liqo_agent``; here is what the agents do with the objects, as Liqo v1.2.0
does it: a finalizer that all of them share, a condition for each host whose first write is empty, reports of hosts that
are no more. It must not know who writes FirewallConfigurations.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import urllib3

from tests.support.api_client import ApiError, Object
from tests.support.control_plane import ControlPlane
from tests.support.liqo_agent import Agent, KernelError
from tests.support.waiting import eventually

COLLECTION = "/apis/networking.liqo.io/v1beta1/firewallconfigurations"
FINALIZER = "firewallconfigurations-controller.liqo.io/finalizer"
CATEGORY = "networking.liqo.io/firewall-category"
NAMESPACE = "liqo"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
_WATCH_SECONDS = 2

HEALTHY, BROKEN, SILENT = "healthy", "broken", "silent"


class Fabric:
    """The fabric pods of a cluster by name; they work while the context lasts. Its namespace has to be there."""

    def __init__(self, plane: ControlPlane, *hosts: str) -> None:
        self._plane = plane
        self._client = plane.client(plane.kubeconfig())
        self._lock = threading.Lock()
        self._modes: dict[str, str] = {}
        self._paused = threading.Event()
        self._stopped = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.kernels: dict[str, Agent] = {}
        """What each host has in its kernel."""
        for host in hosts:
            self.join(host)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopped.set()
        self._thread.join()
        for host in list(self._modes):
            self.leave(host)
        if self._failure is not None and error is None:
            raise self._failure

    def join(self, host: str, mode: str = HEALTHY) -> None:
        """Start the fabric pod of a host: it applies what there is, or fails to, or never reports."""
        labels = {"app.kubernetes.io/name": "fabric"}
        metadata = {"name": host, "namespace": NAMESPACE, "labels": labels}
        spec = {"nodeName": "worker-1", "hostNetwork": True, "containers": [{"name": "fabric", "image": "fabric"}]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        self._client.apply(pod)
        self._client.patch_status(f"{PODS}/{host}", {"phase": "Running", "podIP": "172.18.0.11"})
        with self._lock:
            self._modes[host] = mode
            self.kernels[host] = Agent()
            self._touch()

    def leave(self, host: str) -> None:
        """End the fabric pod of a host; its reports stay, as Liqo leaves them."""
        with self._lock:
            self._modes.pop(host, None)
        try:
            self._client.delete(f"{PODS}/{host}", gracePeriodSeconds="0")
        except ApiError as error:
            if error.status != 404:
                raise

    @contextmanager
    def with_host(self, host: str, mode: str) -> Iterator[None]:
        """One more host meanwhile."""
        self.join(host, mode)
        try:
            yield
        finally:
            self.leave(host)

    def mend(self, host: str, mode: str = HEALTHY) -> None:
        """Change what a host does, and let it look at everything again."""
        with self._lock:
            self._modes[host] = mode
            self._touch()

    def pause(self) -> None:
        """Let no agent do anything, finalizers neither."""
        self._paused.set()
        with self._lock:
            pass  # an agent at work has finished

    def resume(self) -> None:
        """Let them go on with everything."""
        self._paused.clear()

    def holds(self, table: str) -> list[str]:
        """The hosts in whose kernel a table has chains."""
        with self._lock:
            return sorted(
                host for host, agent in self.kernels.items() if table in agent.tables and agent.tables[table].chains
            )

    def _work(self) -> None:
        try:
            while not self._stopped.is_set():
                try:
                    self._follow()
                except (ApiError, urllib3.exceptions.HTTPError):  # the server is being restarted, or a write lost
                    self._stopped.wait(0.1)
        except Exception as error:  # noqa: BLE001  raised again in the test's own thread
            self._failure = error

    def _follow(self) -> None:
        for event in self._client.watch(COLLECTION, _WATCH_SECONDS, labelSelector=f"{CATEGORY}=fabric"):
            if self._stopped.is_set():
                return
            while self._paused.is_set() and not self._stopped.is_set():
                self._stopped.wait(0.02)
            with self._lock:
                if event["type"] == "DELETED":
                    self._drop(event["object"]["spec"]["table"]["name"])
                elif event["type"] in ("ADDED", "MODIFIED"):
                    self._reconcile(event["object"])

    def _touch(self) -> None:
        """Look at everything there is."""
        for stored in self._client.list(COLLECTION, labelSelector=f"{CATEGORY}=fabric"):
            self._reconcile(stored)

    def _drop(self, table: str) -> None:
        for agent in self.kernels.values():
            agent.tables.pop(table, None)

    def _reconcile(self, found: Mapping[str, Any]) -> None:
        found = {"apiVersion": "networking.liqo.io/v1beta1", "kind": "FirewallConfiguration", **found}
        path = self._client.path(found)
        try:
            self._reconcile_at(path, found)
        except ApiError as error:
            if error.status not in (404, 409):  # gone or changed meanwhile: another event tells
                raise

    def _reconcile_at(self, path: str, found: Object) -> None:
        metadata = found["metadata"]
        finalizers = metadata.get("finalizers", [])
        if "deletionTimestamp" in metadata:
            self._drop(found["spec"]["table"]["name"])
            if FINALIZER in finalizers:
                kept = [each for each in finalizers if each != FINALIZER]
                change = {"metadata": {"resourceVersion": metadata["resourceVersion"], "finalizers": kept}}
                self._client.patch(path, change)
            return
        if FINALIZER not in finalizers:
            added = {"resourceVersion": metadata["resourceVersion"], "finalizers": [*finalizers, FINALIZER]}
            self._client.patch(path, {"metadata": added})
            return
        for host, mode in self._modes.items():
            if mode != SILENT:
                self._report(path, host, "True" if mode == HEALTHY and self._apply(host, found) else "False")

    def _apply(self, host: str, found: Object) -> bool:
        table = {"chains": [], "sets": [], **found["spec"]["table"]}
        try:
            self.kernels[host].apply({"spec": {"table": table}})
        except KernelError:
            return False
        return True

    def _report(self, path: str, host: str, status: str) -> None:
        stored = self._client.get(path)
        conditions = stored.get("status", {}).get("conditions", [])
        mine = next((each for each in conditions if each["host"] == host), None)
        if mine is None:
            # Liqo appends a copy of nothing, and fills it in when it looks again.
            conditions.append({"host": host, "type": "", "status": ""})
        elif (mine["type"], mine["status"]) != ("Applied", status):
            mine |= {"type": "Applied", "status": status, "lastTransitionTime": "2026-07-01T10:00:00Z"}
        else:
            return
        change = {"metadata": {"resourceVersion": stored["metadata"]["resourceVersion"]}}
        self._client.patch(f"{path}/status", {**change, "status": {"conditions": conditions}})


def reported(plane: ControlPlane, path: str, **hosts: str) -> None:
    """Wait until the reports of a FirewallConfiguration say this of these hosts."""

    def said() -> bool:
        conditions = plane.admin.get(path).get("status", {}).get("conditions", [])
        return dict(hosts).items() <= {each["host"]: each["status"] for each in conditions}.items()

    eventually(said)
