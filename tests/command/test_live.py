"""Without files the live cluster is read: paged lists, absent kinds, refusals, and a server that is not there."""

import gzip
import json
from pathlib import Path

import pytest
import yaml

from liqo_connectivity.facts import KINDS, read
from liqo_connectivity.facts.dumps.dump import jsonl_lines
from liqo_connectivity.operator.cli import run
from liqo_connectivity.operator.sources import live
from tests.support.plain_api import Answer, api_server, kubeconfig

SNAPSHOT = Path(__file__).parents[1] / "data" / "snapshots" / "rome.yaml.gz"


def kinds_of_snapshot() -> dict[str, list[dict[str, object]]]:
    """The objects of a recorded cluster, by the path that lists them, as an API server keeps them: without their kind."""
    document = yaml.load(gzip.decompress(SNAPSHOT.read_bytes()), Loader=yaml.CSafeLoader)
    lists: dict[str, list[dict[str, object]]] = {}
    for kind in KINDS:
        prefix = f"/apis/{kind.group}" if kind.group else "/api"
        found = [
            item for item in document["items"] if (item["kind"], item["apiVersion"]) == (kind.name, kind.api_version)
        ]
        bare = [{key: value for key, value in item.items() if key not in ("kind", "apiVersion")} for item in found]
        if bare:
            lists[f"{prefix}/{kind.version}/{kind.plural}"] = bare
    return lists


def snapshot_answers(path: str, query: dict[str, list[str]]) -> Answer:
    lists = kinds_of_snapshot()
    if path not in lists:
        return 404, b'{"kind":"Status","code":404}'
    start, limit = int(query.get("continue", ["0"])[0]), int(query["limit"][0])
    page = lists[path][start : start + limit]
    more = {"continue": str(start + limit)} if start + limit < len(lists[path]) else {}
    kind = next(kind for kind in KINDS if path.endswith(f"/{kind.version}/{kind.plural}"))
    document = {"kind": f"{kind.name}List", "apiVersion": kind.api_version, "metadata": more, "items": page}
    return 200, json.dumps(document).encode()


@pytest.mark.slow
def test_a_live_cluster_gives_the_facts_that_its_manifests_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "PAGE", 7)
    manifest = tmp_path / "rome.yaml"
    manifest.write_bytes(gzip.decompress(SNAPSHOT.read_bytes()))
    with api_server(snapshot_answers, tmp_path) as config:
        reading = live.read_cluster(config, "")
    assert reading.problems == ()
    assert list(jsonl_lines(reading.base)) == list(jsonl_lines(read([manifest]).base))


def test_a_kind_that_may_not_be_listed_leaves_its_peerings_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse_networks(path: str, query: dict[str, list[str]]) -> Answer:
        return (403, b"{}") if path.endswith("/networks") else snapshot_answers(path, query)

    with api_server(refuse_networks, tmp_path) as config:
        code = run(["render", "--kubeconfig", config])
    assert code == 3
    assert "Network: cannot be listed: the API server answered 403" in capsys.readouterr().err


@pytest.mark.parametrize("body", [b"not json", b"[]"])
def test_an_answer_that_is_no_list_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], body: bytes) -> None:
    with api_server(lambda path, query: (200, body), tmp_path) as config:
        code = run(["render", "--kubeconfig", config])
    assert code == 3
    assert "cannot be listed: the API server's answer is not" in capsys.readouterr().err


def test_a_server_that_is_not_there_is_one_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with api_server(snapshot_answers, tmp_path) as config:
        pass
    assert run(["why", "shop/web-0", "shop/db-0", "--kubeconfig", config]) == 2
    said = capsys.readouterr().err
    assert "Error: the API server does not answer: " in said
    assert said.count("rror: ") == 1


def test_credentials_that_are_refused_are_one_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with api_server(lambda path, query: (401, b'{"kind":"Status","code":401}'), tmp_path) as config:
        assert run(["check", "--kubeconfig", config]) == 2
    said = capsys.readouterr().err
    assert "Error: the API server refuses the credentials: the API server answered 401" in said
    assert said.count("rror: ") == 1


@pytest.mark.parametrize("variable", [True, False], ids=["KUBECONFIG", "--kubeconfig"])
@pytest.mark.parametrize("command", ["render", "run --once"])
def test_a_kubeconfig_that_is_not_there_is_named(
    command: str, variable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "none")
    # The client reads the variable when it is imported.
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", path)
    assert run([*command.split(), *([] if variable else ["--kubeconfig", path])]) == 2
    assert f"Error: no cluster to talk to: there is no kubeconfig {path}; " in capsys.readouterr().err


@pytest.mark.parametrize("command", ["render", "why shop/a shop/b", "run --dry-run"])
def test_a_credential_helper_that_is_not_installed_is_one_error_with_its_hint(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(kubeconfig(tmp_path, 9))
    config = yaml.safe_load(path.read_text())
    hint = "Install it:\n\n  krew install login\n"
    config["users"][0]["user"] = {"exec": {"apiVersion": "v1", "command": "no-such-login", "installHint": hint}}
    path.write_text(yaml.safe_dump(config))
    assert run([*command.split(), "--kubeconfig", str(path)]) == 2
    said = capsys.readouterr().err
    assert (
        "Error: no cluster to talk to: the exec plugin no-such-login is not installed: Install it: krew install login"
        in said
    )
    assert said.count("rror: ") == 1


def test_a_context_that_is_not_there_is_named_with_those_that_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["render", "--kubeconfig", kubeconfig(tmp_path, 9), "--context", "there"]) == 2
    assert "has no context 'there'; its contexts are: here" in capsys.readouterr().err
