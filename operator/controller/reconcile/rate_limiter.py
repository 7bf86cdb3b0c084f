"""How fast something may be done: so many times a second, however much there is to do. Pure: the time is told to it.

What was not done for a moment may be made up for, so that a slow server is not waited for twice. This module must not know
what is done.
"""

from typing import Final

SAVED: Final = 0.5
"""Seconds for which what was not done is saved up."""


class RateLimiter:
    """At most ``rate`` times a second on average, and up to ``rate * SAVED`` times at once after a rest; times are of one clock."""

    def __init__(self, rate: float) -> None:
        self._each = 1.0 / rate
        self._paid_until = float("-inf")

    def ready(self) -> float:
        """From when on it may be done again."""
        return self._paid_until - SAVED

    def spend(self, now: float) -> None:
        """It is done."""
        self._paid_until = max(self._paid_until, now) + self._each
