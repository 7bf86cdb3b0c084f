"""A collection of Pods behind the scripted API server, which lists, pages and watches them as a real one does."""

import threading
import time

from tests.support.scripted_api import Exchange, Json, Script


def pod(name: str, version: int, address: str = "10.244.0.1", namespace: str = "shop") -> Json:
    """A Pod with the fields that are read."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}", "resourceVersion": str(version)},
        "spec": {"nodeName": "worker"},
        "status": {"phase": "Running", "podIP": address},
    }


def bookmark(version: int, initial: bool = False) -> Json:
    """The object of a bookmark."""
    annotations = {"k8s.io/initial-events-end": "true"} if initial else {}
    return {"kind": "Pod", "metadata": {"resourceVersion": str(version), "annotations": annotations}}


class Pods:
    """A script: a collection of Pods that lists, pages and watches as an API server does, with faults to switch on."""

    def __init__(self) -> None:
        self.version = 100
        self.oldest = 0
        self.items: dict[str, Json] = {}
        self.log: list[tuple[int, str, Json]] = []
        self.changed = threading.Condition()
        self.watch_list = True
        self.expired_tokens = 0
        self.faults: list[Script] = []
        """Each answers one request in place of the collection, first to last."""
        self.always: Script | None = None
        """Answers every watch in place of the collection."""

    def put(self, name: str, address: str = "10.244.0.1") -> int:
        """Create or change a Pod; its version."""
        with self.changed:
            self.version += 1
            kind = "MODIFIED" if name in self.items else "ADDED"
            self.items[name] = pod(name, self.version, address)
            self._tell(kind, self.items[name])
            return self.version

    def delete(self, name: str, tell: bool = True) -> int:
        """Delete a Pod; its last version. Without ``tell``, the event is lost."""
        with self.changed:
            self.version += 1
            item = self.items.pop(name)
            last = item | {"metadata": item["metadata"] | {"resourceVersion": str(self.version)}}
            if tell:
                self._tell("DELETED", last)
            return self.version

    def bookmark(self) -> None:
        """Send every watch a bookmark."""
        with self.changed:
            self._tell("BOOKMARK", bookmark(self.version))

    def compact(self) -> None:
        """Forget the versions before the current one."""
        with self.changed:
            self.version += 1
            self.oldest = self.version

    def _tell(self, kind: str, item: Json) -> None:
        self.log.append((self.version, kind, item))
        self.changed.notify_all()

    def __call__(self, exchange: Exchange) -> None:
        query = exchange.request.query
        if self.faults:
            self.faults.pop(0)(exchange)
        elif "watch" not in query:
            self._list(exchange)
        elif self.always is not None:
            self.always(exchange)
        elif "sendInitialEvents" in query and not self.watch_list:
            exchange.status(422, "Invalid", "sendInitialEvents is forbidden for watch")
        else:
            self._watch(exchange)

    def _list(self, exchange: Exchange) -> None:
        query = exchange.request.query
        if "continue" in query and self.expired_tokens:
            self.expired_tokens -= 1
            exchange.status(410, "Expired", "The provided continue parameter is too old")
            return
        with self.changed:
            names = sorted(self.items)
            first, limit = int(query.get("continue", 0)), int(query["limit"])
            metadata: Json = {"resourceVersion": str(self.version)}
            if first + limit < len(names):
                metadata["continue"] = str(first + limit)
            found = [self.items[name] for name in names[first : first + limit]]
        bare = [{key: value for key, value in item.items() if key not in ("kind", "apiVersion")} for item in found]
        exchange.json(200, {"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": bare})

    def _watch(self, exchange: Exchange) -> None:
        query = exchange.request.query
        with self.changed:
            sent = len(self.log)
            if "sendInitialEvents" in query:
                first = [("ADDED", item) for item in self.items.values()]
                first.append(("BOOKMARK", bookmark(self.version, initial=True)))
            else:
                since = int(query["resourceVersion"])
                if since < self.oldest:
                    gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
                    first = [("ERROR", gone)]
                else:
                    first = [(kind, item) for version, kind, item in self.log if version > since]
            exchange.begin()
        for kind, item in first:
            exchange.event(kind, item)
        end = time.monotonic() + int(query.get("timeoutSeconds", 60))
        while not exchange.closing.is_set() and time.monotonic() < end:
            with self.changed:
                self.changed.wait_for(lambda: len(self.log) > sent, 0.05)  # noqa: B023  it is called here
                news, sent = self.log[sent:], len(self.log)
            for _, kind, item in news:
                exchange.event(kind, item)
        exchange.end()
