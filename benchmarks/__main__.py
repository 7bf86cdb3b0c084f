"""``python -m benchmarks``: the policy program and the same facts, by our engine, by pyDatalog and by clingo.

Every engine derives every relation, in its own child process; runs are interleaved and the quickest counts. If any
two engines differ in a single row, nothing is printed but that. README.md says how to read the numbers.
"""

import json
import sys
from argparse import ArgumentParser
from dataclasses import dataclass

from benchmarks.measure import ChildError, Run, python, run

# Named, not imported: what this process holds would count as the peak memory of its children.
ENGINES = ("ours", "pyDatalog", "clingo")
BASELINE = "none"
"""The child that only reads the program and makes the facts: its memory is what every engine starts from."""


@dataclass(frozen=True, slots=True)
class Line:
    """The quickest run of an engine: seconds of the evaluation alone, peak memory of the whole child."""

    engine: str
    seconds: float
    facts: int
    derived: int
    peak_megabytes: int


class DifferenceError(Exception):
    """Two engines derived different rows: their numbers compare nothing."""


def measure(pods: int, rounds: int, engines: list[str]) -> list[Line]:
    """Run each engine once a round. Raises DifferenceError and ChildError."""
    best: dict[str, Line] = {}
    checksums: dict[str, str] = {}
    for _ in range(rounds):
        for engine in (BASELINE, *engines):
            done = run(python("-m", "benchmarks.engines", engine, str(pods)))
            told = json.loads(done.output)
            if engine != BASELINE:
                checksums[engine] = told["checksum"]
            line = _line(engine, told, done)
            if engine not in best or line.seconds < best[engine].seconds:
                best[engine] = line
    if len(set(checksums.values())) > 1:
        raise DifferenceError(f"the engines derive different rows, so there is nothing to compare: {checksums}")
    return list(best.values())


def _line(engine: str, told: dict[str, float], done: Run) -> Line:
    return Line(engine, told["seconds"], int(told["facts"]), int(told["derived"]), done.peak_bytes >> 20)


def main() -> int:
    """Measure and print; give the exit code."""
    parser = ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--pods", type=int, default=500, help="pods of the cluster (default 500)")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved runs, of which the quickest counts")
    parser.add_argument("--engine", action="append", choices=ENGINES, help="only this engine; repeatable")
    given = parser.parse_args()
    try:
        lines = measure(given.pods, given.rounds, given.engine or [*ENGINES])
    except (DifferenceError, ChildError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    baseline = next(line for line in lines if line.engine == BASELINE)
    compared = [line for line in lines if line.engine != BASELINE]
    print(
        f"{given.pods} pods: {compared[0].facts} facts, {compared[0].derived} derived tuples, equal for all; "
        f"quickest of {given.rounds} interleaved runs; {baseline.peak_megabytes} MB before any engine"
    )
    print(f"{'engine':10} {'seconds':>8} {'facts/s':>10} {'derived/s':>10} {'peak MB':>8}")
    for line in compared:
        print(
            f"{line.engine:10} {line.seconds:8.3f} {line.facts / line.seconds:10.0f} "
            f"{line.derived / line.seconds:10.0f} {line.peak_megabytes:8}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
