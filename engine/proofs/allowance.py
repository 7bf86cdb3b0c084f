"""What a search for proofs may still look at: instances of rules, which it keeps, and rows, which it only reads.

The budget of a proof bounds both, so that neither memory nor time depends on how many instances or dead ends there are.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from liqo_connectivity.engine.syntax.nodes import Row

NEVER: Final = 2**62
"""The height of a tuple without a proof, and a budget that never ends."""

ROWS: Final = 100
"""The rows that a search may read for each rule instance of its budget, and for a hundred more.

A join reads a few rows for an instance, unless most of what it reads leads nowhere.
"""


class OverBudgetError(Exception):
    """The search would look at more than its budget allows."""


class Allowance:
    """The rule instances and rows that are left; joins count both down, and call ``spent`` below zero."""

    __slots__ = ("instances", "rows")

    def __init__(self, budget: int | None) -> None:
        self.instances = NEVER if budget is None else budget
        self.rows = NEVER if budget is None else ROWS * (budget + 100)

    def take(self, instances: int) -> None:
        """Count instances that no join has counted. Raises OverBudgetError."""
        self.instances -= instances
        if self.instances < 0:
            self.spent()

    def spent(self) -> None:
        """Raise OverBudgetError."""
        raise OverBudgetError


class FirstOnly(Allowance):
    """What a join in sorted order may look at that ends with its first instance.

    It reads the rows of each table in sorted order, so that the first instance does not depend on the order of facts.
    ``barred`` holds, by relation, the rows that no premise may be.
    """

    __slots__ = ("_sorted", "barred")

    def __init__(self) -> None:
        super().__init__(None)
        self.instances = 0
        self.barred: Mapping[str, Barred] = {}
        self._sorted: dict[int, tuple[object, list[Row]]] = {}

    def begin(self, barred: "Mapping[str, Barred]") -> None:
        """Prepare for one join."""
        self.instances, self.barred = 0, barred

    def sorted(self, rows: Iterable[Row]) -> list[Row]:
        """Sort the rows of a table or of a bucket; those of one dictionary once."""
        if not _lasts(rows):
            return sorted(rows)
        known = self._sorted.get(id(rows))
        if known is None:
            # The dictionary is kept too, so that no other one gets its identity.
            known = self._sorted[id(rows)] = rows, sorted(rows)
        return known[1]


def _lasts(rows: object) -> bool:
    """Return whether these are the rows of a table or bucket, and not a list made for one lookup."""
    return isinstance(rows, dict)


class Barred:
    """The rows of a relation whose rank is not below a limit."""

    __slots__ = ("_limit", "_ranks")

    def __init__(self, ranks: Mapping[Row, int], limit: int) -> None:
        self._ranks = ranks
        self._limit = limit

    def __contains__(self, row: Row) -> bool:
        return self._ranks[row] >= self._limit
