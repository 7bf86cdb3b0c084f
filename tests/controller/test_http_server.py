"""A server that no peer can hold up, however many there are, however slowly they send or read."""

import gc
import socket
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import IncompleteRead

import pytest

from liqo_connectivity.operator.controller.serving.http_server import Limits, Reply, Request, Server, text_reply
from liqo_connectivity.operator.controller.serving.metrics import Metrics
from liqo_connectivity.operator.controller.serving.probes import Health, probes_server
from tests.support.http import Crowd, get, serving
from tests.support.waiting import eventually

ROOMY = Limits(deadline=20, connections=8, replies=8)


def server(limits: Limits = ROOMY) -> Server:
    return Server("x", "127.0.0.1", 0, lambda _: text_reply("ok"), limits)


def answers(port: int, path: str = "/") -> bool:
    try:
        return get(port, path)[0] == 200
    except OSError:
        return False


def is_cut(peer: socket.socket) -> bool:
    peer.settimeout(10)
    try:
        return peer.recv(100) == b""
    except ConnectionResetError:
        return True


# ---- Peers that are slow ----


@pytest.mark.parametrize(
    ("first", "source", "rest"),
    [
        (b"", "127.0.0.1", 0.02),
        (b"G", "127.0.0.1", 0.02),
        (b"GET /healthz HTTP/1.1\r\n", "127.0.0.2", 0.0),
    ],
)
def test_probes_are_answered_whatever_else_connects(first: bytes, source: str, rest: float) -> None:
    metrics = Metrics()
    with serving(probes_server("127.0.0.1", 0, Health(60, time.monotonic), metrics)) as port:
        # More than any bound, and each of them comes back. Another host may do so as fast as it can.
        with Crowd(port, 300, first, source=source, rest=rest) as crowd:
            eventually(lambda: crowd.connected > 600)
            for _ in range(20):
                assert get(port, "/healthz")[:2] == (200, "[+]loop ok\n")
                assert get(port, "/readyz")[0] == 200
        cut = metrics.registry.get_sample_value("liqo_connectivity_cut_connections_total", {"server": "probes"})
        assert cut is not None
        assert cut > 100


def test_a_crowd_pushes_out_only_its_own() -> None:
    with (
        serving(server(Limits(deadline=20, connections=4, replies=4))) as port,
        socket.create_connection(("127.0.0.1", port)) as patient,
        Crowd(port, 20, source="127.0.0.2") as crowd,
    ):
        eventually(lambda: crowd.connected > 100)
        patient.sendall(b"GET / HTTP/1.1\r\n\r\n")
        patient.settimeout(10)
        assert patient.recv(12) == b"HTTP/1.1 200"


def test_of_one_peer_the_longest_open_connection_is_cut() -> None:
    with serving(server(Limits(deadline=20, connections=2, replies=2))) as port:
        first, second = (socket.create_connection(("127.0.0.1", port)) for _ in range(2))
        with first, second:
            second.sendall(b"GET / HTTP/1.1\r\n")
            assert answers(port)
            assert is_cut(first)
            second.sendall(b"\r\n")
            second.settimeout(10)
            assert second.recv(12) == b"HTTP/1.1 200"


def test_a_server_that_stops_closes_what_it_has_only_just_accepted() -> None:
    with warnings.catch_warnings(record=True) as unclosed, ExitStack() as peers:
        warnings.simplefilter("always")
        for _ in range(40):
            with serving(server(Limits(deadline=20, connections=64, replies=8))) as port:
                for _ in range(8):
                    peers.enter_context(socket.create_connection(("127.0.0.1", port)))
        gc.collect()
    assert [str(one.message) for one in unclosed] == []


def test_a_peer_that_drips_is_cut_in_time() -> None:
    with (
        serving(server(Limits(deadline=0.3, connections=8, replies=8))) as port,
        socket.create_connection(("127.0.0.1", port)) as slow,
    ):
        slow.sendall(b"GET / HTTP/1.1\r\n")
        assert is_cut(slow)


def test_peers_that_read_nothing_keep_nobody_waiting() -> None:
    large = b"x" * (8 << 20)

    def answer(request: Request) -> Reply:
        return Reply((large,)) if request.path == "/large" else text_reply("ok")

    with (
        serving(Server("x", "127.0.0.1", 0, answer, Limits(deadline=20, connections=4, replies=4))) as port,
        ExitStack() as readers,
    ):
        for _ in range(8):
            reader = readers.enter_context(socket.create_connection(("127.0.0.1", port)))
            reader.sendall(b"GET /large HTTP/1.1\r\n\r\n")
            assert get(port, "/")[1] == "ok"


def test_a_reply_that_is_made_while_it_is_read_keeps_nobody_waiting() -> None:
    made = 0

    def parts() -> Iterator[bytes]:
        nonlocal made
        while True:
            made += 1
            yield b"x" * 1000

    def answer(request: Request) -> Reply:
        return Reply(parts()) if request.path == "/endless" else text_reply("ok")

    with (
        serving(Server("x", "127.0.0.1", 0, answer, ROOMY)) as port,
        socket.create_connection(("127.0.0.1", port)) as fast,
    ):
        fast.sendall(b"GET /endless HTTP/1.1\r\n\r\n")
        fast.settimeout(10)
        while made < 100:
            assert fast.recv(1 << 20)
        assert get(port, "/")[1] == "ok"


def test_a_reply_too_many_is_refused_until_another_is_sent() -> None:
    large = b"x" * (16 << 20)

    def answer(request: Request) -> Reply:
        return Reply((large,)) if request.path == "/large" else text_reply("ok")

    with serving(Server("x", "127.0.0.1", 0, answer, Limits(deadline=20, connections=8, replies=1))) as port:
        with socket.create_connection(("127.0.0.1", port)) as reader:
            reader.sendall(b"GET /large HTTP/1.1\r\n\r\n")
            reader.settimeout(10)
            assert reader.recv(12) == b"HTTP/1.1 200"
            assert get(port, "/")[:2] == (503, "too many requests at once\n")
        eventually(lambda: answers(port), 10)


# ---- What is no request ----


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n", b"400"),
        (b"GET\r\n\r\n", b"400"),
        (b"GET / HTTP/2.0\r\n\r\n", b"400"),
        (b"get / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /\x80 HTTP/1.1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", b"405"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\n" + b"a: " + b"b" * 20_000, b"431"),
        (b"GET / HTTP/1.1\r\n" + (b"a: " + b"b" * 1000 + b"\r\n") * 20, b"431"),
        (b"G" * 40_000, b"431"),
    ],
)
def test_what_is_no_request_is_refused_at_once(sent: bytes, status: bytes) -> None:
    with serving(server()) as port:
        with socket.create_connection(("127.0.0.1", port)) as stranger:
            stranger.sendall(sent)
            stranger.settimeout(3)
            assert stranger.recv(12) == b"HTTP/1.1 " + status
        assert answers(port)


def test_headers_are_read_whatever_their_case_and_a_folded_one_is_one_line() -> None:
    seen: list[Request] = []

    def answer(request: Request) -> Reply:
        seen.append(request)
        return Reply((b"",), headers={"Echo": request.headers["accept"]})

    with (
        serving(Server("x", "127.0.0.1", 0, answer, ROOMY)) as port,
        socket.create_connection(("127.0.0.1", port)) as peer,
    ):
        peer.sendall(b"GET /a?b=c HTTP/1.1\r\nACCEPT: one\r\n Injected: two\r\nhost: h\xe9\r\n\r\n")
        peer.settimeout(10)
        text = b"".join(iter(lambda: peer.recv(1000), b""))
    assert [(request.path, request.headers) for request in seen] == [
        ("/a", {"accept": "one Injected: two", "host": "hé"})
    ]
    assert b"\r\nEcho: one Injected: two\r\n" in text


# ---- What goes wrong while answering ----


def test_a_fault_while_answering_ends_neither_server_nor_silence(caplog: pytest.LogCaptureFixture) -> None:
    def answer(request: Request) -> Reply:
        raise ValueError(request.path)

    with serving(Server("x", "127.0.0.1", 0, answer, ROOMY)) as port:
        assert [get(port, "/a")[0], get(port, "/b")[0]] == [500, 500]
    assert caplog.messages == ["Failed to answer a request"] * 2


def test_a_body_that_is_made_while_it_is_sent_is_whole_or_seen_to_be_broken(caplog: pytest.LogCaptureFixture) -> None:
    def answer(request: Request) -> Reply:
        def parts() -> Iterator[bytes]:
            yield b"one "
            if request.path == "/broken":
                raise ValueError("in the middle")
            yield b""
            yield b"two"

        return Reply(parts())

    with serving(Server("x", "127.0.0.1", 0, answer, ROOMY)) as port:
        assert get(port, "/whole")[1] == "one two"
        with pytest.raises((IncompleteRead, ConnectionResetError)):
            get(port, "/broken")
        assert caplog.messages == ["Failed to answer a request"]
        with socket.create_connection(("127.0.0.1", port)) as old:
            old.sendall(b"GET /whole HTTP/1.0\r\n\r\n")
            old.settimeout(10)
            text = b"".join(iter(lambda: old.recv(100), b""))
    assert b"Content-Length: 7" in text
    assert text.endswith(b"one two")


def test_a_server_stops_while_peers_are_connected() -> None:
    running = server()
    with serving(running) as port, socket.create_connection(("127.0.0.1", port)) as idle:
        assert answers(port)
        running.stop()
        assert not running.alive
        assert is_cut(idle)
        assert not answers(port)
