"""``python -m benchmarks.engine [--pods N] [--json]``: the database under pod events, beside engines that derive anew.

Both programs of ``workload``, each measured in child processes of its own. Times are CPU seconds, because machines are
shared; of repeated runs the quickest counts. Nothing is printed if two engines derive different rows. One JSON object
has a key for each row of the table. It must not know how an engine works.
"""

import gc
import json
import os
import resource
import sqlite3
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from typing import Any
from zlib import crc32

from benchmarks import sql, workload
from benchmarks.measure import python, run
from benchmarks.workload import Event, Workload
from liqo_connectivity.engine import Row, Value, prove
from liqo_connectivity.engine.database import Database

WORKLOADS: Mapping[str, Callable[[int], Workload]] = {"synthetic": workload.synthetic, "policy": workload.policy}
SMALL = 100
"""By how many times fewer pods the small cluster has, against which growth is measured."""
CHUNK, CHUNKS = 2_000, 5
"""How many events a percentile is taken over, and how often; the least is reported."""

Figures = dict[str, Any]


def digest(relations: Mapping[str, Iterable[Row]]) -> dict[str, list[int]]:
    """Count the rows of each relation, and sum their checksums."""
    listed = {name: list(rows) for name, rows in relations.items()}
    return {name: [len(rows), sum(crc32(repr(tuple(r)).encode()) for r in rows)] for name, rows in listed.items()}


def resident() -> int:
    """Give the resident memory of this process in bytes."""
    with open("/proc/self/statm", encoding="ascii") as status:
        return int(status.read().split()[1]) * resource.getpagesize()


def percentile(values: Iterable[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


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
    started = time.process_time()
    action()
    return time.process_time() - started


def ours(name: str, pods: int) -> Figures:
    """Measure the database on one workload."""
    work = WORKLOADS[name](pods)
    gc.collect()
    before = resident()
    database = Database(work.program)

    def bulk() -> None:
        database.load(work.facts)
        for relation in work.program.schema.relations:
            list(database.relation(relation))

    figures: Figures = {"pods": pods, "facts": sum(map(len, work.facts.values())), "bulk_s": timed(bulk)}
    # As a process does that keeps one large database.
    gc.freeze()
    rows = {relation: list(database.relation(relation)) for relation in work.program.schema.relations}
    figures["digest"] = digest(rows)
    figures["derived"] = sum(len(found) for relation, found in rows.items() if relation in work.program.rules_by_head)
    del rows
    figures["prepare_s"] = timed(database.prepare)
    asked = [(relation, row) for relation in work.asked for row in database.rows(relation)[:: max(1, pods // 100)]]
    figures["why_first_ms"] = 1e3 * timed(lambda: prove(database, *asked[0]))
    proofs = [1e6 * timed(partial(prove, database, *one)) for one in asked for _ in range(2)]
    figures["why_us"] = [percentile(proofs, 0.5), percentile(proofs, 0.99)]
    figures["memory_kb_per_pod"] = (resident() - before) / 1024 / pods
    figures |= events(database, work)
    figures |= wide(database, work)
    figures["bulk_s"] = min(figures["bulk_s"], *(timed(bulk) for _ in range(2)))
    return figures


def events(database: Database, work: Workload) -> Figures:
    """Measure pod events one by one, and a thousand together."""
    stream = (event for _, event in work.events(7) if event)
    for event in islice(stream, CHUNK):
        commit(database, event)
    chunks: list[list[float]] = []
    changed = 0
    for _ in range(CHUNKS):
        times: list[float] = []
        for event in islice(stream, CHUNK):
            started = time.process_time()
            changed += commit(database, event)
            times.append(1e6 * (time.process_time() - started))
        chunks.append(times)
    bursts: list[float] = []
    for _ in range(CHUNKS):
        together = [request for event in islice(stream, 1000) for request in event]
        bursts.append(1e3 * timed(partial(commit, database, together)))
    return {
        "event_us": [min(percentile(times, share) for times in chunks) for share in (0.5, 0.99)],
        "event_rows": changed / CHUNK / CHUNKS,
        "burst_us_per_event": min(bursts),
    }


def wide(database: Database, work: Workload) -> Figures:
    """Measure wide events there and back, by changed row."""
    found: dict[str, list[float]] = {}
    for name, pair in work.wide.items():
        changed = sum(commit(database, event) for event in pair) // 2
        costs: list[float] = []
        for event in pair * 3:
            started = time.process_time()
            commit(database, event)
            costs.append(1e6 * (time.process_time() - started) / changed)
        found[name] = [min(costs[0::2]), min(costs[1::2]), changed]
    return {"wide_us_per_row": found}


def in_sql(engine: str, pods: int) -> Figures:
    """Measure SQLite or DuckDB on the synthetic program: load and derive, then derive anew after one event."""
    work = workload.synthetic(pods)
    # Neither DuckDB nor the library that it reads Python columns by need be installed to check this module's types.
    connection: Any = import_module("duckdb").connect() if engine == "duckdb" else sqlite3.connect(":memory:")

    def execute(statement: str, values: Sequence[Value]) -> Any:
        return connection.execute(statement, values)

    def bulk() -> None:
        for name, rows in work.facts.items():
            insert(name, rows)
        for statement in sql.negated_columns(work.program):
            execute(statement, ())
        sql.derive(work.program, execute)
        found.update(sql.read(work.program, execute))

    def insert(name: str, rows: list[Row]) -> None:
        marks = ", ".join("?" * len(rows[0]))
        if engine == "duckdb":
            columns = {f"c{number}": list(column) for number, column in enumerate(zip(*rows, strict=True))}
            connection.register("given", import_module("pyarrow").table(columns))
            execute(f'INSERT INTO "{name}" SELECT * FROM given', ())
            connection.unregister("given")
        else:
            connection.executemany(f'INSERT INTO "{name}" VALUES ({marks})', rows)

    found: dict[str, list[Row]] = {}
    for statement in sql.tables(work.program):
        execute(statement, ())
    seconds = timed(bulk)
    (_, event), *_ = islice(work.events(7), 1)
    again: list[float] = []
    for _ in range(2):
        for relation, row, _ in event:
            insert(relation, [row])
        again.append(1e6 * timed(lambda: sql.derive(work.program, execute)))
    return {"pods": pods, "bulk_s": seconds, "digest": digest(found), "event_us": [min(again)] * 2}


def child(kind: str, *arguments: str) -> Figures:
    done = run(python("-m", "benchmarks.engine", "--child", kind, *arguments))
    found: Figures = json.loads(done.output)
    return found


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--pods", type=int, default=100_000, help="how many pods (default 100,000)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument(
        "--child", nargs=2, help="measure one thing, in this process: ours:NAME or an SQL engine, and pods"
    )
    given = parser.parse_args()
    if given.child:
        kind, pods = given.child[0], int(given.child[1])
        name = kind.partition(":")[2]
        print(json.dumps(ours(name, pods) if name else in_sql(kind, pods)))
        return
    small = max(1000, given.pods // SMALL)
    found: dict[str, Figures] = {}
    for name in WORKLOADS:
        found[name] = child(f"ours:{name}", str(given.pods))
        found[name]["growth"] = found[name]["event_us"][0] / child(f"ours:{name}", str(small))["event_us"][0]
    others = ["sqlite", *(["duckdb"] if find_spec("duckdb") and find_spec("pyarrow") else [])]
    for other in others:
        found[other] = child(other, str(given.pods))
        if found[other]["digest"] != found["synthetic"]["digest"]:
            differ = [n for n, d in found[other]["digest"].items() if d != found["synthetic"]["digest"][n]]
            sys.exit(f"{other} derives other rows of {', '.join(differ)}: no figure means anything")
        found[other]["bulk_ratio"] = found["synthetic"]["bulk_s"] / found[other]["bulk_s"]
        found[other]["event_ratio"] = found["synthetic"]["event_us"][0] / found[other]["event_us"][0]
    for figures in found.values():
        del figures["digest"]
    print(json.dumps(found) if given.json else table(found))


def table(found: Mapping[str, Figures]) -> str:
    """Write figures as lines: what is measured, then a column for each engine or program."""
    lines = [f"{'':28}" + "".join(f"{name:>20}" for name in found)]
    keys = dict.fromkeys(key for figures in found.values() for key in figures if key != "wide_us_per_row")
    for key in keys:
        cells = (figures.get(key) for figures in found.values())
        lines.append(f"{key:28}" + "".join(f"{_cell(cell):>20}" for cell in cells))
    for name, figures in found.items():
        for wide_name, (there, back, rows) in figures.get("wide_us_per_row", {}).items():
            lines.append(f"{name}: {wide_name}, {rows} rows: {there:.2f} us per row, and back {back:.2f}")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return " / ".join(map(_cell, value))
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONHASHSEED", "0")
    main()
