"""What the watches saw and the controller has not taken yet: the latest of every object, nothing before it.

Since only the latest counts, the change queue is never longer than the cluster, however slow the controller is. This module
must not know what was observed.
"""

import time
from collections.abc import Callable, Mapping
from threading import Condition

from liqo_connectivity.facts.base.fact import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import Observed

Batch = Mapping[tuple[str, ObjectKey], Observed | None]
"""What each changed object is now, by resource and key; None is gone. In the order in which the objects changed first."""


def _always(_: ObjectKey, __: Observed | None) -> bool:
    return True


class ChangeQueue:
    """Observed objects on their way from the watch threads to the controller. Safe for use by several threads.

    ``window`` is for how many seconds changes are gathered after the first. ``is_news`` says of an object whether what
    was observed changes anything; if not, as when a node reports that its Pods are still alive, nobody is woken for it,
    and it is taken with what comes next.
    """

    def __init__(self, window: float, is_news: Callable[[ObjectKey, Observed | None], bool] = _always) -> None:
        self._window = window
        self._is_news = is_news
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
            # Of what was taken last, it is not known yet what it changes.
            if not self._news and ((resource, key) in self._taken or self._is_news(key, observed)):
                self._news = True
                self._since = time.monotonic()
                self._changed.notify_all()
            self._waiting[resource, key] = observed

    def take(self, timeout: float) -> Batch:
        """Wait for news, gather more for the window, and take all that came.

        After ``timeout`` seconds without news there may still be something that is none; when the change queue is closed there
        is no wait. A watch that was synced before the call has everything of its first list in the batch, or in one
        before it.
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
        """Wake whoever takes; from now on ``take`` does not wait."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed

    @property
    def adds(self) -> int:
        """How many changes were ever put."""
        return self._adds

    @property
    def since(self) -> float:
        """When the oldest news of the batch that was taken last came, in seconds of ``time.monotonic``."""
        return self._taken_since

    def __len__(self) -> int:
        """How many changed objects are waiting."""
        return len(self._waiting)
