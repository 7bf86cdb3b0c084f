"""Limits of an evaluation: a program that a user wrote may not end, and must not take the machine with it.

Generated functions count the rows that each rule reads, and look at the limits once in some thousands of them. A
database without limits runs functions that count nothing.
"""

import sys
from collections.abc import Mapping
from time import monotonic
from typing import Final, NamedTuple

from liqo_connectivity.engine.program.program import Program
from liqo_connectivity.engine.storage.tables import Table
from liqo_connectivity.engine.syntax.diagnostics import LimitError
from liqo_connectivity.engine.syntax.printer import format_rule

STEP: Final = 10_000
"""The number of rows that a rule reads between two looks at the limits."""


class Limits(NamedTuple):
    """What one load, transaction or what-if may take; ``None`` stands for no limit.

    ``rows`` of all relations together, facts and helper relations included; ``seconds`` of wall clock; ``megabytes`` by
    which the peak of the process's resident memory may grow. Each is checked about every ten thousand rows read.
    """

    rows: int | None = None
    seconds: float | None = None
    megabytes: int | None = None


class Work:
    """The work of one rule: how many rows it may still read before the limits are looked at, and how many it has read."""

    __slots__ = ("done", "left")

    def __init__(self) -> None:
        self.left = STEP
        self.done = 0


class Meter:
    """Counts the work of each rule, by its place in the text, and stops an evaluation that exceeds its limits."""

    def __init__(self, program: Program, limits: Limits, tables: Mapping[str, Table]) -> None:
        self._program = program
        self._limits = limits
        self._tables = tables
        self._works: dict[str, Work] = {}
        self._end = 0.0
        self._most_memory = 0.0
        self.start()

    def start(self) -> None:
        """Begin to measure time, memory and work."""
        limits = self._limits
        self._end = monotonic() + (limits.seconds or 0)
        self._most_memory = (limits.megabytes or 0) * 2**20 + _peak_memory()
        for work in self._works.values():
            work.left, work.done = STEP, 0

    def work(self, place: str) -> Work:
        """Return the work of the rule at a place."""
        return self._works.setdefault(place, Work())

    def refill(self, work: Work) -> None:
        """Let a rule read some thousands of rows more. Raises LimitError."""
        work.done += STEP - work.left
        work.left = STEP
        self.check()

    def check(self) -> None:
        """Raise LimitError if a limit is exceeded, and name the rule that has read most rows."""
        limits = self._limits
        if limits.seconds is not None and monotonic() > self._end:
            raise self._error(f"takes more than {limits.seconds:g} s")
        if limits.megabytes is not None and _peak_memory() > self._most_memory:
            raise self._error(f"needs more than {limits.megabytes} MB of memory")
        if limits.rows is not None and sum(map(_size, self._tables.values())) > limits.rows:
            raise self._error(f"makes more than {limits.rows} rows")

    def _error(self, problem: str) -> LimitError:
        most = max(self._works, key=lambda place: self._works[place].done + STEP - self._works[place].left, default="")
        written = next((format_rule(rule) for rule in self._program.rules if str(rule.span) == most), "")
        by = f"; the rule at {most} reads most rows" if most else ""
        return LimitError(f"the evaluation {problem} and was stopped{by}{f': {written}' if written else ''}", most)


def _size(table: Table) -> int:
    return len(table.rows) + len(table.changes)


def _peak_memory() -> float:
    """Return the peak of the process's resident memory, in bytes; 0 where the system does not say."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes, but bytes on macOS: getrusage(2) of both.
    return peak if sys.platform == "darwin" else peak * 1024
