"""The state of the controller over HTTP, and the commands that answer by it exactly as by a dump."""

import gzip
import json
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from liqo_connectivity.facts import Fact, Reading, read
from liqo_connectivity.facts.dumps.dump import jsonl_lines
from liqo_connectivity.operator.cli import run
from liqo_connectivity.operator.controller.serving import state_server
from liqo_connectivity.operator.controller.serving.http_server import Server
from liqo_connectivity.operator.controller.serving.state_server import (
    STATE_HEADER,
    BusyError,
    StateSnapshot,
    answers_server,
)
from liqo_connectivity.operator.sources.remote import VARIABLE
from liqo_connectivity.rules.program import builtin_texts

ROOT = Path(__file__).parents[2]
POLICY = """\
apiVersion: security.liqo.io/v1
kind: PeeringConnectivity
metadata: {name: milan, namespace: liqo-tenant-milan, uid: "1", resourceVersion: "2", creationTimestamp: "2026-11-22T23:50:00Z"}
spec:
  rules:
  - {source: {group: vc-remote}, destination: {group: db}, action: allow}
  - {source: {group: remote-cluster}, action: deny}
"""
ADDED = 'member(P, "db", Ip) :- governing(P, _), pod_ip("shop/db-0", Ip).\n'
SERVICES = """\
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: 10.96.7.7, ports: [{port: 5432}]}
"""
Start = Callable[[Callable[[], StateSnapshot]], Server]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorded cluster ``rome`` with a policy whose group an added rule file defines."""
    path = tmp_path_factory.mktemp("cluster")
    recorded = ROOT / "tests" / "data" / "snapshots" / "rome.yaml.gz"
    (path / "rome.yaml").write_bytes(gzip.decompress(recorded.read_bytes()))
    (path / "policy.yaml").write_text(POLICY)
    (path / "db.dl").write_text(ADDED)
    return path


@pytest.fixture(scope="module")
def reading(folder: Path) -> Reading:
    return read([folder])


@pytest.fixture
def start(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Serve a state, where ``--operator`` looks for one."""
    servers: list[Server] = []

    def serve(take: Callable[[], StateSnapshot]) -> Server:
        server = answers_server("127.0.0.1", 0, take, builtin_texts(), {str(folder / "db.dl"): ADDED})
        server.start()
        servers.append(server)
        monkeypatch.setenv(VARIABLE, f"http://127.0.0.1:{server.port}")
        return server

    yield serve
    for server in servers:
        server.stop()


def of(reading: Reading) -> Callable[[], StateSnapshot]:
    return lambda: StateSnapshot(7, tuple(reading.base.facts()))


def outputs(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def asked(server: Server, path: str, host: str = "localhost:9000") -> tuple[int, str, str | None]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": host})
        response = connection.getresponse()
        return response.status, response.read().decode(), response.headers[STATE_HEADER]
    finally:
        connection.close()


# ---- The endpoint ----


def test_facts_are_the_dump_and_their_state_is_numbered(start: Start, reading: Reading) -> None:
    status, text, state = asked(start(of(reading)), "/facts")
    assert (status, state) == (200, "7")
    assert text == "".join(line + "\n" for line in jsonl_lines(reading.base))


def test_rules_are_the_texts_in_use(start: Start, reading: Reading, folder: Path) -> None:
    status, text, _ = asked(start(of(reading)), "/rules")
    told = json.loads(text)
    assert (status, told["builtin"], told["added"]) == (200, builtin_texts(), {str(folder / "db.dl"): ADDED})


def test_nothing_else_is_served(start: Start, reading: Reading) -> None:
    server = start(of(reading))
    assert [asked(server, path)[0] for path in ("/", "/facts/", "/rules/x", "/metrics")] == [404] * 4


@pytest.mark.parametrize("host", ["evil.example:8082", "evil.example", "127.0.0.1.evil.example", "", "10.0.0.7:8082"])
def test_a_host_that_is_not_loopback_is_refused(host: str, start: Start, reading: Reading) -> None:
    """A page whose name was made to point to 127.0.0.1 must not read the cluster through a browser."""
    server = start(of(reading))
    for path in ("/facts", "/rules"):
        status, text, _ = asked(server, path, host)
        assert status == 421
        assert "pod" not in text


@pytest.mark.parametrize("host", ["127.0.0.1:8082", "localhost", "LOCALHOST:1", "[::1]:8082"])
def test_every_loopback_name_is_answered(host: str, start: Start, reading: Reading) -> None:
    assert asked(start(of(reading)), "/rules", host)[0] == 200


def test_a_dump_of_several_parts_is_whole(start: Start, reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_server, "_PART", 100)
    assert asked(start(of(reading)), "/facts")[1] == "".join(line + "\n" for line in jsonl_lines(reading.base))


# ---- --operator ----


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["why", "shop/web-0", "shop/db-0:5432/tcp"],
        ["why", "group:vc-remote@milan", "group:db@milan", "-o", "json"],
        ["why-not", "shop/web-0", "infra/dns-0"],
        ["why-not", "web-0", "infra/dns-0", "-n", "shop", "-o", "yaml"],
        ["query", 'member("milan", "db", Ip)', "--why"],
        ["why", "shop/web-0", "shop/no-such-pod"],
    ],
    ids=lambda arguments: " ".join(arguments[:3]),
)
def test_the_answer_is_that_of_a_dump_and_the_same_rules(
    arguments: list[str],
    start: Start,
    folder: Path,
    reading: Reading,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    start(of(reading))
    dump, services = tmp_path / "facts.jsonl", tmp_path / "services.yaml"
    services.write_text(SERVICES)
    operator = ["--operator", "-f", str(services)]
    dump.write_text(outputs(capsys, "facts", "dump", *operator)[1])
    expected = outputs(capsys, *arguments, "-f", str(dump), "--rules", str(folder / "db.dl"))
    assert outputs(capsys, *arguments, *operator) == expected


def test_a_dump_of_the_controller_is_that_of_its_objects(
    start: Start, folder: Path, reading: Reading, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start(of(reading))
    services = tmp_path / "services.yaml"
    services.write_text(SERVICES)
    for options in (["-f", str(services)], ["-f", str(services), "--redact"]):
        # The controller has listed every kind that it serves facts about; files may lack one.
        expected = outputs(capsys, "facts", "dump", "-f", str(folder), "--assume-complete", *options)[:2]
        assert outputs(capsys, "facts", "dump", "--operator", *options)[:2] == expected


def test_rules_beside_those_of_the_controller_are_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = outputs(capsys, "why", "shop/web-0", "shop/db-0", "--operator", "--rules", "x")
    assert (code, out) == (2, "")
    assert "--rules" in err


def test_where_nothing_listens_the_way_there_is_said(
    start: Start, reading: Reading, capsys: pytest.CaptureFixture[str]
) -> None:
    start(of(reading)).stop()
    code, out, err = outputs(capsys, "query", "governing(P, Q)", "--operator")
    assert (code, out) == (2, "")
    assert "kubectl -n liqo-system port-forward" in err


def test_a_controller_that_has_no_state_yet_says_so(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    def take() -> StateSnapshot:
        raise BusyError("not every kind has been listed yet")

    start(take)
    code, out, err = outputs(capsys, "why", "shop/web-0", "shop/db-0", "--operator")
    assert (code, out) == (2, "")
    assert "503" in err
    assert "not every kind has been listed yet" in err


def test_an_answer_that_breaks_off_is_no_answer(
    start: Start, reading: Reading, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Facts that are missing would be a wrong verdict, not an error."""

    def broken(facts: tuple[Fact, ...]) -> Iterator[bytes]:
        yield "".join(f"{line}\n" for line in jsonl_lines(reading.base)).encode()
        raise ValueError("in the middle")

    monkeypatch.setattr(state_server, "_parts", broken)
    start(of(reading))
    code, out, err = outputs(capsys, "facts", "dump", "--operator")
    assert (code, out) == (2, "")
    assert "was cut off" in err


def test_a_controller_of_other_rules_is_refused(
    reading: Reading, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = answers_server("127.0.0.1", 0, of(reading), {**builtin_texts(), "rules/members.dl": "// other\n"}, {})
    server.start()
    try:
        monkeypatch.setenv(VARIABLE, f"http://127.0.0.1:{server.port}")
        code, out, err = outputs(capsys, "why", "shop/web-0", "shop/db-0", "--operator")
        assert (code, out) == (2, "")
        assert "use the same version" in err
        assert outputs(capsys, "facts", "dump", "--operator")[0] == 0
    finally:
        server.stop()


@pytest.mark.parametrize("url", ["https://127.0.0.1:8082", "127.0.0.1:8082", "file:///etc/passwd", "http://x/facts"])
def test_an_address_of_another_form_is_wrong_usage(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, url)
    code, _, err = outputs(capsys, "facts", "dump", "--operator")
    assert code == 2
    assert "write http://HOST:PORT" in err


def test_a_proxy_is_not_asked(
    start: Start, reading: Reading, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start(of(reading))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert outputs(capsys, "facts", "dump", "--operator")[0] == 0
