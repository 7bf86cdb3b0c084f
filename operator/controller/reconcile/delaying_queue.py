"""A delaying queue: when each object is reconciled. Writes are spaced, bursts gathered, failures backed off.

The first change of a quiet period is due at once, the next one when the interval since the last write has passed. While
changes come faster than ``BURST``, the object waits until they pause or the limit is reached: a rollout of a thousand
pods is a few writes, a steady trickle is one write every interval. A failed object waits out its back-off, whatever
changes meanwhile. Pure: callers pass the time.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from liqo_connectivity.operator.kube.backoff import Backoff

BURST: Final = 150.0
"""Changes of one object a second that count as a burst: more than a busy cluster makes steadily."""
PAUSE: Final = 0.1
"""Seconds without a change that end a burst."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(slots=True)
class _Entry:
    """``due`` is when to reconcile, None for not at all; after a failure, not before ``held_until``."""

    backoff: Backoff
    due: float | None = None
    held_until: float = field(default=float("-inf"))
    written: float = field(default=float("-inf"))
    changes: int = 0
    first: float = 0.0
    latest: float = 0.0


def _any(_: object) -> bool:
    return True


class DelayingQueue(Generic[Key]):
    """Keys with the time when each is due, in seconds of one clock.

    Two writes of one object are ``interval`` seconds apart, and up to ``limit`` seconds during a burst. ``backoff`` makes
    the back-off of a key.
    """

    def __init__(self, interval: float, limit: float, backoff: Callable[[], Backoff]) -> None:
        self._interval = interval
        self._limit = limit
        self._backoff = backoff
        self._entries: dict[Key, _Entry] = {}

    def add(self, key: Key, now: float, changes: int = 1, waited: float = 0.0) -> None:
        """An object has changed; the first of these changes came at most ``waited`` seconds ago."""
        entry = self._entry(key)
        if not entry.changes:
            entry.first = now - waited
        entry.changes += changes
        entry.latest = now
        due = max(now, entry.written + self._interval, entry.held_until)
        entry.due = due if entry.due is None else min(entry.due, due)

    def add_now(self, key: Key, now: float) -> None:
        """Reconcile an object at once, without back-off: whatever made it fail may be fixed."""
        self.forget_failures(key)
        self._entry(key).due = now

    def add_after(self, key: Key, now: float, seconds: float) -> None:
        """Reconcile an object in some seconds, or when it changes."""
        entry = self._entry(key)
        entry.due = now + seconds if entry.due is None else min(entry.due, now + seconds)

    def add_rate_limited(self, key: Key, now: float, at_least: float = 0.0) -> float:
        """Reconcile a failed object after its back-off, which grows each time; returns the seconds until then."""
        entry = self._entry(key)
        wait = max(entry.backoff.next(), at_least)
        entry.held_until = entry.due = now + wait
        return wait

    def written(self, key: Key, now: float) -> None:
        """An object was written: its interval begins."""
        self._entry(key).written = now

    def forget_failures(self, key: Key) -> None:
        """An object was reconciled: its back-off begins again with the shortest wait."""
        entry = self._entry(key)
        entry.backoff.reset()
        entry.held_until = float("-inf")

    def remove(self, key: Key) -> None:
        """Drop an object and all that is known of it."""
        self._entries.pop(key, None)

    def take(self, now: float, first: Callable[[Key], bool] = _any) -> Key | None:
        """Take a due object; None if none is due.

        Of several, it is one that comes ``first``, and of several of those the one whose first change waits longest.
        """
        chosen: tuple[tuple[bool, float], Key] | None = None
        for key, entry in self._entries.items():
            if entry.due is None or entry.due > now:
                continue
            later = self._after_burst(entry, now)
            if later is not None:
                entry.due = later
                continue
            rank = not first(key), entry.first if entry.changes else entry.due
            if chosen is None or rank < chosen[0]:
                chosen = rank, key
        if chosen is None:
            return None
        entry = self._entries[chosen[1]]
        entry.due = None
        entry.changes = 0
        return chosen[1]

    def next_due(self) -> float | None:
        """When the next object is due; None if none is."""
        return min((entry.due for entry in self._entries.values() if entry.due is not None), default=None)

    def is_waiting(self, key: Key) -> bool:
        """Whether an object is due at some time."""
        entry = self._entries.get(key)
        return entry is not None and entry.due is not None

    def _after_burst(self, entry: _Entry, now: float) -> float | None:
        """Until when to wait because changes keep coming; None for not at all."""
        if entry.held_until > now or entry.changes <= 1 or now - entry.latest >= PAUSE:
            return None
        # The first change of a quiet period never waits, so that a lone change is written at once.
        end = entry.written + self._limit
        if now >= end or entry.changes < BURST * max(now - entry.first, PAUSE):
            return None
        return min(entry.latest + PAUSE, end)

    def _entry(self, key: Key) -> _Entry:
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry(self._backoff())
        return entry
