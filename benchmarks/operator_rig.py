"""A real control plane with pods of 6 KB, the operator as a child process, and a watch on what it stores.

The rig of the operator's benchmark. Everything is made through the API server, but for the pods and their
changes, which come from etcd.
"""

import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from tests.support.api_client import ApiError, Client
from tests.support.control_plane import ControlPlane
from tests.support.liqo_crds import crds, with_sets_and_ctstate
from tests.support.waiting import eventually
from urllib3.exceptions import HTTPError

from benchmarks import peerings
from benchmarks.etcd import Etcd
from benchmarks.measure import HUGE_PAGES, ROOT
from benchmarks.protobuf import Changes, replaced, varint

FIREWALLS = "/apis/networking.liqo.io/v1beta1/firewallconfigurations"
OURS = "app.kubernetes.io/managed-by=liqo-connectivity-engine"
CRD = ROOT / "deploy/base/crd.yaml"
TICKS = os.sysconf("SC_CLK_TCK")
Pod = dict[str, Any]
STARTED = 1_767_225_600
"""Seconds since 1970 at the first heartbeat."""
SETTLED = 30.0
"""Seconds that anything may take to show, before the benchmark gives up."""


def address_of(pod: Pod) -> str:
    return str(pod["status"]["podIP"])


def _shape(pod: Pod) -> tuple[str, bool]:
    """Pods of one shape differ in name, uid, address and heartbeat."""
    return pod["metadata"]["namespace"], "liqo.io/shadowPod" in pod["metadata"]["labels"]


def _key(pod: Pod) -> str:
    return f"/registry/pods/{pod['metadata']['namespace']}/{pod['metadata']['name']}"


class Stored:
    """The stored FirewallConfigurations, followed by a watch: which addresses they hold, since when, and how often they
    were written."""

    def __init__(self, client: Client) -> None:
        self.writes = 0
        self.members: dict[str, frozenset[str]] = {}
        self._client = client
        self._waiting: dict[str, float] = {}
        self._latencies: list[float] = []
        self._lock = threading.Condition()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def expect(self, address: str) -> None:
        """Measure from now until an object holds the address."""
        with self._lock:
            self._waiting[address] = time.perf_counter()

    def latencies(self) -> list[float]:
        """Wait until all that is expected has come; seconds each took, sorted."""
        with self._lock:
            if not self._lock.wait_for(lambda: not self._waiting, SETTLED):
                raise TimeoutError(f"{len(self._waiting)} changes never came, such as {next(iter(self._waiting))}")
            found, self._latencies = sorted(self._latencies), []
            return found

    def _follow(self) -> None:
        # The server ends, at the latest, when everything has been measured.
        with suppress(HTTPError):
            self._read()

    def _read(self) -> None:
        for event in self._client.watch(FIREWALLS, 3600, labelSelector=OURS):
            found = event["object"]
            name = found["metadata"]["name"]
            table = found["spec"]["table"]
            now = time.perf_counter()
            held = frozenset(e["key"] for s in table.get("sets", ()) for e in s.get("elements", ()))
            with self._lock:
                self.writes += 1
                self.members[name] = held
                for address in held & self._waiting.keys():
                    self._latencies.append(now - self._waiting.pop(address))
                self._lock.notify_all()


class Operator:
    """The operator as a child process."""

    def __init__(self, kubeconfig: Path) -> None:
        command = [sys.executable, "-m", "liqo_connectivity", "run", "--kubeconfig", str(kubeconfig)]
        options = ["--no-leader-election", "--probes-address", "127.0.0.1:0", "--answers-address", ""]
        environment = {"GLIBC_TUNABLES": HUGE_PAGES, **os.environ, "PYTHONPATH": str(ROOT / "src")}
        self._log = Path(kubeconfig).with_suffix(".log").open("wb")
        self.process = subprocess.Popen([*command, *options], env=environment, stderr=self._log, stdout=self._log)

    def cpu(self) -> float:
        """CPU seconds so far."""
        if self.process.poll() is not None:
            raise RuntimeError(f"the operator ended: {Path(self._log.name).read_text('utf-8')[-2000:]}")
        fields = Path(f"/proc/{self.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident(self) -> int:
        """Resident memory in bytes."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text("ascii").split()[1]) * resource.getpagesize()

    def quiet(self) -> None:
        """Wait until it uses no CPU any more."""
        before = -1.0

        def idle() -> bool:
            nonlocal before
            now = self.cpu()
            used, before = now - before, now
            return used <= 0.02

        eventually(idle, 600, every=1)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self._log.close()


class Cluster:
    """The pods, and what changes about them."""

    def __init__(self, client: Client, etcd: Etcd, pods: int, count: int) -> None:
        self.client, self.pods, self.peerings = client, pods, count
        self.generation = 0
        self._etcd = etcd
        self._stored: dict[tuple[str, bool], bytes] = {}

    def fill(self) -> None:
        for made in peerings.objects(self.peerings):
            # A server that has just learnt of a CRD answers 429 for a moment.
            eventually(partial(self._create, made))
        for number in range(5 * self.peerings):
            # Of each peering a pod that runs here and a shadow pod, to make all others of.
            pod = self.pod(number)
            if _shape(pod) not in self._stored:
                pod["status"]["conditions"] = [
                    {"type": "Ready", "status": "True", "lastProbeTime": "2026-01-01T00:00:00Z"}
                ]
                self._create(peerings.whole(pod))
                self._stored[_shape(pod)] = self._etcd.get(_key(pod))
        for number in range(self.pods):
            self.put(self.pod(number))

    def pod(self, number: int, address: int = 0) -> Pod:
        """A pod with one of its addresses."""
        return peerings.pod(number, self.peerings, address)

    def put(self, pod: Pod, beat: int = 0) -> None:
        """Create a pod, or change it; a heartbeat is a change of which no fact is made."""
        name, address = pod["metadata"]["name"], address_of(pod).encode()
        identity = {1: name.encode(), 5: f"{name.removeprefix('pod-'):0>8}-0000-4000-8000-000000000000".encode()}
        probed = b"\x08" + varint(STARTED + beat)
        # A server stores "k8s", a zero, and a message whose field 2 holds the object.
        # Field numbers: kubernetes/api core/v1 and apimachinery meta/v1, generated.proto.
        status: Changes = {2: {3: probed}, 6: address, 12: {1: address}}
        stored = self._stored[_shape(pod)]
        self._etcd.put(_key(pod), stored[:4] + replaced(stored[4:], {2: {1: identity, 3: status}}))

    def _create(self, made: dict[str, Any]) -> bool:
        try:
            self.client.create(made)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
        if "status" in made:
            self.client.patch_status(self.client.path(made), made["status"])
        return True


@contextmanager
def cluster(pods: int, count: int) -> Iterator[tuple[ControlPlane, Cluster]]:
    # A cluster runs its controller manager on other cores.
    with ControlPlane(controllers=False) as plane:
        definition = yaml.load(CRD.read_text("utf-8"), Loader=yaml.CSafeLoader)
        plane.install([*with_sets_and_ctstate(crds()), definition])
        made = Cluster(plane.client(plane.kubeconfig()), Etcd(plane.etcd), pods, count)
        made.fill()
        # A server that has just learnt of a CRD refuses to watch it for a moment.
        eventually(lambda: [made.client.list(FIREWALLS)])
        yield plane, made


def complete(stored: Stored, made: Cluster, check: Callable[[], bool]) -> None:
    """Wait until each pod's address is in an object. Rules name all members of both groups."""
    wanted = {address_of(made.pod(number)) for number in range(made.pods)}
    eventually(lambda: check() and wanted <= set().union(*stored.members.values()), 120)
