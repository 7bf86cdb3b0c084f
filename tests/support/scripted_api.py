"""A small API server on loopback that speaks real HTTP and misbehaves on demand: what a real one does only by accident."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import yaml
from kubernetes.client.api_client import ApiClient

from liqo_connectivity.operator.kube.connection import connect

Json = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """A request that came in, and when, by the monotonic clock."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Json | None
    at: float


class Exchange:
    """How a script answers one request."""

    def __init__(
        self,
        request: Request,
        handler: BaseHTTPRequestHandler,
        closing: threading.Event,
        begun: Callable[[Request], None],
    ) -> None:
        self.request = request
        self._handler = handler
        self.closing = closing
        self._begun = begun

    def json(self, status: int, body: object, **headers: str) -> None:
        """Answer a JSON value."""
        self.text(status, json.dumps(body).encode(), **headers)

    def text(self, status: int, data: bytes, **headers: str) -> None:
        """Answer bytes."""
        self._begun(self.request)
        self._handler.send_response(status)
        self._handler.send_header("Content-Type", "application/json")
        self._handler.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self._handler.send_header(name.replace("_", "-"), value)
        self._handler.end_headers()
        self._handler.wfile.write(data)

    def status(self, code: int, reason: str = "", message: str = "", **headers: str) -> None:
        """Answer an error as the API server does."""
        self.json(code, {"kind": "Status", "code": code, "reason": reason, "message": message}, **headers)

    def begin(self) -> None:
        """Begin a stream."""
        self._begun(self.request)
        self._handler.send_response(200)
        self._handler.send_header("Content-Type", "application/json")
        self._handler.send_header("Transfer-Encoding", "chunked")
        self._handler.end_headers()
        self._handler.wfile.flush()

    def chunk(self, data: bytes) -> None:
        """Send a part of the stream."""
        self._handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self._handler.wfile.flush()

    def event(self, kind: str, item: object) -> None:
        """Send an event of a watch."""
        self.chunk(json.dumps({"type": kind, "object": item}).encode() + b"\n")

    def end(self) -> None:
        """End the stream as the server does when its time is over."""
        self._handler.wfile.write(b"0\r\n\r\n")
        self._handler.wfile.flush()

    def drop(self) -> None:
        """Close the connection without a word."""
        self._begun(self.request)
        self._handler.close_connection = True
        with suppress(OSError):
            self._handler.connection.shutdown(socket.SHUT_RDWR)

    def hang(self, seconds: float = 60.0) -> None:
        """Say nothing."""
        self.closing.wait(seconds)


Script = Callable[[Exchange], None]


@dataclass
class ScriptedApi:
    """The server: its address, the requests so far, and those of them that its script has begun to answer."""

    url: str
    script: Script
    requests: list[Request] = field(default_factory=list[Request])
    answered: list[Request] = field(default_factory=list[Request])

    def client(self, folder: Path, ca: str = "") -> ApiClient:
        """The client that a kubeconfig for the server makes."""
        return connect(str(self.kubeconfig(folder, ca)))

    def kubeconfig(self, folder: Path, ca: str = "") -> Path:
        cluster = {"server": self.url} | ({"certificate-authority": ca} if ca else {})
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
            "clusters": [{"name": "here", "cluster": cluster}],
            "users": [{"name": "me", "user": {"token": "secret"}}],
        }
        path = folder / "kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return path

    def sent(self, method: str = "", **query: str) -> list[Request]:
        """The requests of a method whose query has these values."""
        return [
            request
            for request in list(self.requests)
            if method in ("", request.method) and all(request.query.get(key) == value for key, value in query.items())
        ]


@contextmanager
def scripted_api(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[ScriptedApi]:
    """Serve a script until the end of the block; it is called on a thread for each connection."""
    closing = threading.Event()
    connections: set[socket.socket] = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Without this, a stream waits for the client's acknowledgements.
        disable_nagle_algorithm: ClassVar[bool] = True

        def setup(self) -> None:
            if tls is not None:
                self.request = tls.wrap_socket(self.request, server_side=True)
            connections.add(self.request)
            super().setup()

        def finish(self) -> None:
            connections.discard(self.request)
            with suppress(OSError):
                super().finish()
            self.request.close()

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            request = Request(
                self.command,
                parts.path,
                dict(parse_qsl(parts.query)),
                {name.title(): value for name, value in self.headers.items()},
                body,
                time.monotonic(),
            )
            api.requests.append(request)
            try:
                api.script(Exchange(request, self, closing, api.answered.append))
            except OSError:
                self.close_connection = True

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815  the names are http.server's

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is http.server's
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: object, client_address: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    host = "localhost" if tls is not None else "127.0.0.1"
    api = ScriptedApi(f"http{'s' if tls is not None else ''}://{host}:{server.server_port}", script)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield api
    finally:
        closing.set()
        server.shutdown()
        server.server_close()
        for connection in list(connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


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
