"""The reflector: lists and watches one resource and passes every change on, whatever happens, at a rate the server bears.

It lists by a watch that sends everything first (Kubernetes' watch-list), or in pages where the server cannot. Whatever a
watch loses is found by the next list, and an object that cannot be read is logged and counted.
"""

import logging
import random
import time
from collections.abc import Iterator
from threading import Event, Thread
from typing import Final, Protocol, cast

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.logs import fields
from liqo_connectivity.operator.controller.objects.stored import Observed
from liqo_connectivity.operator.controller.serving.metrics import Metrics
from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.controller.watching import resources
from liqo_connectivity.operator.controller.watching.known_versions import KnownVersions
from liqo_connectivity.operator.controller.watching.resources import Bookmark, Failure, Resource, WatchEventError
from liqo_connectivity.operator.kube.backoff import Backoff
from liqo_connectivity.operator.kube.errors import (
    ApiError,
    Gone,
    Invalid,
    NotFound,
    Refused,
    ServerFault,
    Silent,
    Throttled,
    Unreachable,
    refusal,
)
from liqo_connectivity.operator.kube.response import Stream, parse_object, split_lines
from liqo_connectivity.operator.kube.rest_client import RestClient

MAX_RETRY_AFTER: Final = 30.0
"""The longest that a server may ask to be left alone, in seconds."""
_CRDS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_LOG: Final = logging.getLogger(__name__)


class Changes(Protocol):
    """Where a reflector puts changes: the change queue, for the controller."""

    def put(self, resource: str, key: ObjectKey, observed: Observed | None) -> None:
        """Replace what is known of an object of a resource; None says that it is gone."""
        ...


class Reflector:
    """A thread that puts every change of a resource into the change queue. Only ``stop`` ends it.

    ``synced`` is set once every existing object is in the change queue or has been taken from it, and never cleared. A
    kind whose CRD is absent has no objects; the reflector keeps looking for the CRD.
    """

    def __init__(
        self, resource: Resource, api: RestClient, queue: Changes, settings: Settings, metrics: Metrics
    ) -> None:
        self.resource: Final = resource
        self.synced: Final = Event()
        self.lists_begun = 0
        self.lists_whole = 0
        """How many lists were begun, and how many of these were begun before the last one that came to its end: between a list
        that breaks off and the next one, what was passed on may be a part of two states. Written by the thread only."""
        self._api = api
        self._settings = settings
        self._metrics = metrics
        self._known = KnownVersions(lambda key, observed: queue.put(resource.name, key, observed))
        self._backoff = Backoff(settings.watch_backoff, settings.watch_backoff_limit)
        # Written by the reflector's thread only, read by others: immutable values, replaced in one assignment.
        self._last_event = 0.0
        self._stream: Stream | None = None
        metrics.watch_last_event.labels(resource.name).set_function(lambda: self._last_event)
        # The version to go on from; None if the resource has to be listed.
        self._version: int | None = None
        self._list_at = 0.0
        self._streams = True
        self._pages_next = False
        self._trouble = ""
        self._stopping = Event()
        self._thread = Thread(target=self._run, name=f"watch-{resource.name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end, and wake it if it reads a stream; returns at once."""
        self._stopping.set()
        stream = self._stream
        if stream is not None:
            stream.stop()

    def join(self, timeout: float) -> None:
        """Wait for the thread to end. A request that is under way may take until its deadline."""
        if self._thread.ident is not None:
            self._thread.join(timeout)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            begin = time.monotonic()
            reason, wait = self._round()
            if self._stopping.is_set():
                return
            self._metrics.watch_restarts.labels(self.resource.name, reason).inc()
            if time.monotonic() - begin > self._settings.watch_backoff_limit:
                # It worked for a while, so this is the first failure of its kind.
                self._backoff.reset()
            self._stopping.wait(max(wait, self._backoff.next()))

    def _round(self) -> tuple[str, float]:
        """List if necessary and watch until that ends: why it ended, and how many seconds to wait at least."""
        try:
            if self._version is None or time.monotonic() >= self._list_at:
                self._list()
            self._follow()
        except NotFound as error:
            self._version = None
            if self._absent():
                self._clear()
                return "absent", self._settings.absent_interval
            self._log_trouble(str(error))
            return "refused", error.retry_after
        except Gone:
            self._version = None
            return "gone", 0.0
        except Refused as error:
            if not isinstance(error, Throttled | ServerFault):
                self._version = None
            self._log_trouble(str(error))
            return "refused", min(error.retry_after, MAX_RETRY_AFTER)
        except Silent:
            # The connection is dead, or a quiet kind got no bookmark: nothing for anybody to fix.
            return "silent", 0.0
        except ApiError as error:
            self._log_trouble(str(error))
            return "unreachable", 0.0
        except Exception:  # noqa: BLE001  it is logged with its traceback
            # A resource without its watch would stop the whole controller.
            self._version = None
            _LOG.exception("Reflector failed", extra=fields(resource=self.resource.name))
            return "fault", 0.0
        return "ended", 0.0

    # ---- Listing ----

    def _list(self) -> None:
        self.lists_begun += 1
        self._known.begin()
        try:
            version = self._list_stream() if self._streams and not self._pages_next else self._list_pages()
        except BaseException:
            self._known.abandon()
            raise
        self._known.finish()
        self.lists_whole = self.lists_begun
        self._version = version
        self._list_at = time.monotonic() + self._settings.resync_interval * _jitter()
        self.synced.set()
        _LOG.debug("Listed", extra=fields(resource=self.resource.name, objects=len(self._known), version=version))

    def _list_stream(self) -> int:
        """List by a watch that sends everything first; the version of the list."""
        query = (
            ("watch", "true"),
            ("sendInitialEvents", "true"),
            ("resourceVersionMatch", "NotOlderThan"),
            ("allowWatchBookmarks", "true"),
        )
        # If it fails, the server may only pretend to support it: the next list is in pages.
        self._pages_next = True
        try:
            with self._open(query, self._settings.request_timeout, self.resource.accept) as stream:
                for event in self._events(stream):
                    if not isinstance(event, Bookmark):
                        self._take(event)
                    elif event.initial:
                        self._pages_next = False
                        return event.version
                    else:
                        raise Unreachable("the server does not send the existing objects first")
        except Invalid:
            # Kubernetes before 1.34 by default: the feature gate WatchList.
            self._streams = False
            return self._list_pages()
        raise Unreachable("the server ended a list before it was complete")

    def _list_pages(self) -> int:
        """List in pages; the version of the list."""
        limit = ("limit", str(self._settings.page_size))
        query: tuple[tuple[str, str], ...] = (limit,)
        while True:
            # As a stream, because a stream can be stopped.
            with self._open(query, self._settings.request_timeout, self.resource.accept_list) as stream:
                page = parse_object(b"".join(self._timed(stream)))
            metadata = cast("dict[str, object]", page.get("metadata") or {})
            for item in cast("list[object]", page.get("items") or ()):
                try:
                    self._take(resources.WatchEvent(self.resource.read(item), gone=False))
                except WatchEventError as error:
                    self._unreadable(str(error))
            token = metadata.get("continue")
            if not token:
                self._pages_next = False
                return int(str(metadata.get("resourceVersion")))
            query = (limit, ("continue", str(token)))

    # ---- Watching ----

    def _follow(self) -> None:
        """Watch from the known version on, until the server ends the watch or the next list is due."""
        version = self._version
        lifetime = min(self._settings.watch_timeout * _jitter(), self._list_at - time.monotonic())
        query = (
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", str(version)),
            ("timeoutSeconds", str(max(1, round(lifetime)))),
        )
        with self._open(query, self._settings.watch_silence, self.resource.accept) as stream:
            self._recovered()
            for event in self._events(stream):
                if not isinstance(event, Bookmark):
                    self._take(event)
                    self._version = max(self._version or 0, event.object.version)
                elif version is not None and event.version < version:
                    # A server whose data was restored from a backup, or lags far behind the one asked before.
                    self._version = None
                    raise Unreachable(f"the server's version went back from {version} to {event.version}")
                else:
                    self._version = max(self._version or 0, event.version)
                if time.monotonic() >= self._list_at:
                    return

    def _open(self, query: tuple[tuple[str, str], ...], silence: float, accept: str) -> Stream:
        stream = self._api.stream(self.resource.path, (*self.resource.query, *query), accept=accept, silence=silence)
        self._stream = stream
        if self._stopping.is_set():
            stream.stop()
        return stream

    def _events(self, stream: Stream) -> Iterator[resources.WatchEvent | Bookmark]:
        for line in split_lines(self._timed(stream)):
            try:
                event = self.resource.parse(line)
            except WatchEventError as error:
                self._unreadable(str(error))
                continue
            if isinstance(event, Failure):
                # Whatever it is, the version is useless now.
                self._version = None
                raise refusal(event.code, event.status)
            yield event

    def _timed(self, stream: Stream) -> Iterator[bytes]:
        for chunk in stream:
            self._last_event = time.time()
            yield chunk

    def _take(self, event: resources.WatchEvent) -> None:
        if self._known.take(event) and event.object.problem:
            self._unreadable(event.object.problem)

    # ---- Trouble ----

    def _absent(self) -> bool:
        """Whether the CRD of the resource does not exist. A built-in kind always exists."""
        if not self.resource.crd:
            return False
        try:
            self._api.get(f"{_CRDS}/{self.resource.crd}")
        except NotFound:
            return True
        except ApiError:
            return False
        return False

    def _clear(self) -> None:
        self._known.clear()
        self.synced.set()
        self._log_trouble(f"CustomResourceDefinition {self.resource.crd} does not exist")

    def _log_trouble(self, trouble: str) -> None:
        # Once for each problem, however often it is retried.
        if trouble != self._trouble and not self._stopping.is_set():
            self._trouble = trouble
            _LOG.warning("Resource could not be watched", extra=fields(resource=self.resource.name, error=trouble))

    def _recovered(self) -> None:
        if self._trouble:
            self._trouble = ""
            _LOG.info("Resource was watched again", extra=fields(resource=self.resource.name))

    def _unreadable(self, problem: str) -> None:
        self._metrics.decode_errors.labels(self.resource.name).inc()
        _LOG.warning("Object could not be read", extra=fields(resource=self.resource.name, error=problem))


def _jitter() -> float:
    # So that not all resources are listed at the same time. Not for secrets.
    return random.uniform(0.9, 1.0)  # noqa: S311
