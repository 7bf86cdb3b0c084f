"""A token bucket: at most so many operations a second, however many are waiting. Pure: callers pass the time.

Unused time is saved up for a moment, so that a slow server does not slow the writes down twice.
"""

from typing import Final

SAVED: Final = 0.5
"""Seconds of unused time that are saved up."""


class RateLimiter:
    """At most ``rate`` operations a second on average, and up to ``rate * SAVED`` at once after a pause.

    Times are in seconds of one clock.
    """

    def __init__(self, rate: float) -> None:
        self._seconds_each = 1.0 / rate
        self._spent_until = float("-inf")

    def ready_at(self) -> float:
        """From when on the next operation is allowed."""
        return self._spent_until - SAVED

    def spend(self, now: float) -> None:
        """Count an operation."""
        self._spent_until = max(self._spent_until, now) + self._seconds_each
