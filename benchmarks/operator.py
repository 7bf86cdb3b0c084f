"""``python -m benchmarks.operator [--pods N] [--rate R] [--json]``: the operator on a real control plane under churn.

A real etcd and API server, pods of 6 KB, one or many peerings, and the operator as a child process: what a heartbeat, a
change, a stream of changes and a burst cost it in CPU, how long until the stored FirewallConfiguration has them, and
how often it is written. The latency counts from before the change is sent until the watch shows it.
"""

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from typing import Any

from tests.support.waiting import pause

from benchmarks import pods as reading
from benchmarks.operator_rig import FIREWALLS, Cluster, Operator, Stored, address_of, cluster, complete

Figures = dict[str, Any]
HEARTBEATS = 5_000
PROBED_EVERY = 10.0
"""Seconds between two heartbeats of a pod: Kubernetes probes a container as often if nothing else is said."""
LONE = 30
BURST = 1_000

LIMITS = {
    "pod_read_us": 20,
    "pod_kept_bytes": 1228,
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


def percentile(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]


def paced(count: int, rate: float) -> Iterator[int]:
    """Numbers at a rate; late ones follow at once."""
    started = time.perf_counter()
    for number in range(count):
        pause(max(0.0, started + number / rate - time.perf_counter()))
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
            figures |= reading.measure()
            operator.quiet()
            figures |= server(made)
            figures |= heartbeats(operator, stored, made)
            figures |= lone(stored, made)
            figures |= stream("steady", operator, stored, made, 10, 30)
            figures |= stream("stream", operator, stored, made, rate, seconds)
            figures |= burst(operator, stored, made)
            figures["resident_mib"] = operator.resident() / 2**20
            return figures
        finally:
            operator.stop()


def heartbeats(operator: Operator, stored: Stored, made: Cluster) -> Figures:
    before, writes = operator.cpu(), stored.writes
    for number in paced(HEARTBEATS, made.pods / PROBED_EVERY):
        made.put(made.pod(number % made.pods), beat=number + 1)
    pause(2)
    return {
        "heartbeat_cpu_ms": 1e3 * (operator.cpu() - before) / HEARTBEATS,
        "heartbeat_writes": stored.writes - writes,
    }


def server(made: Cluster) -> Figures:
    """What the API server takes by itself to store an object as large as the operator's: no change shows sooner."""
    spec = made.client.list(FIREWALLS)[0]["spec"]
    metadata = {"name": "alone", "namespace": "default"}
    body = {
        "apiVersion": "networking.liqo.io/v1beta1",
        "kind": "FirewallConfiguration",
        "metadata": metadata,
        "spec": spec,
    }
    element = spec["table"]["sets"][0]["elements"][-1]
    found: list[float] = []
    for number in range(LONE):
        element["key"] = f"192.0.2.{number + 1}"
        started = time.perf_counter()
        made.client.apply(body)
        found.append(time.perf_counter() - started)
        pause(0.5)
    made.client.delete(
        f"{FIREWALLS.removesuffix('firewallconfigurations')}namespaces/default/firewallconfigurations/alone"
    )
    found.sort()
    return {"server_alone_p50_ms": 1e3 * percentile(found, 0.5), "server_alone_p99_ms": 1e3 * percentile(found, 0.99)}


def lone(stored: Stored, made: Cluster) -> Figures:
    for number in range(LONE):
        pause(1.5)
        pod = made.pod(number, 1)
        stored.expect(address_of(pod))
        made.put(pod)
    found = stored.latencies()
    return {"lone_p50_ms": 1e3 * percentile(found, 0.5), "lone_p99_ms": 1e3 * percentile(found, 0.99)}


def stream(name: str, operator: Operator, stored: Stored, made: Cluster, rate: float, seconds: float) -> Figures:
    """Address changes at a rate, each of another pod in turn."""
    count = int(rate * seconds)
    made.generation += 1
    before, writes, turns = operator.cpu(), stored.writes, made.generation * 2
    for number in paced(count, rate):
        pod = made.pod(number % made.pods, turns + number // made.pods % 2)
        stored.expect(address_of(pod))
        made.put(pod)
    found = stored.latencies()
    return {
        f"{name}_rate": rate,
        f"{name}_p50_ms": 1e3 * percentile(found, 0.5),
        f"{name}_p99_ms": 1e3 * percentile(found, 0.99),
        f"{name}_cpu_ms": 1e3 * (operator.cpu() - before) / count,
        f"{name}_writes_per_100": 100 * (stored.writes - writes) / count,
    }


def burst(operator: Operator, stored: Stored, made: Cluster) -> Figures:
    """A thousand pods are created as quickly as etcd takes them."""
    operator.quiet()
    before, writes = operator.cpu(), stored.writes
    pods = [made.pod(number) for number in range(made.pods, made.pods + BURST)]
    for pod in pods:
        stored.expect(address_of(pod))
    started = time.perf_counter()
    for pod in pods:
        made.put(pod)
    ended = time.perf_counter()
    stored.latencies()
    exact = time.perf_counter() - ended
    pause(3)
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
