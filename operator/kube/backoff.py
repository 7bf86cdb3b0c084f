"""How long to wait before trying again. It must not know what is tried, and reads no clock."""

import random
from typing import Final

FACTOR: Final = 2.0


class Backoff:
    """Waits that double from ``base`` to ``cap`` seconds, each shortened by chance to no less than half.

    The chance keeps the clients of a server that comes back from asking it all at once. ``seed`` makes it repeatable.
    """

    def __init__(self, base: float, cap: float, seed: int | None = None) -> None:
        self._base = base
        self._cap = cap
        self._next = base
        # Not for secrets.
        self._random = random.Random(seed)  # noqa: S311

    def next(self) -> float:
        """How many seconds to wait now; the next wait is twice as long."""
        wait = min(self._next, self._cap)
        self._next = min(self._next * FACTOR, self._cap)
        return wait * self._random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Begin anew with the shortest wait, because it worked."""
        self._next = self._base
