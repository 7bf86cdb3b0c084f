"""``python -m benchmarks.engines ENGINE PODS``: one evaluation of the policy program by one engine, in this process.

Prints JSON: seconds from facts as Python tuples to all derived relations as Python tuples, and what was derived, by
count and checksum, so that a comparison of engines can see that they agree.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from hashlib import sha256

from benchmarks import cluster
from liqo_connectivity.engine import Program, Row, evaluate
from liqo_connectivity.engine.pydatalog.child_process import ChildLimits
from liqo_connectivity.engine.pydatalog.second_opinion import evaluate_relations
from liqo_connectivity.facts import FactBase, decode_mapping, kind_of
from liqo_connectivity.rules.program import load
from liqo_connectivity.rules.relations import Flow

Facts = Mapping[str, list[Row]]
Rows = Mapping[str, list[Row]]

PYDATALOG_SECONDS, PYDATALOG_MEGABYTES = 600, 8192


def facts_of(pods: int) -> Facts:
    """The facts of the benchmark's cluster, and some flows to decide."""
    base = FactBase()
    for found in cluster.objects(pods):
        kind = kind_of(found["apiVersion"], found["kind"])
        if kind is None:
            raise AssertionError(f"{found['kind']} is not read")
        decoded = decode_mapping(kind, found)
        base.replace(decoded.key, decoded.facts)
    rows: dict[str, list[Row]] = {relation: sorted(tuple(row) for row in held) for relation, held in base.relations()}
    flows: list[Row] = [tuple(Flow(str(n), *ends, "new")) for n, ends in enumerate(cluster.flows(pods))]
    return {**rows, "flow": flows}


def ours(program: Program, facts: Facts) -> Rows:
    model = evaluate(program, facts)
    return {name: model.rows(name) for name in program.rules_by_head}


def pydatalog(program: Program, facts: Facts) -> Rows:
    limits = ChildLimits(seconds=PYDATALOG_SECONDS, megabytes=PYDATALOG_MEGABYTES)
    return evaluate_relations(program, facts, program.rules_by_head, limits=limits)


def clingo(program: Program, facts: Facts) -> Rows:
    # Only this engine needs it, and its import takes memory.
    from benchmarks import asp

    return asp.solve(program, facts, program.rules_by_head)


ENGINES: Mapping[str, Callable[[Program, Facts], Rows]] = {"ours": ours, "pyDatalog": pydatalog, "clingo": clingo}


def checksum(rows: Rows) -> str:
    """A checksum of all derived rows, in whatever order they were derived."""
    text = json.dumps({name: sorted(map(list, held)) for name, held in sorted(rows.items())})
    return sha256(text.encode()).hexdigest()


def main() -> None:
    """Evaluate once and print what it took."""
    name, pods = sys.argv[1], int(sys.argv[2])
    program, facts = load(), facts_of(pods)
    started = time.perf_counter()
    rows = ENGINES[name](program, facts) if name in ENGINES else {}
    seconds = time.perf_counter() - started
    given = sum(map(len, facts.values()))
    derived = sum(map(len, rows.values()))
    told = {"seconds": seconds, "facts": given, "derived": derived, "checksum": checksum(rows)}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
