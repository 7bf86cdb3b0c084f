"""Random checks until the time is up: what the tests do for some seeds, for as many as there are.

Each seed is given to every check of ``CHECKS``. The seeds are counted up from the first, so that a run can be repeated, and
continued by the next one. Run by ``make soak``; pytest does not collect it.
"""

import sys
import time
import traceback
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Final

from tests.support.answered import complaints
from tests.support.churn import batches, commit, difference, loaded, netted, program_of
from tests.support.clusters import example
from tests.support.fitting import fit
from tests.support.genuine_answers import refused
from tests.support.hostile_writers import WRITERS
from tests.support.large_clusters import random_large
from tests.support.random_clusters import cluster
from tests.support.verdict_check import disagreement
from tests.support.writer_check import violations

FIRST = 1_000_000
"""The first seed, far from those of the tests."""
BATCHES = 20
EVERY = 60.0
"""Seconds between two lines about progress."""


def databases(seed: int) -> list[str]:
    """Compare a changed database with a fresh one; give what was wrong after the first batch that went wrong.

    The seed is a program, facts and batches of changes. After every batch the database must be as if loaded, inside and
    outside, and small programs must hold what brute force finds.
    """
    program, facts = program_of(seed)
    database = loaded(program, facts)
    for number, batch in enumerate(batches(Random(seed), program, facts, BATCHES)):
        commit(database, batch)
        facts = netted(facts, batch)
        found = difference(database, program, facts)
        if found:
            return [f"after batch {number}: {line}" for line in found]
    return []


def hostile_writers(seed: int) -> list[str]:
    """Let every writer write what it may at worst; give what it opened or blocked."""
    return [f"{writer}: {line}" for writer in WRITERS for line in violations(seed, writer).lines]


def decisions(seed: int) -> list[str]:
    """Ask the rules and the interpreter about a small cluster, once for each who enforces; give where they differ."""
    return [line for nft in (False, True) for line in disagreement(*example(seed), nft=nft).splitlines()]


def policies(seed: int) -> list[str]:
    """Load the chains of a small and of a large cluster into a kernel; give what does not load though it is written."""
    return [line for described in (cluster(Random(seed)), random_large(Random(seed))) for line in fit(described).wrong]


CHECKS: Final[Mapping[str, Callable[[int], list[str]]]] = {
    "databases": databases,
    "hostile writers": hostile_writers,
    "verdicts": decisions,
    "policies": policies,
    "inputs": complaints,
    "certificates": refused,
}
"""What is done with each seed, by name: each check gives what is wrong, a line each."""


def run(seconds: float, first: int, names: Sequence[str]) -> int:
    """Run seed after seed through some checks; give the exit status."""
    print(f"soak: {seconds:g} seconds of {', '.join(names)} from seed {first} on", flush=True)
    begin = said = time.monotonic()
    seed, wrong = first, list[int]()
    while time.monotonic() - begin < seconds:
        for name in names:
            try:
                found = CHECKS[name](seed)
            except Exception:  # noqa: BLE001 - whatever it is, it is reported, and the next seeds may show more
                found = traceback.format_exc().splitlines()
            if found:
                wrong.append(seed)
                print("\n  ".join([f"soak: seed {seed} is wrong: {name}", *found]), flush=True)
        seed += 1
        if time.monotonic() - said > EVERY:
            said = time.monotonic()
            print(f"soak: {seed - first} seeds, {len(wrong)} wrong", flush=True)
    print(f"soak: {seed - first} seeds for {len(names)} checks each, {len(wrong)} wrong; the next seed is {seed}")
    if wrong:
        print(f"soak: wrong seeds: {' '.join(map(str, wrong))}", file=sys.stderr)
    return 1 if wrong else 0


def main(arguments: Sequence[str]) -> int:
    parser = ArgumentParser(prog="soak", description="Run random checks until the time is up.")
    parser.add_argument("--seconds", type=float, default=600, help="how long to go on (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=FIRST, help="the first seed (default: %(default)s)")
    parser.add_argument("--only", choices=[*CHECKS], action="append", help="a check to run; repeatable (default: all)")
    options = parser.parse_args(arguments)
    return run(options.seconds, options.seed, options.only or [*CHECKS])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
