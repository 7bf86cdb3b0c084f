"""What happened to the objects of some collections, in the order in which the API server stored it.

The order is that of resourceVersions, which are the revisions of one etcd. It must not judge.
"""

import threading
from types import TracebackType
from typing import Self

from tests.support.api_client import Object
from tests.support.control_plane import ControlPlane


class Recorder:
    """Watches collections while the context lasts."""

    def __init__(self, plane: ControlPlane, *paths: str) -> None:
        self._client = plane.client(plane.kubeconfig())
        self._lock = threading.Lock()
        self._events: list[Object] = []
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._follow, args=(path,), daemon=True) for path in paths]
        # Objects that exist now are not recorded.
        self._began = {path: self._client.get(path, limit="1")["metadata"]["resourceVersion"] for path in paths}

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def of(self, kind: str, name: str) -> list[Object]:
        """The events of the objects of a kind and name so far, in order."""
        with self._lock:
            found = [
                event
                for event in self._events
                if (event["object"]["kind"], event["object"]["metadata"]["name"]) == (kind, name)
            ]
        return sorted(found, key=version)

    def _follow(self, path: str) -> None:
        last = self._began[path]
        while not self._stopped.is_set():
            for event in self._client.watch(path, 1, resourceVersion=last):
                assert event["type"] != "ERROR", event
                last = event["object"]["metadata"]["resourceVersion"]
                with self._lock:
                    self._events.append(event)


def version(event: Object) -> int:
    """The place of an event among all."""
    return int(event["object"]["metadata"]["resourceVersion"])
