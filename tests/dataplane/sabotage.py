"""A compiler that forgets every rule that drops, for the test of what happens when the kernel and ``why`` disagree.

Run as a module in a new user and network namespace, it finds a disagreement, makes it smaller and prints it.
"""

import json
from functools import cached_property
from itertools import count
from typing import Any

from tests.dataplane import campaign, cases, world
from tests.dataplane.oracle import Oracle


class Forgetful(Oracle):
    """The verdicts as they are, and chains that drop nothing."""

    @cached_property
    def commands(self) -> list[dict[str, Any]]:
        return [each for each in super().commands if {"drop": None} not in _expressions(each)]


def _expressions(command: dict[str, Any]) -> list[Any]:
    found: list[Any] = command.get("add", {}).get("rule", {}).get("expr", [])
    return found


def main() -> None:
    setattr(world, Oracle.__name__, Forgetful)
    tally, seeds = campaign.Tally(), count()
    # A router is built faster than a federation, and making a case smaller builds many.
    while not (found := [case for case in tally.wrong if case.behind]):
        campaign.trial(next(seeds), tally)
    small = cases.smaller(found[0])
    said = {"case": cases.written(small), "first": found[0].kind}
    print(json.dumps(said | {"complaints": cases.complaints(small), "report": cases.report(small)}))


if __name__ == "__main__":
    main()
