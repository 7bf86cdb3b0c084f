"""``python -m benchmarks.engine [--pods N] [--json]``: the database beside engines that recompute.

Every measurement has its own child process; rounds of all of them are run one after the other, and the least of each
figure counts, because what else a machine does only ever adds. Nothing is printed if two engines derive different rows.
Exits with 1 then, and if a ratio misses its limit.
"""

import json
import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.baselines import BASELINES, missing
from benchmarks.database import Figures
from benchmarks.measure import ChildError, python, run
from benchmarks.table import JUDGED, OURS, as_json, as_text, ratios

FEWER, LEAST = 100, 1000
"""Growth is measured against so many times fewer pods, and at least this number."""
REBUILT = 20_000
"""At how many pods at most the rebuild threshold is looked for."""
ONCE = ("clingo", "pyDatalog")
"""Engines so much slower that one round says enough."""


class DifferenceError(Exception):
    """Two engines derived different rows: their figures compare nothing."""


def measure(pods: int, rounds: int, engines: Sequence[str]) -> dict[str, Figures]:
    """Run every measurement once a round; give the least figures by column. Raises DifferenceError and ChildError."""
    few = max(LEAST, pods // FEWER)
    found: dict[str, list[Figures]] = {}
    for number in range(rounds):
        for name in OURS:
            large, small = (_child("database", name, size) for size in (pods, few))
            found.setdefault(name, []).append(large)
            found.setdefault(f"few {name}", []).append(small)
        for engine in engines:
            if number == 0 or engine not in ONCE:
                found.setdefault(engine, []).append(_child("baselines", engine, pods))
                compare(engine, found[engine][-1]["digests"], found["synthetic"][-1]["digests"])
    best: dict[str, Figures] = {name: least(figures) for name, figures in found.items()}
    for name in OURS:
        figures = best[name]
        figures["growth"] = [figures["event"][0] / best.pop(f"few {name}")["event"][0]]
        figures["wide_events"] = figures["wide"]
        figures["wide"] = [max(max(there, back) for there, back, _ in figures["wide"].values())]
        figures["rebuild"] = _child("rebuild", name, min(pods, REBUILT))["rebuild"]
    return best


def compare(engine: str, theirs: Sequence[Mapping[str, Any]], ours: Sequence[Mapping[str, Any]]) -> None:
    """Compare the digests of what an engine has derived, after the load and after an event. Raises DifferenceError."""
    for when, other, own in zip(("after the load", "after an event"), theirs, ours, strict=False):
        differ = sorted(name for name, held in other.items() if held != own[name])
        if differ:
            raise DifferenceError(
                f"{engine} holds other rows of {', '.join(differ)} {when} than our engine does, "
                "so there is nothing to compare and no figure is printed"
            )


def least(figures: Iterable[Any]) -> Any:
    """Give the least of each number of several measurements of the same shape."""
    first, *rest = figures
    if isinstance(first, Mapping):
        return {key: least([first[key], *(other[key] for other in rest)]) for key in first}
    if isinstance(first, list):
        return [least(values) for values in zip(first, *rest, strict=True)]
    return min(first, *rest) if rest else first


def _child(module: str, subject: str, pods: int) -> Figures:
    found: Figures = json.loads(run(python("-m", f"benchmarks.{module}", subject, str(pods))).output)
    return found


def main() -> int:
    """Measure and print; give the exit code."""
    parser = ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--pods", type=int, default=100_000, help="how many pods (default 100,000)")
    parser.add_argument("--rounds", type=int, default=3, help="how often all is measured (default 3)")
    parser.add_argument("--engine", action="append", choices=BASELINES, help="beside only this engine; repeatable")
    parser.add_argument("--json", action="store_true", help="one JSON object with a key for each row of the table")
    given = parser.parse_args()
    engines = given.engine or [*BASELINES]
    for engine in engines:
        if missing(engine):
            print(f"note: no {engine}: install {' and '.join(missing(engine))}, as make bench does", file=sys.stderr)
    try:
        measured = measure(given.pods, given.rounds, [engine for engine in engines if not missing(engine)])
    except (DifferenceError, ChildError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if given.json:
        print(json.dumps(as_json(measured), indent=2, ensure_ascii=False))
    else:
        own = measured["synthetic"]
        print(
            f"{given.pods} pods: {own['facts']} facts, {own['derived']} derived tuples, equal for all; "
            f"least of {given.rounds} interleaved rounds; load {os.getloadavg()[0]:.1f}; "
            f"Python {sys.version.split()[0]}\n"
        )
        print(as_text(measured, given.pods >= JUDGED))
    return 1 if given.pods >= JUDGED and not all(ratio.holds for ratio in ratios(measured)) else 0


if __name__ == "__main__":
    os.environ.setdefault("PYTHONHASHSEED", "0")
    sys.exit(main())
