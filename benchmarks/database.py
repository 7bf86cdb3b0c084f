"""``python -m benchmarks.database PROGRAM PODS``: what the incremental database takes on one workload, in this process.

Prints JSON. Times are CPU seconds, because machines are shared; what is short is repeated, and the quickest counts.
"""

import gc
import json
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import islice
from typing import Any
from zlib import crc32

from benchmarks.workload import WORKLOADS, Event, Workload
from liqo_connectivity.engine import Database, Explainer, Row, pattern, prepare_why_not, prove, why_not
from liqo_connectivity.engine.syntax.nodes import Atom

WARMED, EVENTS, BURST, BURSTS = 2_000, 10_000, 1_000, 5
"""How many events come first, how many the percentiles are taken over, and how many come together, how often."""
ASKED = 100
"""How many rows of each relation are asked about."""

Figures = dict[str, Any]


def digest(relations: Mapping[str, Iterable[Row]]) -> dict[str, list[int]]:
    """Count the rows of each relation, and sum their checksums."""
    found: dict[str, list[int]] = {}
    for name, rows in relations.items():
        checksums = [crc32(repr(tuple(row)).encode()) for row in rows]
        found[name] = [len(checksums), sum(checksums)]
    return found


def commit(database: Database, event: Event) -> int:
    """Run an event as a transaction; give how many rows it changed."""
    with database.txn() as transaction:
        for relation, row, present in event:
            if present:
                transaction.insert(relation, row)
            else:
                transaction.delete(relation, row)
    return sum(len(change.removed) + len(change.added) for change in transaction.delta.changes.values())


def timed(action: Callable[[], object]) -> float:
    """Give the CPU seconds that something takes."""
    started = time.process_time()
    action()
    return time.process_time() - started


def measure(name: str, pods: int) -> Figures:
    """Measure everything; ``digests`` are those after the load and after the first event.

    Questions are asked of one database, events happen to another one, which is prepared for nothing else, as that of
    the operator is: what answers questions has a copy of the facts. Afterwards it is prepared for questions too.
    """
    work = WORKLOADS[name](pods)
    relations = work.program.schema.relations
    gc.collect()
    before = _resident()
    database = Database(work.program)

    def bulk() -> None:
        database.load(work.facts)
        for relation in relations:
            list(database.tables[relation].rows)

    def now() -> dict[str, list[int]]:
        return digest({relation: database.tables[relation].rows for relation in relations})

    figures: Figures = {"pods": pods, "facts": sum(map(len, work.facts.values())), "bulk": [timed(bulk)]}
    # As a process does that keeps one large database.
    gc.freeze()
    digests = [now()]
    figures["derived"] = sum(digests[0][relation][0] for relation in work.program.rules_by_head)
    explainer = Explainer(database)
    figures["prepare"] = [timed(partial(_prepare, database, explainer, work))]
    figures |= _questions(explainer, work)
    figures["memory"] = [(_resident() - before) / 1024 / pods]
    del explainer
    database = Database(work.program)
    figures["bulk"] = [min(*figures["bulk"], *(timed(bulk) for _ in range(2)))]
    gc.freeze()
    database.prepare()
    stream = (event for _, event in work.events(7) if event)
    commit(database, next(stream))
    digests.append(now())
    figures |= _events(database, stream)
    figures["wide"] = _wide(database, work)
    _prepare(database, Explainer(database), work)
    figures["event_asked"] = _events(database, stream)["event"]
    return figures | {"digests": digests}


def _prepare(database: Database, explainer: Explainer, work: Workload) -> None:
    database.prepare()
    prepare_why_not(explainer, work.asked)


def _questions(explainer: Explainer, work: Workload) -> Figures:
    """Ask why a sample of rows is there, in µs, and why each is not there with the first column of another, in ms."""
    model = explainer.model
    there: list[tuple[str, Row]] = []
    missing: list[Atom] = []
    for relation in work.asked:
        rows = model.rows(relation)
        rows = rows[:: max(1, len(rows) // ASKED)]
        there += [(relation, row) for row in rows]
        others = ((other[0], *row[1:]) for row, other in zip(rows, rows[7:], strict=False))
        missing += [pattern(relation, row) for row in others if not model.contains(relation, row)]
    first = 1e3 * timed(lambda: prove(explainer, *there[0]))
    proofs = [1e6 * timed(partial(prove, explainer, *one)) for one in there for _ in range(2)]
    absences = [1e3 * timed(partial(why_not, explainer, one, 3)) for one in missing for _ in range(2)]
    return {"why": _median_and_tail(proofs), "why_first": [first], "why_not": _median_and_tail(absences)}


def _events(database: Database, stream: Iterable[Event]) -> Figures:
    """Measure pod events one by one, and a thousand together, in µs for each."""
    source = iter(stream)
    for event in islice(source, WARMED):
        commit(database, event)
    times: list[float] = []
    changed = 0
    for event in islice(source, EVENTS):
        started = time.process_time()
        changed += commit(database, event)
        times.append(1e6 * (time.process_time() - started))
    bursts: list[float] = []
    for _ in range(BURSTS):
        together = [request for event in islice(source, BURST) for request in event]
        bursts.append(1e6 / BURST * timed(partial(commit, database, together)))
    return {"event": _median_and_tail(times), "event_rows": [changed / EVENTS], "burst": [min(bursts)]}


def _wide(database: Database, work: Workload) -> dict[str, list[float]]:
    """Measure wide events there and back, in µs for each changed row; the third number is how many rows that is."""
    found: dict[str, list[float]] = {}
    for name, pair in work.wide.items():
        changed = sum(commit(database, event) for event in pair) // 2
        costs = [1e6 * timed(partial(commit, database, event)) / changed for event in pair * 3]
        found[name] = [min(costs[0::2]), min(costs[1::2]), changed]
    return found


def _median_and_tail(values: Iterable[float]) -> list[float]:
    """Give the p50 and the p99."""
    ordered = sorted(values)
    return [ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.99)]


def _resident() -> int:
    """Give the resident memory of this process in bytes."""
    with open("/proc/self/statm", encoding="ascii") as status:
        return int(status.read().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
