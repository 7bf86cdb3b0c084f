"""Requests to a server of the controller, and peers that hold it up, over real sockets."""

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPResponse
from typing import Self

from liqo_connectivity.operator.controller.serving.http_server import Server


@contextmanager
def serving(server: Server) -> Iterator[int]:
    """Run a server; its port."""
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


def get(
    port: int, path: str, method: str = "GET", host: str = "127.0.0.1", **headers: str
) -> tuple[int, str, HTTPResponse]:
    """Ask a server; its status, its text, and the whole response."""
    with closing(HTTPConnection(host, port, timeout=10)) as connection:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode(), response


class Crowd:
    """So many peers that each send ``first``, then a byte now and then; one that is cut connects again.

    ``rest`` is how many seconds they wait between two rounds of that.
    """

    def __init__(
        self, port: int, size: int, first: bytes = b"G", *, source: str = "127.0.0.1", rest: float = 0.0
    ) -> None:
        self.connected = 0
        """How often one of them has connected."""
        self._port = port
        self._size = size
        self._first = first
        self._source = source
        self._rest = rest
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            while not self._ends.wait(self._rest):
                with suppress(ConnectionError):
                    while len(selector.get_map()) < self._size:
                        selector.register(self._connect(), selectors.EVENT_READ)
                for key, _ in selector.select(0.02):
                    # Nothing is answered: it was cut.
                    selector.unregister(key.fileobj)
                    self._close(key.fileobj)
                for key in list(selector.get_map().values()):
                    with suppress(OSError):
                        self._socket(key.fileobj).send(b"E")
            for key in list(selector.get_map().values()):
                self._close(key.fileobj)

    def _connect(self) -> socket.socket:
        peer = socket.create_connection(("127.0.0.1", self._port), 5, (self._source, 0))
        peer.setblocking(False)
        with suppress(OSError):
            peer.send(self._first)
        self.connected += 1
        return peer

    def _close(self, peer: object) -> None:
        self._socket(peer).close()

    @staticmethod
    def _socket(peer: object) -> socket.socket:
        assert isinstance(peer, socket.socket)
        return peer
