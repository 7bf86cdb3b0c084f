"""Time and memory that the operator needs for one Pod of 6 KB from a watch."""

import gc
import json
import time
import tracemalloc

from benchmarks import peerings
from benchmarks.cluster import padded
from liqo_connectivity.operator.controller.watching.resources import WatchEvent, resources

PODS = 5_000
ROUNDS = 7


def measure() -> dict[str, float]:
    """Microseconds of CPU from a line of a watch to facts, the least of some rounds; bytes that the facts and labels of one take."""
    [pods] = [resource for resource in resources("liqo") if resource.name == "pods"]
    lines = [_line(number) for number in range(PODS)]
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        for line in lines:
            pods.parse(line)
        best = min(best, time.process_time() - started)
    keys = [told.object.key for line in lines if isinstance(told := pods.parse(line), WatchEvent)]
    gc.collect()
    tracemalloc.start()
    kept = []
    labels = {}
    before, _ = tracemalloc.get_traced_memory()
    for key, line in zip(keys, lines, strict=True):
        told = pods.parse(line)
        assert isinstance(told, WatchEvent)
        kept.append(told.object.observed.facts)
        labels[key] = told.object.observed.labels
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {"pod_read_us": 1e6 * best / PODS, "pod_kept_bytes": (after - before) / len(kept)}


def _line(number: int) -> bytes:
    pod = padded(peerings.pod(number, 1), indent=None)
    pod["metadata"] |= {"uid": f"{number:08}-0000-4000-8000-000000000000", "resourceVersion": str(1_000_000 + number)}
    return json.dumps({"type": "MODIFIED", "object": pod}, separators=(",", ":")).encode()
