"""A small HTTP server for GET requests that anyone may send: bounded in threads, in time and in what it reads.

One thread accepts, and one answers each request, a few at once. Further connections are refused, slow ones are cut off.
"""

import logging
import socket
import socketserver
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Final

from liqo_connectivity.operator.controller.logs import fields

_LOG: Final = logging.getLogger(__name__)
_IDLE: Final = 5.0
"""Seconds that a peer may take to send or to receive anything at all."""
_TEXT: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Request:
    """A GET request: its path without the query, and its headers by name in lower case."""

    path: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent back.

    A ``body`` that is a tuple is sent with its length, any other in chunks while it is made: either way a peer notices
    if it is incomplete.
    """

    body: Iterable[bytes]
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = _TEXT
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def text_reply(text: str, status: HTTPStatus = HTTPStatus.OK) -> Reply:
    """Make a reply from a text, in UTF-8."""
    return Reply((text.encode(),), status)


class Server:
    """Serves one function on one address until it is stopped. Raises OSError if the address is not available.

    An empty ``host`` means all addresses of both families. A request may take ``deadline`` seconds altogether, and at
    most ``slots`` are answered at once. ``answer`` is called by the threads of the server.
    """

    def __init__(
        self, name: str, host: str, port: int, answer: Callable[[Request], Reply], *, deadline: float, slots: int
    ) -> None:
        self._server = _Bounded(_listen(host, port), answer, deadline, slots)
        # A short interval, since stop() waits for it.
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name=name, daemon=True)

    @property
    def port(self) -> int:
        """The port that the server listens on: the given one, or a free one if that was 0."""
        return int(self._server.socket.getsockname()[1])

    @property
    def alive(self) -> bool:
        """Whether requests are accepted."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread that accepts requests."""
        self._thread.start()

    def stop(self) -> None:
        """Accept no more requests, and close; those under way are finished or cut off."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


def _listen(host: str, port: int) -> socket.socket:
    if host:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        except OSError:
            # The kernel knows IPv6, and this machine has it switched off.
            return socket.create_server(("", port))
    return socket.create_server(("", port))


class _Bounded(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(
        self, listener: socket.socket, answer: Callable[[Request], Reply], deadline: float, slots: int
    ) -> None:
        super().__init__(("", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.answer = answer
        self.deadline = deadline
        self._slots = threading.BoundedSemaphore(slots)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:
            # No thread could be started.
            self._slots.release()
            raise

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a peer that went away; whatever else goes wrong has been logged where it did."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _IDLE
    # 1.0 has no chunks.
    protocol_version = "HTTP/1.1"
    server_version = "liqo-connectivity"
    sys_version = ""

    def setup(self) -> None:
        super().setup()
        assert isinstance(self.server, _Bounded)
        self._answer = self.server.answer
        # A byte now and then keeps within the time for each: the whole must end too.
        self._watchdog = threading.Timer(self.server.deadline, self._cut)
        self._watchdog.daemon = True
        self._watchdog.start()

    def finish(self) -> None:
        self._watchdog.cancel()
        super().finish()

    def _cut(self) -> None:
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            reply = self._answer(Request(path, headers))
        except Exception as error:  # noqa: BLE001  the server outlives what one request meets
            _LOG.error("Failed to answer a request", exc_info=error, extra=fields(path=path))
            reply = text_reply("internal error\n", HTTPStatus.INTERNAL_SERVER_ERROR)
        body: Iterable[bytes] = reply.body
        headers = {"Content-Type": reply.content_type, "X-Content-Type-Options": "nosniff", **reply.headers}
        if isinstance(body, tuple) or self.request_version == "HTTP/1.0":
            whole = b"".join(body)
            self._head(reply.status, {**headers, "Content-Length": str(len(whole))})
            self.wfile.write(whole)
            return
        self._head(reply.status, {**headers, "Transfer-Encoding": "chunked"})
        for part in body:
            if part:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def _refuse(self) -> None:
        self._head(HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET", "Content-Length": "0"})

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse  # noqa: N815  the names of the base class

    def _head(self, status: HTTPStatus, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        # One request for each connection, so that none lies idle; this ends it here too.
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name of the base class
        """Log no request: probes come every few seconds."""
