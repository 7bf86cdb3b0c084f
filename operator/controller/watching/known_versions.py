"""What a watch has told of its objects: which version of each, so that only what is news goes on.

A watch may repeat, reorder or lose events, and a list may break off in the middle. Whatever comes, the latest version
of an object wins, one that is gone stays gone, and only a complete list says what is gone without an event. This module
must not know where events come from.
"""

from collections.abc import Callable

from liqo_connectivity.facts.base.fact import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import Observed
from liqo_connectivity.operator.controller.watching.resources import Event

Put = Callable[[ObjectKey, Observed | None], None]


class KnownVersions:
    """The versions of the objects of one resource. ``put`` is told of every object that is new, changed or gone."""

    def __init__(self, put: Put) -> None:
        self._put = put
        self._versions: dict[ObjectKey, int] = {}
        # Versions at which objects went, until the next list: so that an event that comes late does not revive them.
        self._gone: dict[ObjectKey, int] = {}
        # While a list is being read: what was known before it.
        self._before: dict[ObjectKey, int] = {}

    def __len__(self) -> int:
        """How many objects there are."""
        return len(self._versions)

    def take(self, event: Event) -> bool:
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
        """Begin a list. It is believed whatever its versions are: those of a restored backup are lower."""
        self._before, self._versions, self._gone = self._versions, {}, {}

    def finish(self) -> None:
        """End a list that is complete: what it did not tell of is gone."""
        before, self._before = self._before, {}
        for key in before:
            if key not in self._versions and key not in self._gone:
                self._put(key, None)

    def abandon(self) -> None:
        """End a list that broke off: what it did not tell of is as before."""
        before, self._before = self._before, {}
        for key, version in before.items():
            if key not in self._gone:
                self._versions.setdefault(key, version)

    def clear(self) -> None:
        """Everything is gone, because its kind is."""
        self.begin()
        self.finish()
