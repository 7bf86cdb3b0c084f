"""``python -m benchmarks.baselines ENGINE PODS``: the synthetic program by an engine that recomputes.

Prints JSON: seconds from facts as Python tuples to all relations as Python tuples, seconds to have everything right
again after one event, and digests of what was derived.
"""

import json
import resource
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from typing import Any

from benchmarks import asp, sql, workload
from benchmarks.database import Figures, digest
from benchmarks.workload import Event, Workload
from liqo_connectivity.engine import Row, Value
from liqo_connectivity.engine.pydatalog.child_process import ChildLimits
from liqo_connectivity.engine.pydatalog.second_opinion import evaluate_relations

LIMITS = ChildLimits(seconds=1200, megabytes=16_384)
"""What pyDatalog may take."""
_OPTIONAL = {"DuckDB": ("duckdb", "numpy")}


def missing(engine: str) -> list[str]:
    """List what is not installed of the packages that an engine needs and developers do not."""
    return [name for name in _OPTIONAL.get(engine, ()) if find_spec(name) is None]


def in_sql(engine: str, work: Workload) -> Figures:
    """Measure SQLite or DuckDB; each event changes its tables, and then every derived relation is recomputed."""
    # DuckDB need not be installed to check this module's types.
    opened: Any = import_module("duckdb").connect() if engine == "duckdb" else sqlite3.connect(":memory:")
    with closing(opened) as connection:
        return _in_sql(engine, work, connection)


def _in_sql(engine: str, work: Workload, connection: Any) -> Figures:
    def execute(statement: str, values: Sequence[Value]) -> Any:
        return connection.execute(statement, values)

    def insert(name: str, rows: list[Row]) -> None:
        if engine == "duckdb":
            # Of the ways in that DuckDB has for Python values this is the quickest: half the time of Arrow tables.
            array = import_module("numpy").array
            columns = {
                f"c{number}": array(column, dtype=object) for number, column in enumerate(zip(*rows, strict=True))
            }
            connection.register("given", columns)
            execute(f'INSERT INTO "{name}" SELECT * FROM given', ())
            connection.unregister("given")
        else:
            connection.executemany(f'INSERT INTO "{name}" VALUES ({", ".join("?" * len(rows[0]))})', rows)

    def bulk() -> None:
        for name, rows in work.facts.items():
            insert(name, rows)
        for statement in sql.negated_columns(work.program):
            execute(statement, ())
        sql.derive(work.program, execute)
        found.update(sql.read(work.program, execute))

    def follow(event: Event) -> None:
        for relation, row, present in event:
            if present:
                insert(relation, [row])
            else:
                same = " AND ".join(f"c{column} = ?" for column in range(len(row)))
                execute(f'DELETE FROM "{relation}" WHERE {same}', row)
        sql.derive(work.program, execute)

    found: dict[str, list[Row]] = {}
    for statement in sql.tables(work.program):
        execute(statement, ())
    seconds = _quickest(bulk)
    digests = [digest(found)]
    first, second = islice((event for _, event in work.events(7) if event), 2)
    again = [_quickest(lambda: follow(first))]
    digests.append(digest(sql.read(work.program, execute)))
    again.append(_quickest(lambda: follow(second)))
    return {"bulk": [seconds], "event": [1e6 * min(again)], "digests": digests}


def in_clingo(work: Workload) -> Figures:
    """Measure clingo, which cannot take facts back: after an event it recomputes everything."""
    return _once(lambda: asp.solve(work.program, work.facts, work.program.rules_by_head))


def in_pydatalog(work: Workload) -> Figures:
    """Measure pyDatalog as this project calls it: in a child process, by component, and everything again after an event."""
    return _once(lambda: evaluate_relations(work.program, work.facts, work.program.rules_by_head, limits=LIMITS))


def _once(derive: Callable[[], Mapping[str, list[Row]]]) -> Figures:
    found: dict[str, list[Row]] = {}
    seconds = _quickest(lambda: found.update(derive()))
    return {"bulk": [seconds], "event": [1e6 * seconds], "digests": [digest(found)]}


def _quickest(action: Callable[[], object]) -> float:
    """Time something once: CPU seconds, its children's included, or those of the clock, if several cores made it less."""
    by_clock, by_cpu = time.perf_counter(), _cpu()
    action()
    return min(time.perf_counter() - by_clock, _cpu() - by_cpu)


def _cpu() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


BASELINES: Mapping[str, Callable[[Workload], Figures]] = {
    "SQLite": lambda work: in_sql("sqlite", work),
    "DuckDB": lambda work: in_sql("duckdb", work),
    "clingo": in_clingo,
    "pyDatalog": in_pydatalog,
}

if __name__ == "__main__":
    print(json.dumps(BASELINES[sys.argv[1]](workload.synthetic(int(sys.argv[2])))))
