"""``python -m benchmarks.operator [--pods N] [--rate R] [--json]``: the operator on a real control plane under churn.

A real etcd and API server, pods of 6 KB, one or many peerings, and the operator as a child process: what a heartbeat, a
change, a stream of changes and a burst cost it in CPU, how long until the stored FirewallConfiguration has them, and how
often it is written. The latency counts from before the change is sent until the watch shows it. It must not know how
the operator works.
"""

import json
import os
import resource
import subprocess
import sys
import threading
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from benchmarks import peerings
from benchmarks.measure import ROOT

# The control plane belongs to the tests, which are no package.
sys.path.insert(0, str(ROOT / "tests"))

from api_client import ApiError, Client, wait_until
from control_plane import ControlPlane
from liqo_crds import crds, with_sets_and_ctstate

Figures = dict[str, Any]
TICKS = os.sysconf("SC_CLK_TCK")
CRD = ROOT / "deploy/base/crd.yaml"
FIREWALLS = "/apis/networking.liqo.io/v1beta1/firewallconfigurations"
HEARTBEATS = 1_000
LONE = 30
BURST = 1_000
SETTLED = 30.0
"""Seconds that anything may take to show, before the benchmark gives up."""

LIMITS = {
    "heartbeat_cpu_ms": 0.3,
    "heartbeat_writes": 0,
    "lone_p99_ms": 100,
    "steady_p50_ms": 300,
    "steady_p99_ms": 700,
    "steady_cpu_ms": 5,
    "stream_p99_ms": 1000,
    "stream_cpu_ms": 2,
    "burst_exact_s": 1,
    "burst_writes_per_object": 3,
    "resident_mib": 250,
}
"""What each figure must not exceed at 10,000 pods."""


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
        for event in self._client.watch(FIREWALLS, 3600):
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
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
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


def percentile(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]


def paced(count: int, rate: float) -> Iterator[int]:
    """Numbers at a rate; late ones follow at once."""
    started = time.perf_counter()
    for number in range(count):
        time.sleep(max(0.0, started + number / rate - time.perf_counter()))
        yield number


def measure(pods: int, count: int, rate: float, seconds: float) -> Figures:
    """All figures of one cluster."""
    with cluster(pods, count) as (plane, made):
        stored = Stored(plane.client(plane.kubeconfig()))
        operator = Operator(plane.kubeconfig())
        try:
            started = time.perf_counter()
            complete(stored, made, lambda: operator.cpu() >= 0)
            figures: Figures = {"pods": pods, "peerings": count, "start_s": time.perf_counter() - started}
            operator.quiet()
            figures |= heartbeats(operator, stored, made)
            figures |= lone(stored, made)
            figures |= stream("steady", operator, stored, made, 10, 30)
            figures |= stream("stream", operator, stored, made, rate, seconds)
            figures |= burst(operator, stored, made)
            figures["resident_mib"] = operator.resident() / 2**20
            return figures
        finally:
            operator.stop()


@contextmanager
def cluster(pods: int, count: int) -> Iterator[tuple[ControlPlane, Cluster]]:
    with ControlPlane() as plane:
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


def heartbeats(operator: Operator, stored: Stored, made: Cluster) -> Figures:
    before, writes = operator.cpu(), stored.writes
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: made.heartbeat(number % made.pods, number), range(HEARTBEATS)))
    time.sleep(2)
    return {
        "heartbeat_cpu_ms": 1e3 * (operator.cpu() - before) / HEARTBEATS,
        "heartbeat_writes": stored.writes - writes,
    }


def lone(stored: Stored, made: Cluster) -> Figures:
    for number in range(LONE):
        time.sleep(1.5)
        stored.expect(made.address(number, 1))
        made.move(number, 1)
    found = stored.latencies()
    return {"lone_p50_ms": 1e3 * percentile(found, 0.5), "lone_p99_ms": 1e3 * percentile(found, 0.99)}


def stream(name: str, operator: Operator, stored: Stored, made: Cluster, rate: float, seconds: float) -> Figures:
    """Address changes at a rate, each of another pod in turn."""
    count = int(rate * seconds)
    made.generation += 1
    before, writes, turns = operator.cpu(), stored.writes, made.generation * 2
    for number in paced(count, rate):
        address = turns + number // made.pods % 2
        stored.expect(made.address(number % made.pods, address))
        made.move(number % made.pods, address)
    found = stored.latencies()
    return {
        f"{name}_rate": rate,
        f"{name}_p50_ms": 1e3 * percentile(found, 0.5),
        f"{name}_p99_ms": 1e3 * percentile(found, 0.99),
        f"{name}_cpu_ms": 1e3 * (operator.cpu() - before) / count,
        f"{name}_writes_per_100": 100 * (stored.writes - writes) / count,
    }


def burst(operator: Operator, stored: Stored, made: Cluster) -> Figures:
    """A thousand pods are created as quickly as the server takes them."""
    operator.quiet()
    before, writes = operator.cpu(), stored.writes
    numbers = range(made.pods, made.pods + BURST)
    for number in numbers:
        stored.expect(made.address(number, 0))
    started = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(made.add, numbers))
    ended = time.perf_counter()
    stored.latencies()
    exact = time.perf_counter() - ended
    time.sleep(3)
    return {
        "burst_create_s": ended - started,
        "burst_exact_s": exact,
        "burst_writes_per_object": (stored.writes - writes) / made.peerings,
        "burst_cpu_ms": 1e3 * (operator.cpu() - before) / BURST,
    }


def table(figures: Figures) -> Iterable[str]:
    yield f"{figures['pods']} pods, {figures['peerings']} peerings"
    for name, value in figures.items():
        if name in ("pods", "peerings"):
            continue
        limit = LIMITS.get(name)
        judged = "" if limit is None else f"  must <= {limit}  {'ok' if value <= limit else 'MISSED'}"
        yield f"  {name:26} {value:10.2f}{judged}"


def main() -> int:
    parser = ArgumentParser(prog="python -m benchmarks.operator", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--peerings", type=int, nargs="*", default=[1, 20])
    parser.add_argument("--rate", type=float, default=100.0, help="changes per second of the long stream")
    parser.add_argument("--seconds", type=float, default=300.0, help="how long the long stream lasts")
    parser.add_argument("--json", action="store_true", help="one JSON list, an object for each number of peerings")
    given = parser.parse_args()
    found = [measure(given.pods, count, given.rate, given.seconds) for count in given.peerings]
    if given.json:
        print(json.dumps(found, indent=2))
    else:
        print("\n".join(line for figures in found for line in table(figures)))
    missed = [n for figures in found for n, limit in LIMITS.items() if figures[n] > limit]
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
