"""When the turn of each object is: writes are spaced, bursts gathered, failures put off. Pure: the time is told to it.

The first change of a quiet period is due at once, the next one when the interval since the last write has passed. While
changes come faster than ``BURST`` they are waited for, until they pause or the limit is reached: a rollout of a thousand
pods is a few writes, a steady trickle is one every interval. What failed waits for its own turn, whatever changes
meanwhile. This module must not know what is done in a turn.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from liqo_connectivity.operator.kube.backoff import Backoff

BURST: Final = 150.0
"""Changes of one object for each second from which on they are a burst: above what a busy cluster does steadily."""
PAUSE: Final = 0.1
"""Seconds without a change that end a burst."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(slots=True)
class _Turn:
    """``due`` is when to look at the object, None for not at all; ``held`` is before when not to, after a failure."""

    backoff: Backoff
    due: float | None = None
    held: float = field(default=float("-inf"))
    wrote: float = field(default=float("-inf"))
    changes: int = 0
    first: float = 0.0
    latest: float = 0.0


class DelayingQueue(Generic[Key]):
    """The turns of objects by key; times are seconds of one clock."""

    def __init__(self, interval: float, limit: float, backoff: Callable[[], Backoff]) -> None:
        self._interval = interval
        self._limit = limit
        self._backoff = backoff
        self._turns: dict[Key, _Turn] = {}

    def mark(self, key: Key, now: float, changes: int = 1, waited: float = 0.0) -> None:
        """Something about an object changed, for the first time since its last turn ``waited`` seconds ago at most."""
        turn = self._turn(key)
        if not turn.changes:
            turn.first = now - waited
        turn.changes += changes
        turn.latest = now
        due = max(now, turn.wrote + self._interval, turn.held)
        turn.due = due if turn.due is None else min(turn.due, due)

    def reset(self, key: Key, now: float) -> None:
        """What made an object fail may be mended: look at it at once, and begin waits anew."""
        turn = self._turn(key)
        turn.held = float("-inf")
        turn.backoff.reset()
        turn.due = now

    def retry(self, key: Key, now: float, at_least: float = 0.0) -> float:
        """An object's turn failed: put it off, more each time; give for how long."""
        turn = self._turn(key)
        wait = max(turn.backoff.next(), at_least)
        turn.held = turn.due = now + wait
        return wait

    def wait(self, key: Key, now: float, seconds: float) -> None:
        """Look at an object again after some seconds, or when it changes."""
        turn = self._turn(key)
        turn.due = now + seconds if turn.due is None else min(turn.due, now + seconds)

    def wrote(self, key: Key, now: float) -> None:
        """An object was written: the interval begins."""
        self._turn(key).wrote = now

    def done(self, key: Key) -> None:
        """An object's turn went well: the next failure waits for the shortest time again."""
        turn = self._turn(key)
        turn.backoff.reset()
        turn.held = float("-inf")

    def forget(self, key: Key) -> None:
        """An object is none of ours any more."""
        self._turns.pop(key, None)

    def take(self, now: float) -> Key | None:
        """Take the object whose turn it is, of several the one whose first change waits longest; None if it is nobody's."""
        chosen: tuple[float, Key] | None = None
        for key, turn in self._turns.items():
            if turn.due is None or turn.due > now:
                continue
            later = self._after_burst(turn, now)
            if later is not None:
                turn.due = later
                continue
            waits = turn.first if turn.changes else turn.due
            if chosen is None or waits < chosen[0]:
                chosen = waits, key
        if chosen is None:
            return None
        turn = self._turns[chosen[1]]
        turn.due = None
        turn.changes = 0
        return chosen[1]

    def next(self) -> float | None:
        """When the next turn is; None if there is none."""
        return min((turn.due for turn in self._turns.values() if turn.due is not None), default=None)

    def waiting(self, key: Key) -> bool:
        """Whether an object has a turn to come."""
        turn = self._turns.get(key)
        return turn is not None and turn.due is not None

    def held(self, key: Key, now: float) -> bool:
        """Whether an object is put off because it failed."""
        turn = self._turns.get(key)
        return turn is not None and turn.held > now

    def _after_burst(self, turn: _Turn, now: float) -> float | None:
        """Until when to wait because changes keep coming, or None for not at all."""
        if turn.held > now or turn.changes <= 1 or now - turn.latest >= PAUSE:
            return None
        # The first of a quiet period never waits, so that a lone change is stored at once.
        end = turn.wrote + self._limit
        if now >= end or turn.changes < BURST * max(now - turn.first, PAUSE):
            return None
        return min(turn.latest + PAUSE, end)

    def _turn(self, key: Key) -> _Turn:
        turn = self._turns.get(key)
        if turn is None:
            turn = self._turns[key] = _Turn(self._backoff())
        return turn
