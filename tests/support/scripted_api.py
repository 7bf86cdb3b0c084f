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


def answer_ok(exchange: Exchange) -> None:
    exchange.json(200, {"kind": "Thing", "metadata": {"name": "é"}})
