"""A proxy before a real API server that breaks what passes it, as networks, proxies and API servers do.

It speaks plain HTTP to the client under test and TLS to the server, so that it can take answers apart: requests are
refused, cut or held, watch events are dropped, doubled, swapped or slowed. Every request is recorded with what came of
it, for tests that ask what was written, and when. It does not know what an operator does.
"""

import json
import random
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import urllib3

from tests.support.faults import Fault, Request, event_lines, initial_events
from tests.support.waiting import pause

HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "host", "keep-alive"}


class FaultProxy:
    """``with FaultProxy(server, ca) as proxy:`` then point a client at ``proxy.url``."""

    def __init__(self, server: str, ca_file: str | None, seed: int = 0) -> None:
        self.requests: list[tuple[float, Request, int]] = []
        """When each request was answered (monotonic), the request, and the status; 0 when it was cut."""
        self.on_request: Callable[[Request], None] = lambda request: None
        """Called before a request is forwarded, by the thread that serves it."""
        self._server = server.rstrip("/")
        context = ssl.create_default_context(cafile=ca_file)
        self._pool = urllib3.PoolManager(maxsize=256, ssl_context=context, retries=False)
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._faults: list[tuple[Fault, threading.Event]] = []
        self._struck: dict[int, int] = {}
        self._count = 0
        self._streams: set[Any] = set()
        proxy = self

        class Handler(_Handler):
            owner = proxy

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for entry in self._faults:
            entry[1].set()
        self._http.shutdown()
        self.cut_all()
        self._http.server_close()

    @property
    def url(self) -> str:
        """Where clients connect to."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @contextmanager
    def fault(self, fault: Fault) -> Iterator[None]:
        """Let a fault strike while the block runs."""
        entry = (fault, threading.Event())
        with self._lock:
            self._faults.append(entry)
            self._struck[id(fault)] = 0
        try:
            yield
        finally:
            with self._lock:
                self._faults.remove(entry)
            entry[1].set()

    def cut_all(self) -> None:
        """End every connection that is open now."""
        with self._lock:
            streams = list(self._streams)
        for stream in streams:
            with suppress(OSError):
                stream.shutdown(2)

    @property
    def count(self) -> int:
        """How many requests there were: the index of the next one."""
        with self._lock:
            return self._count

    def written(self, kind_plural: str, since: int = 0) -> list[Request]:
        """Give the writes of one kind that the server accepted, in order, from an index on."""
        with self._lock:
            return [
                request
                for _, request, status in self.requests
                if request.writes
                and request.index >= since
                and 200 <= status < 300
                and f"/{kind_plural}" in request.path
            ]

    def numbered(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> Request:
        with self._lock:
            request = Request(self._count, method, path, query, body)
            self._count += 1
        return request

    def striking(self, request: Request) -> tuple[Fault, threading.Event] | None:
        with self._lock:
            for fault, over in self._faults:
                if self._struck.get(id(fault), 0) < fault.at_most and fault.matches(request):
                    self._struck[id(fault)] = self._struck.get(id(fault), 0) + 1
                    return fault, over
        return None

    def record(self, request: Request, status: int) -> None:
        with self._lock:
            self.requests.append((time.monotonic(), request, status))

    def chance(self, share: float) -> bool:
        with self._lock:
            return share > 0 and self._random.random() < share

    def forward(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Any:
        return self._pool.request(
            method, self._server + target, headers=headers, body=body, preload_content=False, timeout=None
        )

    @contextmanager
    def holding(self, connection: Any) -> Iterator[None]:
        with self._lock:
            self._streams.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._streams.discard(connection)


class _Handler(BaseHTTPRequestHandler):
    owner: FaultProxy
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        # A connection that the client or a test cuts ends; nobody need read about it.
        with suppress(OSError):
            super().handle()

    def do_GET(self) -> None:
        with self.owner.holding(self.connection), suppress(OSError, urllib3.exceptions.HTTPError):
            self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815  the base class names them

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class names it
        """Say nothing: tests read ``requests``."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        parsed = json.loads(body) if body else None
        request = self.owner.numbered(self.command, url.path, parse_qs(url.query), parsed)
        self.owner.on_request(request)
        struck = self.owner.striking(request)
        fault = struck[0] if struck else Fault()
        if struck and fault.hang:
            struck[1].wait()
            self._cut(request)
            return
        if fault.cut == "before":
            self._cut(request)
            return
        if fault.status:
            self._refuse(request, fault)
            return
        if fault.gone and request.watches:
            self._gone(request)
            return
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        answer = self.owner.forward(self.command, self.path, headers, body)
        try:
            if fault.cut == "after":
                answer.read()
                self._cut(request)
                return
            self._pass_on(request, answer, fault, struck[1] if struck else None)
        finally:
            answer.close()

    def _cut(self, request: Request) -> None:
        self.owner.record(request, 0)
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(2)

    def _refuse(self, request: Request, fault: Fault) -> None:
        reason = {409: "Conflict", 410: "Expired", 429: "TooManyRequests", 403: "Forbidden", 404: "NotFound"}
        status = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "code": fault.status,
            "reason": reason.get(fault.status, "InternalError"),
            "message": f"injected {fault.status}",
        }
        self.owner.record(request, fault.status)
        self.send_response(fault.status)
        if fault.retry_after:
            self.send_header("Retry-After", str(fault.retry_after))
        self._whole(json.dumps(status).encode())

    def _gone(self, request: Request) -> None:
        status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
        self.owner.record(request, 200)
        self.send_response(200)
        self._whole(json.dumps({"type": "ERROR", "object": status}).encode() + b"\n")

    def _whole(self, data: bytes) -> None:
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _pass_on(self, request: Request, answer: Any, fault: Fault, over: threading.Event | None) -> None:
        if not request.watches:
            if fault.delay:
                pause(fault.delay)
            data = answer.read()
            self.owner.record(request, answer.status)
            self.send_response(answer.status)
            for name in ("Retry-After",):
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self._whole(data)
            return
        self.owner.record(request, answer.status)
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if fault.freeze and over is not None:
            self.wfile.flush()
            over.wait()
            self.close_connection = True
            return
        lines = event_lines(answer)
        if request.query.get("sendInitialEvents"):
            self._send(initial_events(lines))
        self._send(self._disturbed(lines, fault, over), fault, over)
        self.wfile.write(b"0\r\n\r\n")

    def _send(self, lines: Iterator[bytes], fault: Fault | None = None, over: threading.Event | None = None) -> None:
        for line in lines:
            if fault is not None and fault.delay and over is not None:
                over.wait(fault.delay)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))

    def _disturbed(self, lines: Iterator[bytes], fault: Fault, over: threading.Event | None) -> Iterator[bytes]:
        """Drop, double and swap events while the fault lasts; what is held back for a swap follows the next one."""
        held: bytes | None = None
        for line in lines:
            lasts = over is not None and not over.is_set()
            if lasts and self.owner.chance(fault.drop):
                continue
            if lasts and held is None and self.owner.chance(fault.swap):
                held = line
                continue
            yield line
            if lasts and self.owner.chance(fault.double):
                yield line
            if held is not None:
                yield held
                held = None
        if held is not None:
            yield held
