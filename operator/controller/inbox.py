"""What the watches saw and the controller has not taken yet: the latest of every object, nothing before it.

Since only the latest counts, the inbox is never longer than the cluster, however slow the controller is. This module
must not know what was observed.
"""

import time
from collections.abc import Mapping
from threading import Condition

from liqo_connectivity.facts.fact import ObjectKey
from liqo_connectivity.operator.controller.stored import Observed

Batch = Mapping[tuple[str, ObjectKey], Observed | None]
"""What each changed object is now, by resource and key; None is gone. In the order in which the objects changed first."""


class Inbox:
    """Observed objects on their way from the watch threads to the controller. Safe for use by several threads.

    ``window`` is for how many seconds changes are gathered after the first.
    """

    def __init__(self, window: float) -> None:
        self._window = window
        self._changed = Condition()
        self._waiting: dict[tuple[str, ObjectKey], Observed | None] = {}
        self._since = 0.0
        self._taken_since = 0.0
        self._adds = 0
        self._closed = False

    def put(self, resource: str, key: ObjectKey, observed: Observed | None) -> None:
        """Replace what is known of an object of a resource; None says that it is gone."""
        with self._changed:
            self._adds += 1
            if not self._waiting:
                self._since = time.monotonic()
                self._changed.notify_all()
            self._waiting[resource, key] = observed

    def take(self, timeout: float) -> Batch:
        """Wait for a change, gather more for the window, and take them all.

        Empty when ``timeout`` seconds brought no change, and at once when the inbox is closed and empty. A watch that
        was synced before the call has everything of its first list in the batch, or in one before it.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed, timeout)
            if self._waiting:
                self._changed.wait_for(lambda: self._closed, self._since + self._window - time.monotonic())
            taken, self._waiting = self._waiting, {}
            self._taken_since = self._since
            return taken

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
        """When the oldest change of the batch that was taken last came, in seconds of ``time.monotonic``."""
        return self._taken_since

    def __len__(self) -> int:
        """How many changed objects are waiting."""
        return len(self._waiting)
