"""No part of a credential is in a message or a log, whatever its form and whatever goes wrong with it."""

import base64
import logging
import ssl
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme
from kubernetes.client.configuration import Configuration
from kubernetes.config import incluster_config

from liqo_connectivity.operator.cli import run
from liqo_connectivity.operator.kube.connection import NotConfigured, connect
from liqo_connectivity.operator.kube.errors import ApiError, Unreachable
from liqo_connectivity.operator.kube.rest_client import RestClient
from tests.support.credentials import ENCODED, SECRET, is_clean, kubeconfig, users
from tests.support.kubeconfigs import free_port
from tests.support.scripted_api import ScriptedApi, answer_ok, scripted_api

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def servers() -> Iterator[Mapping[str, ScriptedApi]]:
    """Servers that refuse connections, have a certificate of a stranger, refuse credentials, and answer."""
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    with (
        scripted_api(answer_ok, tls) as strange,
        scripted_api(lambda exchange: exchange.status(401, "Unauthorized")) as refusing,
        scripted_api(answer_ok) as ok,
    ):
        gone = ScriptedApi(f"http://127.0.0.1:{free_port()}", answer_ok)
        yield {"gone": gone, "strange": strange, "refusing": refusing, "ok": ok}


def faults(path: Path) -> list[str]:
    """Connect as a kubeconfig says and ask for something; what was raised, with its traceback."""
    found: list[str] = []
    try:
        RestClient(connect(str(path)), deadline=2).get("/api/v1/pods")
    except (NotConfigured, ApiError) as error:
        found += [str(error), repr(error), *traceback.format_exception(error)]
    return found


FORMS = (
    *("token", "token-line-end", "token-control", "token-two-lines", "token-not-latin"),
    *("token-file", "token-file-two-lines", "token-file-bytes", "token-file-gone"),
    *("basic", "basic-control", "basic-not-latin", "basic-number", "key-data", "key-data-not-base64"),
    *("exec-token", "exec-token-control", "exec-key", "exec-half-a-key", "exec-fails", "exec-garbage"),
    *("exec-other-version", "exec-no-status", "exec-text-status", "exec-odd-expiry", "exec-missing"),
    *("gcp", "gcp-no-command", "oidc", "oidc-no-issuer"),
)
SENT = {
    "token": f"Bearer {SECRET}",
    "token-line-end": f"Bearer {SECRET}",
    "token-file": f"Bearer {SECRET}",
    "exec-token": f"Bearer {SECRET}",
    "basic": f"Basic {ENCODED}",
    # In base64, any text can be sent.
    "basic-control": "Basic " + base64.b64encode(f"user\n{SECRET}:{SECRET}".encode()).decode(),
}
ANONYMOUS = ("key-data", "key-data-not-base64", "exec-key")
"""Forms without a header."""


@pytest.mark.parametrize("form", FORMS)
def test_no_error_and_no_log_holds_a_credential(
    form: str, servers: Mapping[str, ScriptedApi], tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: Captured
) -> None:
    caplog.set_level(logging.DEBUG)
    user = users(tmp_path)[form]
    servers["ok"].requests.clear()
    for name, server in servers.items():
        found = faults(kubeconfig(tmp_path, user, {"server": server.url}))
        assert found or name == "ok"
        assert is_clean("\n".join(found))
    sent = {request.headers.get("Authorization") for request in servers["ok"].requests}
    assert sent == ({SENT[form]} if form in SENT else {None} if form in ANONYMOUS else set())
    said = capfd.readouterr()
    assert is_clean(caplog.text + said.out + said.err)


def test_every_form_is_tried(tmp_path: Path) -> None:
    assert set(FORMS) == set(users(tmp_path))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        SECRET,
        f"users: {SECRET}",
        f"users: [{SECRET}]",
        f"users: [{{token: {SECRET}}}]",
        f"users: [{{name: me, token: {SECRET}}}]",
        f"users: [{{name: me, user: {SECRET}}}]",
        f"users: [{{name: me, user: {{token: {SECRET}}}}}, {{name: me, user: {{token: {SECRET}}}}}]",
        f"users:\n- name: me\n  user:\n    token: {SECRET}: {SECRET}\n",
        f"users:\n- name: me\n  user:\n    token: *{SECRET}\n",
        f"users:\n- name: me\n  user:\n    token: !{SECRET} x\n",
        f'users:\n- name: me\n  user:\n    token: "\\q{SECRET}\n',
        f"users:\n- name: me\n  user:\n    token: {SECRET}\n\tpassword: {SECRET}\n",
        f"users: [{{name: me, user: {{exec: {SECRET}}}}}]",
        f"users: [{{name: me, user: {{exec: {{command: {SECRET}}}}}}}]",
        f"users: [{{name: me, user: {{exec: {{apiVersion: v1, command: x, env: [{SECRET}]}}}}}}]",
        f"users: [{{name: me, user: {{auth-provider: {SECRET}}}}}]",
        f"users: [{{name: me, user: {{auth-provider: {{name: oidc, config: {{id-token: [{SECRET}]}}}}}}}}]",
    ],
)
def test_no_error_about_a_malformed_kubeconfig_holds_a_part_of_it(
    text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: Captured
) -> None:
    rest = (
        "current-context: here\ncontexts: [{name: here, context: {cluster: here, user: me}}]\n"
        "clusters: [{name: here, cluster: {server: 'http://127.0.0.1:9'}}]\n"
    )
    path = tmp_path / "kubeconfig"
    path.write_text(f"{rest}{text}\n" if text.startswith("users") else text)
    found = faults(path)
    assert found
    said = capfd.readouterr()
    # The name of a plugin is no credential, and the message is useless without it.
    assert is_clean("\n".join([*found, caplog.text, said.out, said.err]).replace(f"exec plugin {SECRET}", ""))


@pytest.mark.parametrize("text", ["server: [1", "a: b: c"])
def test_a_kubeconfig_that_is_not_yaml_is_named_with_the_place(text: str, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(NotConfigured, match=rf"{path} is not YAML: line [12], column [0-9]+$"):
        connect(str(path))


def test_a_kubeconfig_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match=rf"there is no kubeconfig {tmp_path}/none"):
        connect(str(tmp_path / "none"))


def test_a_plugin_that_is_not_installed_is_named_with_the_hint_of_the_kubeconfig(tmp_path: Path) -> None:
    user = {"exec": {"apiVersion": "v1", "command": "no-such-plugin", "installHint": "get it from example.org"}}
    with pytest.raises(NotConfigured, match=r"no-such-plugin is not installed: get it from"):
        connect(str(kubeconfig(tmp_path, user, {"server": "http://127.0.0.1:9"})))


@pytest.mark.parametrize(
    "url",
    [
        *(f"{scheme}://user:{SECRET}@127.0.0.1:9" for scheme in ("http", "https", "ftp")),
        f"https://{SECRET}@[::1",
        f"https://user:{SECRET}@",
        f"https://user:{SECRET}@host:port",
        f"https://user:{SECRET}\n@host",
        f"user:{SECRET}@host",
    ],
)
def test_no_error_about_a_url_holds_the_credentials_in_it(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    server = {"server": "http://10.255.0.1"}
    paths: list[Callable[[], Path]] = [
        lambda: kubeconfig(tmp_path, {}, {"server": url}),
        lambda: kubeconfig(tmp_path, {}, {**server, "proxy-url": url}),
        lambda: kubeconfig(tmp_path, {}, server),
    ]
    monkeypatch.setenv("HTTP_PROXY", url)
    for write in paths:
        found = faults(write())
        assert found
        assert is_clean("\n".join(found))
    monkeypatch.setenv("LIQO_CONNECTIVITY_OPERATOR", url)
    assert run(["facts", "dump", "--operator"]) == 2
    said = capfd.readouterr()
    assert is_clean(caplog.text + said.out + said.err)


@pytest.mark.parametrize("form", ["token-file", "token-control", "exec-fails", "key-data", "gcp"])
def test_neither_the_controller_nor_a_command_shows_a_credential(
    form: str, tmp_path: Path, capfd: Captured, monkeypatch: pytest.MonkeyPatch, process: None
) -> None:
    monkeypatch.setenv("LIQO_CONNECTIVITY_TRACEBACK", "1")
    path = kubeconfig(tmp_path, users(tmp_path)[form], {"server": f"https://127.0.0.1:{free_port()}"})
    given = ("--kubeconfig", str(path))
    limits = ("--once-timeout=0.3", "--request-timeout=0.2", "--log-level=debug")
    assert run(["run", *given, "--once", *limits]) in (2, 3)
    assert run(["check", *given]) in (2, 3)
    said = capfd.readouterr()
    assert said.err
    assert "internal error" not in said.err
    assert is_clean(said.out + said.err)


# ---- What is sent ----


def test_the_token_of_the_pod_is_sent_without_its_line_end_and_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    (tmp_path / "ca.crt").write_text("a certificate, for a server that has none")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
    with scripted_api(answer_ok) as server:
        client = connect()
        configuration: Any = client.configuration
        configuration.refresh_api_key_hook = _again(configuration)
        configuration.host = server.url
        api = RestClient(client)
        api.get("/api")
        token.write_text("\nsecond \r\n")
        api.get("/api")
        for text, said in (("", "could not be refreshed: Token file exists but empty"), ("\n", "the token is empty")):
            token.write_text(text)
            with pytest.raises(Unreachable, match=said):
                api.get("/api")
        token.unlink()
        with pytest.raises(Unreachable, match=f"{token}: No such file"):
            api.get("/api")
        token.write_text("third")
        api.get("/api")
    assert [request.headers["Authorization"] for request in server.requests] == [
        "bearer first",
        "bearer second",
        "bearer third",
    ]


def _again(configuration: Any) -> Callable[[Configuration], None]:
    """The client's own hook, for which a minute has passed before every request, and which leaves the address alone."""
    loader: Any = configuration.refresh_api_key_hook.__closure__[0].cell_contents

    def refresh(configuration: Configuration) -> None:
        loader._read_token_file()
        configuration.api_key["BearerToken"] = loader.token

    return refresh
