"""``python -m benchmarks.fields [--pods N] [--json]``: what selectors, ports, CIDRs and defaults cost the incremental database.

20 peerings, each with a policy of 50 rules, over one cluster: once with groups and actions alone, once with the other
fields of a policy besides. Each has its own child process; they run in turns, and the least of each figure counts. Exits
with 1 if a ratio misses its limit.
"""

import gc
import json
import os
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from functools import partial
from itertools import islice

from benchmarks.database import commit, timed
from benchmarks.measure import ChildError, python, run
from benchmarks.workload import Event, Workload, policy
from liqo_connectivity.engine import Database

PEERINGS, RULES = 20, 50
WARMED, EVENTS = 1_000, 6_000
KINDS = ("add", "delete", "relabel", "phase", "address")
MOST_RATIO, MOST_RELABEL = 1.5, 80.0
"""Limits: of a figure with all fields to the one without, and of relabelling a pod, in µs at 100,000 pods."""
JUDGED = 100_000

Figures = dict[str, float]


def measure(pods: int, fields: bool) -> Figures:
    """Load the facts and run pod events: seconds of the full evaluation, µs of the median event, all and by kind."""
    work = policy(pods, peers=PEERINGS, rules=RULES, fields=fields)
    found: Figures = {"facts": sum(map(len, work.facts.values())), "evaluation": 1e9}
    database = Database(work.program)
    for _ in range(2):
        database = Database(work.program)
        gc.collect()
        found["evaluation"] = min(found["evaluation"], timed(partial(_load, database, work)))
        gc.freeze()
    found["derived"] = sum(len(database.tables[name].rows) for name in work.program.rules_by_head)
    database.prepare()
    stream = work.events(7)
    for _, event in islice(_some(stream), WARMED):
        commit(database, event)
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for kind, event in islice(_some(stream), EVENTS):
        started = time.process_time()
        commit(database, event)
        times[kind].append(1e6 * (time.process_time() - started))
    # Events of all kinds but changes of a label, which only one of the two clusters has.
    alike = sorted(each for kind in KINDS if kind != "relabel" for each in times[kind])
    found["event"] = alike[len(alike) // 2]
    found["event p99"] = alike[len(alike) * 99 // 100]
    for kind, each in times.items():
        found[kind] = sorted(each)[len(each) // 2]
    return found


def _load(database: Database, work: Workload) -> None:
    database.load(work.facts)
    for relation in work.program.schema.relations:
        list(database.tables[relation].rows)


def _some(stream: Iterator[tuple[str, Event]]) -> Iterator[tuple[str, Event]]:
    return ((kind, event) for kind, event in stream if event)


def main() -> int:
    """Measure both and print; give the exit code."""
    parser = ArgumentParser(prog="python -m benchmarks.fields", description=__doc__)
    parser.add_argument("--pods", type=int, default=JUDGED, help="how many pods (default 100,000)")
    parser.add_argument("--rounds", type=int, default=2, help="how often both are measured (default 2)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--child", choices=("plain", "fields"), help="measure one of them in this process")
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measure(given.pods, given.child == "fields")))
        return 0
    best: dict[str, Figures] = {}
    try:
        for _ in range(given.rounds):
            for name in ("plain", "fields"):
                done = run(python("-m", "benchmarks.fields", "--child", name, "--pods", str(given.pods)))
                found: Figures = json.loads(done.output)
                best[name] = {key: min(value, best.get(name, found)[key]) for key, value in found.items()}
    except ChildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    plain, fields = best["plain"], best["fields"]
    misses = [
        f"{name}: {fields[name] / plain[name]:.2f}x"
        for name in ("evaluation", "event")
        if fields[name] > MOST_RATIO * plain[name]
    ]
    misses += [f"relabel: {fields['relabel']:.0f} µs"] if fields["relabel"] > MOST_RELABEL else []
    if given.json:
        print(json.dumps({**best, "misses": misses}, indent=2, ensure_ascii=False))
    else:
        print(f"{given.pods} pods, {PEERINGS} policies of {RULES} rules; load {os.getloadavg()[0]:.1f}\n")
        print(f"{'':24} {'groups':>12} {'all fields':>12} {'ratio':>7}")
        for name, unit in (("facts", ""), ("derived", ""), ("evaluation", "s"), ("event", "µs"), ("event p99", "µs")):
            print(f"{f'{name} {unit}':24} {plain[name]:12.2f} {fields[name]:12.2f} {fields[name] / plain[name]:7.2f}")
        print(f"{'relabel a pod µs':24} {'':12} {fields['relabel']:12.2f}")
        print("\n" + ("; ".join(["missed", *misses]) if misses else "all within their limits"))
    return 1 if given.pods >= JUDGED and misses else 0


if __name__ == "__main__":
    os.environ.setdefault("PYTHONHASHSEED", "0")
    sys.exit(main())
