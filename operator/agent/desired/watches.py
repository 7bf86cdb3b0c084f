"""The published chains by watches of the API server: two kinds, and nothing that nodes write.

While the API server cannot be asked, or says that it does not know the kinds, nothing is known: what was applied stays.
"""

from functools import partial
from threading import Lock
from typing import Final, cast

from liqo_connectivity.chains import API_VERSION, CHAIN, SLICE
from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.agent.desired.cache import PublishedCache
from liqo_connectivity.operator.agent.desired.source import Desired
from liqo_connectivity.operator.controller.objects.stored import Observed
from liqo_connectivity.operator.controller.serving.metrics import Metrics
from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.controller.watching.reflector import Reflector
from liqo_connectivity.operator.controller.watching.resources import ObjectVersion, Resource, WatchEventError
from liqo_connectivity.operator.kube.rest_client import RestClient

_GROUP: Final = f"/apis/{API_VERSION}"
_PLURALS: Final = {CHAIN: "connectivitychains", SLICE: "connectivitysetslices"}
SETTINGS: Final = Settings(watch_backoff=1.0, watch_backoff_limit=30.0, resync_interval=3600.0)
"""All nodes watch the same objects: an API server that is restarted meets as many agents as it has nodes."""


_Change = tuple[ObjectKey, object | None]
"""An object as it is now; None if it is gone."""


class _Changes:
    """Keeps all changes, in their order."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._all: list[_Change] = []

    def put(self, resource: str, key: ObjectKey, observed: Observed | None) -> None:
        with self._lock:
            self._all.append((key, observed.whole if observed is not None else None))

    def taken(self) -> list[_Change]:
        """The changes since the last call."""
        with self._lock:
            taken, self._all = self._all, []
            return taken


def _read(kind: str, value: object) -> ObjectVersion:
    """An object as a watch shows it; whether it is as it has to be is for the cache to say."""
    fields = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    metadata = fields.get("metadata")
    held = cast("dict[str, object]", metadata) if isinstance(metadata, dict) else {}
    name, namespace, version = held.get("name"), held.get("namespace"), held.get("resourceVersion")
    if not isinstance(name, str) or not isinstance(namespace, str):
        raise WatchEventError(f"a {kind} has no name")
    if not isinstance(version, str) or not version.isascii() or not version.isdecimal():
        raise WatchEventError(f"{kind} {namespace}/{name} has no resourceVersion that is a number")
    # The items of a list have neither.
    whole = {"apiVersion": API_VERSION, "kind": kind, **fields}
    return ObjectVersion(ObjectKey(kind, namespace, name), int(version), Observed((), whole=whole))


class PublishedWatches:
    """A source of chains: follows both kinds in threads until ``stop``."""

    def __init__(self, api: RestClient) -> None:
        self._cache = PublishedCache()
        self._changes = _Changes()
        self._waiting: list[_Change] = []
        self._objects: dict[str, dict[ObjectKey, object]] = {kind: {} for kind in _PLURALS}
        self._metrics = Metrics()
        # Without a CRD: that it is gone does not say that nobody wants the chains any more.
        self._reflectors = [
            Reflector(
                Resource(plural, f"{_GROUP}/{plural}", partial(_read, kind)),
                api,
                self._changes,
                SETTINGS,
                self._metrics,
            )
            for kind, plural in _PLURALS.items()
        ]
        self._listed: list[tuple[int, int]] = []

    def start(self) -> None:
        """Start to watch."""
        for reflector in self._reflectors:
            reflector.start()

    def stop(self) -> None:
        """Stop to watch; returns at once."""
        for reflector in self._reflectors:
            reflector.stop()

    def is_alive(self) -> bool:
        """Whether all threads run."""
        return all(reflector.alive for reflector in self._reflectors)

    def changed(self) -> Desired | None:
        """What is complete, if anything changed; None while a list is under way, of which a part says nothing."""
        before = self._lists()
        self._waiting += self._changes.taken()
        if before != self._lists() or any(begun != whole or not whole for begun, whole in before):
            return None
        if before == self._listed and not self._waiting:
            return None
        for key, whole in self._waiting:
            held = self._objects[key.kind]
            last = held.pop(key, None)
            if whole is not None:
                held[key] = whole
                self._cache.change(key.kind, whole)
            elif last is not None:
                self._cache.remove(key.kind, last)
        self._waiting = []
        if before != self._listed:
            # Whatever its revision is: the server may have been restored from a backup.
            self._listed = before
            for kind, held in self._objects.items():
                self._cache.replace(kind, held.values())
        found = self._cache.complete()
        return Desired(found.tables, found.problems, is_all=True) if found is not None else None

    def _lists(self) -> list[tuple[int, int]]:
        return [(reflector.lists_begun, reflector.lists_whole) for reflector in self._reflectors]
