"""A compiler that forgets every rule that drops, for the test of what happens when the kernel and ``why`` disagree.

Run as a module in a new user and network namespace, it finds a disagreement, makes it smaller and prints it.
"""

import json
import sys
from typing import Any

from tests.dataplane import campaign, cases
from tests.dataplane.oracle import Oracle


class Forgetful(Oracle):
    """The verdicts as they are, and chains that drop nothing."""

    @property
    def commands(self) -> list[dict[str, Any]]:
        return [each for each in super().commands if {"drop": None} not in _expressions(each)]


def _expressions(command: dict[str, Any]) -> list[Any]:
    found: list[Any] = command.get("add", {}).get("rule", {}).get("expr", [])
    return found


def main() -> None:
    for module in (campaign, cases):
        setattr(module, Oracle.__name__, Forgetful)
    tally, seeds = campaign.run(0, sys.maxsize, 600)
    small = cases.smaller(tally.wrong[0])
    said = {"seeds": len(seeds), "case": cases.written(small), "first": tally.wrong[0].kind}
    print(json.dumps(said | {"complaints": cases.complaints(small), "report": cases.report(small)}))


if __name__ == "__main__":
    main()
