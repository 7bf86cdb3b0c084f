"""How many random cases the tests try: the variable ``SEEDS`` is ``few`` in `make quick` and ``all`` in `make seeds`."""

import os
from collections import Counter
from collections.abc import Iterable

import pytest

SEEDS = os.environ.get("SEEDS", "some")
PART = 6
"""Of how many groups of seeds `make test` takes one."""
FEW = {"seed": 3, "first": 1}
"""The parameters that count random cases, and how many values of each `make quick` takes; ``first`` begins a group."""


def groups(first: int, end: int, size: int) -> range:
    """The first seeds of the groups of ``size`` that a run takes, of those from ``first`` to ``end``."""
    return range(first, end, size if SEEDS == "all" else size * PART)


def examples(usual: int) -> int:
    """How many examples of a property to draw, where `make test` draws ``usual``."""
    return max(5, usual // 15) if SEEDS == "few" else usual


def surplus(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Those of parametrized tests that `make quick` leaves out: all seeds but the first few."""
    taken: Counter[tuple[object, ...]] = Counter()
    found: list[pytest.Item] = []
    for item in items:
        callspec = getattr(item, "callspec", None)
        params: dict[str, object] = callspec.params if callspec else {}
        counted = FEW.keys() & params.keys()
        if SEEDS != "few" or not counted:
            continue
        others = tuple((name, repr(value)) for name, value in sorted(params.items()) if name not in counted)
        key = (item.nodeid.partition("[")[0], others)
        taken[key] += 1
        if taken[key] > min(FEW[name] for name in counted):
            found.append(item)
    return found
