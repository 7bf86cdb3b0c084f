"""``python -m benchmarks.rebuild PROGRAM PODS``: from which transaction size on recomputing is cheaper than following.

Prints JSON: for a share of the pods that is deleted in one transaction and put back in another, the CPU seconds of both
ways, and the share at which they cost the same.
"""

import json
import math
import sys
from collections.abc import Sequence
from functools import partial
from random import Random
from unittest.mock import patch

from benchmarks.database import Figures, commit, timed
from benchmarks.workload import WORKLOADS, inverse
from liqo_connectivity.engine.incremental import database as module
from liqo_connectivity.engine.incremental.database import Database

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
ROUNDS = 2
_WAYS = {"followed": 0.0, "recomputed": math.inf}
"""What a fact must cost to follow, for the database to go one way always."""


def measure(name: str, pods: int) -> Figures:
    """Measure both ways at each share, in turns; the quickest of a few counts."""
    work = WORKLOADS[name](pods)
    database = Database(work.program)
    database.load(work.facts)
    database.prepare()
    names = list(work.pods)
    Random(5).shuffle(names)
    costs: dict[str, list[list[float]]] = {"deleted": [], "inserted": []}
    for share in SHARES:
        coming = [request for pod in names[: round(share * pods)] for request in work.pods[pod]]
        pairs: dict[str, list[list[float]]] = {"deleted": [], "inserted": []}
        for _ in range(ROUNDS):
            found: dict[str, list[float]] = {"deleted": [], "inserted": []}
            for cost in _WAYS.values():
                with patch.object(module, "FOLLOWED", cost):
                    found["deleted"].append(timed(partial(commit, database, inverse(coming))))
                    found["inserted"].append(timed(partial(commit, database, coming)))
            for direction, pair in found.items():
                pairs[direction].append(pair)
        for direction, measured in pairs.items():
            costs[direction].append([min(values) for values in zip(*measured, strict=True)])
    return {
        "shares": list(SHARES),
        "seconds": costs,
        "rebuild": [crossing(SHARES, pairs) for pairs in (costs["deleted"], costs["inserted"])],
    }


def chosen() -> list[float]:
    """Give the shares from which on the database recomputes, by its constant: of a deletion, of an insertion.

    1 if it never does.
    """
    # What is asked for, times the constant, is what is left of a deletion, or there after an insertion.
    return [1 / (1 + module.FOLLOWED), min(1.0, 1 / module.FOLLOWED)]


def crossing(shares: Sequence[float], costs: Sequence[Sequence[float]]) -> float:
    """Give the share from which on the first cost exceeds the second, between the shares that were measured.

    1 if it never does: then no share of the pods is large enough.
    """
    ratios = [math.log(followed / recomputed) for followed, recomputed in costs]
    last = max((n for n, ratio in enumerate(ratios) if ratio < 0), default=None)
    if last is None:
        return shares[0]
    if last + 1 == len(shares):
        return 1.0
    low, high = ratios[last], ratios[last + 1]
    return shares[last] + (shares[last + 1] - shares[last]) * low / (low - high)


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
