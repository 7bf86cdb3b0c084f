"""The change queue: the latest of each object, on its way from the reflectors to the control loop.

Only the latest counts, so the queue is never longer than the cluster, however slow the control loop is.
"""

import time
from collections.abc import Callable, Mapping
from threading import Condition

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import Observed

Batch = Mapping[tuple[str, ObjectKey], Observed | None]
"""What each changed object is now, by resource and key; None is gone. In the order in which the objects changed first."""


def _always(_: ObjectKey, __: Observed | None) -> bool:
    return True


class ChangeQueue:
    """Changed objects that the control loop has not taken yet. Every method may be called by any thread.

    After the first change, the queue gathers more for ``window`` seconds. ``is_news`` says whether an observed object
    differs from what the controller knows. If it does not, as when a node reports that its Pods are still alive, the
    control loop is not woken, and takes the object with the next batch.
    """

    def __init__(self, window: float, is_news: Callable[[ObjectKey, Observed | None], bool] = _always) -> None:
        self._window = window
        self._is_news = is_news
        # Guards all that follows.
        self._changed = Condition()
        self._waiting: dict[tuple[str, ObjectKey], Observed | None] = {}
        self._taken: Batch = {}
        self._since = 0.0
        self._taken_since = 0.0
        self._adds = 0
        self._news = False
        self._closed = False

    def put(self, resource: str, key: ObjectKey, observed: Observed | None) -> None:
        """Replace what is known of an object of a resource; None says that it is gone."""
        with self._changed:
            self._adds += 1
            # What the batch taken last changes is not known yet.
            if not self._news and ((resource, key) in self._taken or self._is_news(key, observed)):
                self._news = True
                self._since = time.monotonic()
                self._changed.notify_all()
            self._waiting[resource, key] = observed

    def take(self, timeout: float) -> Batch:
        """Wait for news, gather more for the window, and take everything that is waiting.

        After ``timeout`` seconds without news the batch may still hold objects that are none. A closed queue does not
        wait. When a reflector had synced before the call, its whole first list is in this batch or in an earlier one.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._news or self._closed, timeout)
            if self._news:
                self._changed.wait_for(lambda: self._closed, self._since + self._window - time.monotonic())
                self._taken_since = self._since
            else:
                self._taken_since = time.monotonic()
            self._taken, self._waiting = self._waiting, {}
            self._news = False
            return self._taken

    def close(self) -> None:
        """End every wait; from now on ``take`` does not wait."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        with self._changed:
            return self._closed

    @property
    def adds(self) -> int:
        """How many changes were ever put."""
        with self._changed:
            return self._adds

    @property
    def since(self) -> float:
        """When the oldest news of the batch that was taken last came, in seconds of ``time.monotonic``."""
        with self._changed:
            return self._taken_since

    def __len__(self) -> int:
        """How many changed objects are waiting."""
        with self._changed:
            return len(self._waiting)
