"""Requests to the API server: what is sent, what every answer becomes, and that no call outlives its deadline."""

import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from kubernetes.config import incluster_config

from liqo_connectivity.operator.kube.connection import NotConfigured, connect
from liqo_connectivity.operator.kube.errors import (
    ApiError,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    NotLeading,
    Refused,
    ServerFault,
    Silent,
    Throttled,
    Unreachable,
)
from liqo_connectivity.operator.kube.rest_client import RestClient
from tests.support.scripted_api import Exchange, ScriptedApi, scripted_api
from tests.support.waiting import pause

PATH = "/apis/networking.liqo.io/v1beta1/namespaces/liqo-tenant-milan/firewallconfigurations/milan-connectivity"

Call = Callable[[], object]


def answer_ok(exchange: Exchange) -> None:
    exchange.json(200, {"kind": "Thing", "metadata": {"name": "é"}})


def test_what_every_write_sends(tmp_path: Path) -> None:
    with scripted_api(answer_ok) as server:
        api = RestClient(server.client(tmp_path))
        assert api.apply(PATH, {"spec": {"é": 1}}, force=True) == {"kind": "Thing", "metadata": {"name": "é"}}
        api.apply(f"{PATH}/status", {"status": {}}, force=False, partial=True)
        api.create(PATH, {"a": 1})
        api.replace(PATH, {"b": 2})
        api.delete(PATH, uid="u1", resource_version="7")
        api.delete(PATH, uid="u1")
    applied, status, created, replaced, deleted, deleted_any = server.requests
    strict = {"fieldManager": "liqo-connectivity-engine", "fieldValidation": "Strict"}
    assert (applied.method, applied.path, applied.body) == ("PATCH", PATH, {"spec": {"é": 1}})
    assert applied.query == strict | {"force": "true"}
    assert applied.headers["Content-Type"] == "application/apply-patch+yaml"
    assert applied.headers["Accept"] == "application/json"
    assert (status.path, status.query["force"]) == (f"{PATH}/status", "false")
    assert status.headers["Accept"] == "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    assert (created.method, created.query, created.body) == ("POST", strict, {"a": 1})
    assert created.headers["Content-Type"] == "application/json"
    assert (replaced.method, replaced.query, replaced.body) == ("PUT", strict, {"b": 2})
    assert deleted.body is not None
    assert deleted_any.body is not None
    assert deleted.body["preconditions"] == {"uid": "u1", "resourceVersion": "7"}
    assert deleted_any.body["preconditions"] == {"uid": "u1"}


def test_every_request_carries_the_token_and_the_name_of_the_program(tmp_path: Path) -> None:
    with scripted_api(answer_ok) as server:
        api = RestClient(server.client(tmp_path))
        api.get("/api/v1/pods", [("limit", "5"), ("labelSelector", "a=b,c")])
        api.create(PATH, {})
    for request in server.requests:
        assert request.headers["Authorization"] == "Bearer secret"
        assert request.headers["User-Agent"].startswith("liqo-connectivity-engine/")
    assert server.requests[0].query == {"limit": "5", "labelSelector": "a=b,c"}


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (400, Invalid),
        (401, Forbidden),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (410, Gone),
        (413, Invalid),
        (418, Refused),
        (422, Invalid),
        (429, Throttled),
        (500, ServerFault),
        (503, Throttled),
        (504, ServerFault),
    ],
)
def test_what_a_refusal_becomes(tmp_path: Path, code: int, error: type[Refused]) -> None:
    def refuse(exchange: Exchange) -> None:
        exchange.status(code, "Because", "it is so")

    with scripted_api(refuse) as server, pytest.raises(Refused) as caught:
        RestClient(server.client(tmp_path)).get("/api/v1/pods")
    assert type(caught.value) is error
    assert (caught.value.status, caught.value.reason, caught.value.message) == (code, "Because", "it is so")
    assert caught.value.retry_after == 0
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("header", "body", "seconds"),
    [
        ("7", {}, 7.0),
        ("", {"details": {"retryAfterSeconds": 3}}, 3.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", {}, 0.0),
        ("-1", {}, 0.0),
        ("", {"details": {"retryAfterSeconds": "soon"}}, 0.0),
    ],
)
@pytest.mark.parametrize("method", ["get", "delete"])
def test_retry_after_is_read_and_left_to_the_caller(
    tmp_path: Path, header: str, body: dict[str, Any], seconds: float, method: str
) -> None:
    def throttle(exchange: Exchange) -> None:
        exchange.json(429, body, **({"Retry-After": header} if header else {}))

    with scripted_api(throttle) as server:
        api = RestClient(server.client(tmp_path))
        with pytest.raises(Throttled) as caught:
            _ = api.get(PATH) if method == "get" else api.delete(PATH, uid="u")
    assert caught.value.retry_after == seconds
    assert str(caught.value) == "the API server answered 429 Too Many Requests"
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", [b"not json", b"[]", b'"text"', b""])
def test_an_answer_that_is_no_object_is_no_answer(tmp_path: Path, body: bytes) -> None:
    with scripted_api(lambda exchange: exchange.text(200, body)) as server, pytest.raises(Unreachable, match="answer"):
        RestClient(server.client(tmp_path)).get(PATH)


def test_a_refusal_that_is_no_status_keeps_its_code(tmp_path: Path) -> None:
    said = "the API server answered 502 Bad Gateway"
    with (
        scripted_api(lambda exchange: exchange.text(502, b"<html>")) as server,
        pytest.raises(ServerFault, match=said),
    ):
        RestClient(server.client(tmp_path)).get(PATH)


def test_a_write_whose_answer_is_lost_is_not_sent_again(tmp_path: Path) -> None:
    with scripted_api(Exchange.drop) as server:
        api = RestClient(server.client(tmp_path))
        with pytest.raises(Unreachable):
            api.delete(PATH, uid="u")
        with pytest.raises(Unreachable):
            api.replace(PATH, {})
        with pytest.raises(Unreachable):
            api.get(PATH)
    assert [request.method for request in server.requests] == ["DELETE", "PUT", "GET"]


def hang_before_the_answer(exchange: Exchange) -> None:
    exchange.hang()


def hang_in_the_answer(exchange: Exchange) -> None:
    exchange.begin()
    exchange.chunk(b'{"a":')
    exchange.hang()


def drip(exchange: Exchange) -> None:
    exchange.begin()
    while not exchange.closing.wait(0.02):
        exchange.chunk(b" ")


@pytest.mark.parametrize("script", [hang_before_the_answer, hang_in_the_answer, drip])
def test_no_call_outlives_its_deadline(tmp_path: Path, script: Any) -> None:
    with scripted_api(script) as server:
        api = RestClient(server.client(tmp_path), deadline=0.2)
        calls: tuple[Call, ...] = (
            lambda: api.get(PATH),
            lambda: api.create(PATH, {}),
            lambda: api.apply(PATH, {}, force=True),
        )
        for call in calls:
            begin = time.monotonic()
            with pytest.raises(Unreachable):
                call()
            assert time.monotonic() - begin < 5


def test_a_server_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    with scripted_api(answer_ok) as server:
        client = server.client(tmp_path)
    with pytest.raises(Unreachable, match=f"GET {PATH}: .*"):
        RestClient(client).get(PATH)


def test_a_write_is_not_sent_while_the_fence_is_down(tmp_path: Path) -> None:
    leading = False
    with scripted_api(answer_ok) as server:
        api = RestClient(server.client(tmp_path), fence=lambda: leading)
        writes: tuple[Call, ...] = (
            lambda: api.apply(PATH, {}, force=True),
            lambda: api.create(PATH, {}),
            lambda: api.replace(PATH, {}),
            lambda: api.delete(PATH, uid="u"),
        )
        for write in writes:
            with pytest.raises(NotLeading, match="does not lead"):
                write()
        assert server.requests == []
        api.get(PATH)
        leading = True
        for write in writes:
            write()
        assert len(server.requests) == 5


def test_every_request_is_observed(tmp_path: Path) -> None:
    seen: list[tuple[str, str, str, float]] = []
    with scripted_api(answer_ok) as server:
        api = RestClient(server.client(tmp_path), deadline=0.3, observe=lambda *told: seen.append(told))
        api.get(PATH)
        server.script = lambda exchange: exchange.status(409)
        with pytest.raises(Conflict):
            api.apply(PATH, {}, force=False)
        server.script = Exchange.hang
        with pytest.raises(Unreachable):
            api.get(PATH)
    host = server.url.removeprefix("http://")
    assert [told[:3] for told in seen] == [("GET", host, "200"), ("PATCH", host, "409"), ("GET", host, "<error>")]
    assert 0 <= seen[0][3] < 5
    assert 0.2 < seen[2][3] < 5


def test_a_connection_serves_many_requests(tmp_path: Path) -> None:
    ports: set[str] = set()

    def count(exchange: Exchange) -> None:
        ports.add(str(exchange._handler.client_address))
        if exchange.request.query.get("fail"):
            exchange.status(404)
        else:
            exchange.json(200, {})

    with scripted_api(count) as server:
        api = RestClient(server.client(tmp_path))
        for index in range(20):
            try:
                api.get(PATH, [("fail", "1")] if index % 2 else [])
            except NotFound:
                continue
    assert len(server.requests) == 20
    assert len(ports) == 1


# ---- Streams ----


def send_three_and_wait(exchange: Exchange) -> None:
    exchange.begin()
    for part in (b"one\n", b"two\n", b"three\n"):
        exchange.chunk(part)
    exchange.hang()


def end_at_once(exchange: Exchange) -> None:
    exchange.begin()
    exchange.chunk(b"one\n")
    exchange.end()


def test_a_stream_gives_what_is_there_without_waiting_for_more(tmp_path: Path) -> None:
    with scripted_api(send_three_and_wait) as server:
        got = b""
        with RestClient(server.client(tmp_path)).stream(PATH, silence=30) as stream:
            for chunk in stream:
                got += chunk
                if got == b"one\ntwo\nthree\n":
                    break


def test_a_stream_that_the_server_ends_just_ends(tmp_path: Path) -> None:
    with scripted_api(end_at_once) as server, RestClient(server.client(tmp_path)).stream(PATH, silence=30) as stream:
        assert b"".join(stream) == b"one\n"


def test_a_stream_that_is_refused_raises(tmp_path: Path) -> None:
    with scripted_api(lambda exchange: exchange.status(410, "Expired")) as server, pytest.raises(Gone):
        RestClient(server.client(tmp_path)).stream(PATH, silence=30)


def test_a_stream_that_breaks_off_or_is_silent_is_unreachable(tmp_path: Path) -> None:
    def break_off(exchange: Exchange) -> None:
        exchange.begin()
        exchange.chunk(b"one\n")
        exchange.drop()

    with scripted_api(break_off) as server:
        api = RestClient(server.client(tmp_path))
        with api.stream(PATH, silence=30) as stream, pytest.raises(Unreachable, match="broke off"):
            list(stream)
        server.script = send_three_and_wait
        with api.stream(PATH, silence=0.2) as stream, pytest.raises(Silent):
            list(stream)


def read_until_stopped(server: ScriptedApi, api: RestClient) -> float:
    """Seconds between the stop and the end of the reader."""
    with api.stream(PATH, silence=60) as stream:
        ended: list[float] = []

        def read() -> None:
            try:
                for _ in stream:
                    pass
            except ApiError:
                pass
            ended.append(time.monotonic())

        reader = threading.Thread(target=read)
        reader.start()
        pause(0.2)
        assert not ended
        begin = time.monotonic()
        stream.stop()
        reader.join(10)
        stream.stop()
        return ended[0] - begin


def test_stop_wakes_a_blocked_reader(tmp_path: Path) -> None:
    with scripted_api(send_three_and_wait) as server:
        assert read_until_stopped(server, RestClient(server.client(tmp_path))) < 2


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def tls_of(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


def test_stop_wakes_a_blocked_reader_of_tls_too(tmp_path: Path, authority: trustme.CA) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with scripted_api(send_three_and_wait, tls_of(authority)) as server:
        assert read_until_stopped(server, RestClient(server.client(tmp_path, str(tmp_path / "ca.pem")))) < 2


# ---- Credentials ----


def test_a_certificate_of_a_stranger_is_refused(tmp_path: Path, authority: trustme.CA) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with scripted_api(answer_ok, tls_of(authority)) as server:
        with pytest.raises(Unreachable, match="certificate"):
            RestClient(server.client(tmp_path, str(tmp_path / "ca.pem"))).get(PATH)
        assert server.requests == []


def test_a_pod_uses_its_service_account_and_its_newest_token(
    tmp_path: Path, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    token = tmp_path / "token"
    token.write_text("first")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    with scripted_api(answer_ok, tls_of(authority)) as server:
        host, _, port = server.url.removeprefix("https://").partition(":")
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
        client = connect()
        api = RestClient(client)
        api.get(PATH)
        token.write_text("second")
        hook: Any = client.configuration.refresh_api_key_hook
        loader = hook.__closure__[0].cell_contents
        loader.token_expires_at = loader.token_expires_at.min
        api.get(PATH)
        token.write_text("")
        loader.token_expires_at = loader.token_expires_at.min
        with pytest.raises(Unreachable, match="Token file"):
            api.get(PATH)
    assert [request.headers["Authorization"] for request in server.requests] == ["bearer first", "bearer second"]


def test_a_kubeconfig_that_is_named_wins_over_the_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "192.0.2.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with scripted_api(answer_ok) as server:
        assert RestClient(server.client(tmp_path)).get(PATH)


def test_no_cluster_is_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(NotConfigured, match="name a cluster with --kubeconfig"):
        connect(str(tmp_path / "none"))
