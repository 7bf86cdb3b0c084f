"""Streams of the API client end when they are told to, and its credentials are those of the place where it runs."""

import ssl
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import trustme
from kubernetes.config import incluster_config

from liqo_connectivity.operator.kube.connection import NotConfigured, connect
from liqo_connectivity.operator.kube.errors import (
    ApiError,
    Gone,
    Silent,
    Unreachable,
)
from liqo_connectivity.operator.kube.rest_client import RestClient
from tests.support.scripted_api import Exchange, ScriptedApi, answer_ok, scripted_api
from tests.support.waiting import pause

# ---- Streams ----

PATH = "/apis/networking.liqo.io/v1beta1/firewallconfigurations"


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
