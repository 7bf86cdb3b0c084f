"""A small HTTP server for GET requests that anyone may send: bounded in connections, in time and in what it reads.

One thread serves every connection, so one that sends or reads slowly, or nothing at all, keeps no other waiting. When too
many are open, the longest open one of the peer that holds most of them is cut.
"""

import asyncio
import logging
import re
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException, parse_headers
from io import BytesIO
from threading import Event, Thread
from typing import Any, Final

from liqo_connectivity.operator.controller.logs import fields

_LOG: Final = logging.getLogger(__name__)
_HEAD_SECONDS: Final = 5.0
"""Seconds from the connection to the end of the request's head: a probe sends it at once."""
_HEAD_BYTES: Final = 1 << 14
"""Bytes of a request's head; those of a scrape have a few hundred."""
_BACKLOG: Final = 128
"""Connections that the kernel holds until they are accepted, and how many are accepted at once."""
_STOPPING: Final = 1.0
"""Seconds that ``stop`` waits for the thread."""
_TEXT: Final = "text/plain; charset=utf-8"
_LINE: Final = re.compile(rb"([A-Z]+) ([!-~]+) HTTP/1\.([01])\r\n")


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


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of a server: seconds for a request altogether, open connections, and replies under way.

    A request that comes while ``replies`` are under way is answered with 503.
    """

    deadline: float
    connections: int
    replies: int


def _nothing() -> None:
    pass


class Server:
    """Serves one function on one address until it is stopped. Raises OSError if the address is not available.

    An empty ``host`` means all addresses of both families. The thread of the server calls ``answer``, for one request at a
    time, and takes the parts of its body; it calls ``cut`` for every connection that it cuts because too many are open.
    """

    def __init__(
        self,
        name: str,
        host: str,
        port: int,
        answer: Callable[[Request], Reply],
        limits: Limits,
        *,
        cut: Callable[[], None] = _nothing,
    ) -> None:
        self._listener = _listen(host, port)
        self._answer = answer
        self._limits = limits
        self._cut = cut
        # The address of each peer by the task that serves it, the longest open connection first. The thread's own.
        self._open: dict[asyncio.Task[Any], str] = {}
        self._replies = 0
        self._serving = Event()
        self._stop: Callable[[], object] = _nothing
        self._thread = Thread(target=self._run, name=name, daemon=True)

    @property
    def port(self) -> int:
        """The port that the server listens on: the given one, or a free one if that was 0."""
        return int(self._listener.getsockname()[1])

    @property
    def alive(self) -> bool:
        """Whether requests are accepted."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread, and wait until it serves."""
        self._thread.start()
        self._serving.wait()

    def stop(self) -> None:
        """Accept no more requests, cut those under way, and close."""
        if self._thread.is_alive():
            self._stop()
            # An answer under way may take its time; the process need not wait for it.
            self._thread.join(_STOPPING)
        self._listener.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            # Whatever ended the thread, nobody waits for it to begin.
            self._serving.set()

    async def _serve(self) -> None:
        loop, stopping = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, sock=self._listener, limit=_HEAD_BYTES, backlog=_BACKLOG)
        self._stop = lambda: loop.call_soon_threadsafe(stopping.set)
        self._serving.set()
        await stopping.wait()
        # asyncio accepts in tasks, and when the server closes, it leaves open what they have not passed on.
        loop.remove_reader(self._listener)
        while asyncio.all_tasks() - self._open.keys() - {asyncio.current_task()}:
            await asyncio.sleep(0)
        server.close()

    # ---- One connection ----

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection in a task, and close it when the task ends, even if it is cancelled before it begins."""
        task = asyncio.create_task(self._serve_peer(reader, writer))
        peer = writer.get_extra_info("peername")
        self._open[task] = str(peer[0]) if peer else ""
        task.add_done_callback(lambda _: self._ended(task, writer))
        self._make_room()

    def _ended(self, task: asyncio.Task[Any], writer: asyncio.StreamWriter) -> None:
        self._open.pop(task, None)
        writer.transport.abort()

    async def _serve_peer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(self._limits.deadline):
                await self._exchange(reader, writer)
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            # The peer is slow or gone, or was cut: there is nobody to tell.
            return

    def _make_room(self) -> None:
        """Cut a connection if too many are open."""
        if len(self._open) <= self._limits.connections:
            return
        held = Counter(self._open.values())
        # Of several the first, which is open longest. A peer that connects again and again cuts only its own.
        chosen = max(self._open, key=lambda task: held[self._open[task]])
        del self._open[chosen]
        chosen.cancel()
        self._cut()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_HEAD_SECONDS):
                request, chunked = await _read_head(reader)
        except _RefusedError as error:
            writer.write(_head(error.status, {**error.headers, "Content-Length": "0"}))
        else:
            self._replies += 1
            try:
                await self._reply(request, writer, chunked=chunked)
            finally:
                self._replies -= 1
        # Sends what is left, and ends the one request that a connection is for.
        writer.close()
        await writer.wait_closed()

    async def _reply(self, request: Request, writer: asyncio.StreamWriter, *, chunked: bool) -> None:
        reply = self._answered(request)
        headers = {"Content-Type": reply.content_type, "X-Content-Type-Options": "nosniff", **reply.headers}
        if isinstance(reply.body, tuple) or not chunked:
            whole = b"".join(reply.body)
            writer.write(_head(reply.status, {**headers, "Content-Length": str(len(whole))}) + whole)
            await writer.drain()
            return
        writer.write(_head(reply.status, {**headers, "Transfer-Encoding": "chunked"}))
        try:
            for part in reply.body:
                if part:
                    writer.write(b"%x\r\n%b\r\n" % (len(part), part))
                await writer.drain()
                # A peer that reads as fast as parts are made would keep all others waiting.
                await asyncio.sleep(0)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001  the server outlives what one request meets
            _log_failure(request, error)
            # Without the last chunk the peer sees that something is missing.
            raise ConnectionAbortedError from None
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    def _answered(self, request: Request) -> Reply:
        if self._replies > self._limits.replies:
            return text_reply("too many requests at once\n", HTTPStatus.SERVICE_UNAVAILABLE)
        try:
            return self._answer(request)
        except Exception as error:  # noqa: BLE001  the server outlives what one request meets
            _log_failure(request, error)
            return text_reply("internal error\n", HTTPStatus.INTERNAL_SERVER_ERROR)


def _log_failure(request: Request, error: Exception) -> None:
    _LOG.error("Failed to answer a request", exc_info=error, extra=fields(path=request.path))


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


# ---- HTTP/1 ----


class _RefusedError(Exception):
    """A request that is not answered, only refused."""

    def __init__(self, status: HTTPStatus, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers or {}


async def _read_head(reader: asyncio.StreamReader) -> tuple[Request, bool]:
    """Read the head of a request; the request, and whether its reply may come in chunks. Raises _RefusedError."""
    try:
        found = _LINE.fullmatch(await reader.readuntil(b"\r\n"))
        if found is None:
            raise _RefusedError(HTTPStatus.BAD_REQUEST)
        lines = b""
        while not lines.endswith(b"\r\n\r\n") and lines != b"\r\n":
            lines += await reader.readuntil(b"\r\n")
            if len(lines) > _HEAD_BYTES:
                raise _RefusedError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        headers = parse_headers(BytesIO(lines))
    except (asyncio.LimitOverrunError, HTTPException):
        raise _RefusedError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from None
    method, target, minor = found.groups()
    if method != b"GET":
        raise _RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET"})
    path = target.decode("ascii").partition("?")[0]
    # 1.0 has no chunks.
    # A header that was folded is one line here, and in no reply two.
    return Request(path, {name.lower(): " ".join(value.split()) for name, value in headers.items()}), minor != b"0"


def _head(status: HTTPStatus, headers: Mapping[str, str]) -> bytes:
    """The head of a reply, the only one of its connection."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    text = "\r\n".join([f"HTTP/1.1 {status.value} {status.phrase}", *lines, "Connection: close", "", ""])
    return text.encode("latin-1", "replace")
