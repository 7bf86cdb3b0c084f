"""Requests to the API server: what is sent, what every answer becomes, and that no call outlives its deadline."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from liqo_connectivity.operator.kube.errors import (
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    NotLeading,
    Refused,
    ServerFault,
    Throttled,
    Unreachable,
)
from liqo_connectivity.operator.kube.rest_client import RestClient
from tests.support.scripted_api import Exchange, answer_ok, scripted_api

PATH = "/apis/networking.liqo.io/v1beta1/namespaces/liqo-tenant-milan/firewallconfigurations/milan-connectivity"
Call = Callable[[], object]


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
