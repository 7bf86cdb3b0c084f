"""Limits of a check: rules that a user trusts may not end, and must not take the machine with them."""

import sys
from time import monotonic
from typing import Final, NamedTuple

STEP: Final = 10_000
"""The number of rows that are read between two looks at the clock and the memory."""


class LimitError(Exception):
    """A limit is exceeded; the text names the rule that has read most rows."""


class Limits(NamedTuple):
    """What one check may take; ``None`` stands for no limit.

    ``seconds`` of wall clock, and ``megabytes`` by which the peak of the process's resident memory may grow.
    """

    seconds: float | None = None
    megabytes: int | None = None


class Meter:
    """Counts the rows that each rule reads, by its place in the text, and stops a check that exceeds its limits."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._start = monotonic()
        self._memory = _peak_memory()
        self._left = STEP
        self._rows: dict[str, int] = {}

    def read(self, rows: int, place: str) -> None:
        """Count rows that the rule at a place reads. Raises LimitError."""
        self._rows[place] = self._rows.get(place, 0) + rows
        self._left -= rows
        if self._left <= 0:
            self._left = STEP
            self._check()

    def _check(self) -> None:
        seconds, megabytes = self._limits
        if seconds is not None and monotonic() - self._start > seconds:
            raise self._error(f"takes more than {seconds:g} s")
        if megabytes is not None and _peak_memory() - self._memory > megabytes * 2**20:
            raise self._error(f"needs more than {megabytes} MB of memory")

    def _error(self, problem: str) -> LimitError:
        most = max(self._rows, key=lambda place: self._rows[place])
        return LimitError(f"the check {problem} and was stopped; the rule at {most} reads most rows")


def _peak_memory() -> int:
    """Give the peak of the process's resident memory, in bytes; 0 where the system does not say."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes, but bytes on macOS: getrusage(2) of both.
    return peak if sys.platform == "darwin" else peak * 1024
