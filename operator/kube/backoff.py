"""Exponential back-off with jitter. Pure: it reads no clock and does not sleep."""

import random
from typing import Final

FACTOR: Final = 2.0


class Backoff:
    """Waits that double from ``base`` to ``cap`` seconds, each shortened at random to no less than half.

    The jitter keeps many clients from retrying at the same moment. ``seed`` makes it repeatable.
    """

    def __init__(self, base: float, cap: float, seed: int | None = None) -> None:
        self._base = base
        self._cap = cap
        self._next = base
        # Not for secrets.
        self._random = random.Random(seed)  # noqa: S311

    def next(self) -> float:
        """The seconds to wait now; the next wait is twice as long."""
        wait = min(self._next, self._cap)
        self._next = min(self._next * FACTOR, self._cap)
        return wait * self._random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Start again with the shortest wait, after a success."""
        self._next = self._base
