"""The probes: what makes the controller alive and ready, and a server that no client can hold up."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse, IncompleteRead

import pytest

from liqo_connectivity.operator.controller.serving.http_server import Reply, Request, Server, text_reply
from liqo_connectivity.operator.controller.serving.metrics import Metrics
from liqo_connectivity.operator.controller.serving.probes import Health, HealthCheck, probes_server
from tests.support.waiting import eventually


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def serving(server: Server) -> Iterator[int]:
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


def get(port: int, path: str, method: str = "GET", host: str = "127.0.0.1") -> tuple[int, str, HTTPResponse]:
    connection = HTTPConnection(host, port, timeout=10)
    with closing(connection):
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read().decode(), response


# ---- Health ----


def test_a_loop_that_is_silent_for_too_long_is_dead() -> None:
    clock = Clock()
    ticked = 0.0
    health = Health(60, lambda: ticked, clock)
    clock.now = 60
    assert not any(health.live().values())
    clock.now = 61
    assert health.live() == {"loop": "silent for 61 s, more than 60 s"}
    ticked = 61.0
    assert not any(health.live().values())


def test_a_thread_that_ended_is_dead_and_one_that_is_not_synced_is_not() -> None:
    health = Health(60, time.monotonic)
    alive, unready = True, "not synced"
    health.add(HealthCheck("watch pods", lambda: alive, lambda: unready))
    assert not any(health.live().values())
    assert health.ready()["watch pods"] == "not synced"
    unready = ""
    assert not any(health.ready().values())
    alive = False
    assert health.live()["watch pods"] == "its thread has ended"


def test_a_draining_process_is_alive_and_not_ready() -> None:
    health = Health(60, time.monotonic)
    health.drain()
    assert not any(health.live().values())
    assert health.ready() == {"process": "draining"}


# ---- Over HTTP ----


def test_probes_answer_by_status_and_name_every_part() -> None:
    health = Health(60, time.monotonic)
    unready = "not synced"
    health.add(HealthCheck("watch pods", lambda: True, lambda: unready))
    with serving(probes_server("127.0.0.1", 0, health, Metrics().registry)) as port:
        assert get(port, "/healthz")[:2] == (200, "[+]loop ok\n[+]watch pods ok\n")
        assert get(port, "/readyz")[:2] == (503, "[+]process ok\n[-]watch pods: not synced\n")
        unready = ""
        assert get(port, "/readyz?verbose")[:2] == (200, "[+]process ok\n[+]watch pods ok\n")
        assert get(port, "/debug")[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_nothing_but_get_is_answered(method: str) -> None:
    with serving(probes_server("127.0.0.1", 0, Health(60, time.monotonic), Metrics().registry)) as port:
        assert get(port, "/healthz", method)[:2] == (405, "")


def test_metrics_are_served() -> None:
    metrics = Metrics()
    metrics.applies.labels("created").inc()
    with serving(probes_server("127.0.0.1", 0, Health(60, time.monotonic), metrics.registry)) as port:
        status, text, response = get(port, "/metrics")
    assert (status, response.headers.get_content_type()) == (200, "text/plain")
    assert 'liqo_connectivity_apply_total{result="created"} 1.0\n' in text


def test_all_addresses_of_both_families_are_served_without_a_host() -> None:
    with serving(Server("x", "", 0, lambda _: text_reply("ok"), deadline=5, slots=2)) as port:
        assert get(port, "/")[1] == "ok"
        if socket.has_dualstack_ipv6():
            assert get(port, "/", host="::1")[1] == "ok"


# ---- Clients that misbehave ----


def test_a_client_that_drips_is_cut_off_in_time() -> None:
    with (
        serving(Server("x", "127.0.0.1", 0, lambda _: text_reply("ok"), deadline=0.3, slots=1)) as port,
        socket.create_connection(("127.0.0.1", port)) as slow,
    ):
        slow.sendall(b"GET / HTTP/1.1\r\n")
        slow.settimeout(10)
        assert slow.recv(100) == b""
        eventually(lambda: _answers(port), 10)


def test_a_connection_is_refused_while_all_threads_are_taken() -> None:
    entered, leave = threading.Event(), threading.Event()

    def answer(request: Request) -> Reply:
        if request.path == "/wait":
            entered.set()
            leave.wait(10)
        return text_reply("ok")

    with serving(Server("x", "127.0.0.1", 0, answer, deadline=20, slots=1)) as port:
        waiting = threading.Thread(target=get, args=(port, "/wait"))
        waiting.start()
        assert entered.wait(10)
        assert not _answers(port)
        leave.set()
        waiting.join()
        eventually(lambda: _answers(port), 10)


def _answers(port: int) -> bool:
    try:
        return get(port, "/")[1] == "ok"
    except OSError:
        return False


def test_a_fault_while_answering_ends_neither_server_nor_silence(caplog: pytest.LogCaptureFixture) -> None:
    def answer(request: Request) -> Reply:
        raise ValueError(request.path)

    with serving(Server("x", "127.0.0.1", 0, answer, deadline=5, slots=2)) as port:
        assert [get(port, "/a")[0], get(port, "/b")[0]] == [500, 500]
    assert caplog.messages == ["Failed to answer a request"] * 2


@pytest.mark.parametrize(
    "sent",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n"],
)
def test_what_is_not_http_is_survived(sent: bytes) -> None:
    with serving(Server("x", "127.0.0.1", 0, lambda _: text_reply("ok"), deadline=5, slots=2)) as port:
        with socket.create_connection(("127.0.0.1", port)) as stranger:
            stranger.sendall(sent)
            stranger.settimeout(10)
            while stranger.recv(4096):
                pass
        eventually(lambda: _answers(port), 10)


def test_a_body_that_is_made_while_it_is_sent_is_whole_or_seen_to_be_broken() -> None:
    def answer(request: Request) -> Reply:
        def parts() -> Iterator[bytes]:
            yield b"one "
            if request.path == "/broken":
                raise ValueError("in the middle")
            yield b""
            yield b"two"

        return Reply(parts())

    with serving(Server("x", "127.0.0.1", 0, answer, deadline=5, slots=2)) as port:
        assert get(port, "/whole")[1] == "one two"
        with pytest.raises(IncompleteRead):
            get(port, "/broken")
        with socket.create_connection(("127.0.0.1", port)) as old:
            old.sendall(b"GET /whole HTTP/1.0\r\n\r\n")
            old.settimeout(10)
            text = b"".join(iter(lambda: old.recv(100), b""))
        assert b"Content-Length: 7" in text
        assert text.endswith(b"one two")


def test_a_port_that_is_taken_is_an_error() -> None:
    with (
        serving(probes_server("127.0.0.1", 0, Health(60, time.monotonic), Metrics().registry)) as port,
        pytest.raises(OSError, match="in use"),
    ):
        probes_server("127.0.0.1", port, Health(60, time.monotonic), Metrics().registry)
