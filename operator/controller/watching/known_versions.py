"""The known versions: which version of each object a reflector has passed on, so that it passes on only news.

A watch may repeat, reorder or lose events, and a list may break off in the middle. Whatever comes, the latest version of
an object wins, a deleted object stays deleted, and only a complete list shows what was deleted without an event.
"""

from collections.abc import Callable

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import Observed
from liqo_connectivity.operator.controller.watching.resources import WatchEvent

Put = Callable[[ObjectKey, Observed | None], None]


class KnownVersions:
    """The versions of the objects of one resource. Calls ``put`` for every object that is new, changed or gone.

    Used by one thread, that of its reflector.
    """

    def __init__(self, put: Put) -> None:
        self._put = put
        self._versions: dict[ObjectKey, int] = {}
        # Versions of deletions, until the next list: so that a late event does not bring a deleted object back.
        self._gone: dict[ObjectKey, int] = {}
        # During a list: what was known before it.
        self._before: dict[ObjectKey, int] = {}

    def __len__(self) -> int:
        """How many objects there are."""
        return len(self._versions)

    def take(self, event: WatchEvent) -> bool:
        """Take one event, or one item of a list; whether it was news."""
        key, version = event.object.key, event.object.version
        known = self._versions.get(key, 0)
        if version < known or version <= self._gone.get(key, 0):
            return False
        if event.gone:
            self._gone[key] = version
            existed = self._versions.pop(key, None) is not None or key in self._before
            if existed:
                self._put(key, None)
            return existed
        if version == known:
            return False
        self._versions[key] = version
        self._gone.pop(key, None)
        if self._before.get(key) == version:
            return False
        self._put(key, event.object.observed)
        return True

    def begin(self) -> None:
        """Begin a list. Its versions count even if they are lower than the known ones, as after a restored backup."""
        self._before, self._versions, self._gone = self._versions, {}, {}

    def finish(self) -> None:
        """End a complete list: objects that it did not contain are gone."""
        before, self._before = self._before, {}
        for key in before:
            if key not in self._versions and key not in self._gone:
                self._put(key, None)

    def abandon(self) -> None:
        """End a list that broke off: objects that it did not contain are as before."""
        before, self._before = self._before, {}
        for key, version in before.items():
            if key not in self._gone:
                self._versions.setdefault(key, version)

    def clear(self) -> None:
        """Everything is gone, because its kind is."""
        self.begin()
        self.finish()
