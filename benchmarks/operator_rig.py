"""A real control plane with pods of 6 KB, the operator as a child process, and a watch on what it stores.

What the benchmark of the operator measures with. The pods, and their changes, are made through the API server. It must
not know what is measured.
"""

import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from urllib3.exceptions import HTTPError

from benchmarks import peerings
from benchmarks.measure import HUGE_PAGES, ROOT

# The control plane belongs to the tests, which are no package.
sys.path.insert(0, str(ROOT / "tests"))

from api_client import ApiError, Client, wait_until
from control_plane import ControlPlane
from liqo_crds import crds, with_sets_and_ctstate

FIREWALLS = "/apis/networking.liqo.io/v1beta1/firewallconfigurations"
OURS = "app.kubernetes.io/managed-by=liqo-connectivity-engine"
CRD = ROOT / "deploy/base/crd.yaml"
TICKS = os.sysconf("SC_CLK_TCK")
SETTLED = 30.0
"""Seconds that anything may take to show, before the benchmark gives up."""


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
        while (now := self.cpu()) - before > 0.02:
            before = now
            time.sleep(1)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self._log.close()


class Cluster:
    """The pods, and what changes about them."""

    def __init__(self, client: Client, pods: int, count: int) -> None:
        self.client, self.pods, self.peerings = client, pods, count
        self.generation = 0

    def fill(self) -> None:
        for made in peerings.objects(self.peerings):
            # A server that has just learnt of a CRD answers 429 for a moment.
            wait_until(partial(self._create, made))
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: self._create(peerings.pod(n, self.peerings)), range(self.pods)))

    def heartbeat(self, number: int, beat: int) -> None:
        """Change a pod's status in a way that no fact is made of."""
        condition = {
            "type": "Ready",
            "status": "True",
            "lastProbeTime": f"2026-01-01T00:{beat // 60 % 60:02}:{beat % 60:02}Z",
        }
        self.client.patch_status(self._path(number), {"conditions": [condition]})

    def move(self, number: int, address: int) -> str:
        """Give a pod another address; which."""
        status = peerings.pod(number, self.peerings, address)["status"]
        self.client.patch_status(self._path(number), {"podIP": status["podIP"], "podIPs": status["podIPs"]})
        return str(status["podIP"])

    def address(self, number: int, address: int) -> str:
        return str(peerings.pod(number, self.peerings, address)["status"]["podIP"])

    def add(self, number: int) -> None:
        self._create(peerings.pod(number, self.peerings))

    def _path(self, number: int) -> str:
        return f"/api/v1/namespaces/work-{number % self.peerings}/pods/pod-{number}"

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
        made = Cluster(plane.client(plane.kubeconfig()), pods, count)
        made.fill()
        # A server that has just learnt of a CRD refuses to watch it for a moment.
        wait_until(lambda: [made.client.list(FIREWALLS)])
        yield plane, made


def complete(stored: Stored, made: Cluster, check: Callable[[], bool]) -> None:
    """Wait until each pod's address is in an object. Rules name all members of both groups."""
    wanted = {made.address(number, 0) for number in range(made.pods)}
    wait_until(lambda: check() and wanted <= set().union(*stored.members.values()), 120)
