"""The controller does not watch Services: beside its facts, they are read from files or from the cluster, or are unknown."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from liqo_connectivity.facts import Fact, read
from liqo_connectivity.operator.cli import run
from liqo_connectivity.operator.controller.serving.state_server import StateSnapshot, answers_server
from liqo_connectivity.operator.sources.remote import VARIABLE
from liqo_connectivity.rules.program import builtin_texts
from tests.support.checkout import ROOT
from tests.support.plain_api import Answer, api_server
from tests.support.recorded_cluster import outputs

ITEMS: dict[str, list[dict[str, object]]] = {
    "services": [
        {
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"clusterIP": "10.96.33.7", "externalIPs": ["198.51.100.7"], "ports": [{"port": 80}]},
        }
    ],
    "endpointslices": [
        {
            "metadata": {
                "name": "web-x",
                "namespace": "shop",
                "labels": {"kubernetes.io/service-name": "web"},
            },
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.71.2.10"]}],
        }
    ],
}
KINDS = {"services": ("v1", "Service"), "endpointslices": ("discovery.k8s.io/v1", "EndpointSlice")}
ASKED = ("why", "infra/metrics-0", "shop/svc/web:80/tcp", "--operator")
PODS = ("why", "shop/web-2", "shop/web-0", "--operator")
EXTERNAL = ("why", "infra/metrics-0", "ip:198.51.100.7", "--operator")


@cache
def watched() -> tuple[Fact, ...]:
    return tuple(read([ROOT / "examples" / "consumer"]).base.facts())


@pytest.fixture(autouse=True)
def controller(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A controller that watches the example, where ``--operator`` looks for one; and no kubeconfig of the user's."""
    server = answers_server("127.0.0.1", 0, lambda: StateSnapshot(1, watched()), builtin_texts(), {})
    server.start()
    monkeypatch.setenv(VARIABLE, f"http://127.0.0.1:{server.port}")
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    yield
    server.stop()


def answers(path: str, query: dict[str, list[str]]) -> Answer:
    plural = path.rpartition("/")[2]
    if plural not in ITEMS:
        return 404, b'{"kind":"Status","code":404}'
    version, kind = KINDS[plural]
    return 200, json.dumps({"apiVersion": version, "kind": f"{kind}List", "items": ITEMS[plural]}).encode()


def manifest(folder: Path, *extra: object) -> str:
    items = [{"apiVersion": KINDS[p][0], "kind": KINDS[p][1], **item} for p, found in ITEMS.items() for item in found]
    path = folder / "services.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [*items, *extra]}))
    return str(path)


def namespace(uid: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system", "uid": uid}}


def test_services_come_from_the_cluster_of_the_kubeconfig(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with api_server(answers, tmp_path) as config:
        code, out, err = outputs(capsys, *ASKED, "--kubeconfig", config)
    assert (code, err) == (1, "")
    assert "10.71.2.10 denied" in out


def test_services_come_from_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = outputs(capsys, *ASKED, "-f", manifest(tmp_path))
    assert (code, err) == (1, "")
    assert "10.71.2.10 denied" in out


def test_an_answer_about_one_is_certified_by_the_dump(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["-f", manifest(tmp_path)]
    facts, why = tmp_path / "facts.jsonl", tmp_path / "why.json"
    facts.write_text(outputs(capsys, "facts", "dump", "--operator", *given)[1])
    why.write_text(outputs(capsys, *ASKED, *given, "-o", "json")[1])
    assert outputs(capsys, "verify", str(why), "--facts", str(facts))[1].startswith("ok: denied")


@pytest.mark.parametrize("asked", [ASKED, EXTERNAL], ids=["by name", "by address"])
def test_without_a_cluster_it_is_unknown_and_what_to_do_is_said(
    asked: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = outputs(capsys, *asked)
    assert code == 3
    assert out.startswith("UNKNOWN")
    assert "cannot be listed: no cluster to talk to: there is no kubeconfig" in out
    assert err.startswith("note: not all Services are known: ")
    assert err.rstrip().endswith(
        "give Services and EndpointSlices with -f (kubectl get -A -o yaml services,endpointslices)"
    )
    assert err.count("\n") == 1
    facts, why = tmp_path / "facts.jsonl", tmp_path / "why.json"
    facts.write_text(outputs(capsys, "facts", "dump", "--operator")[1])
    why.write_text(outputs(capsys, *asked, "-o", "json")[1])
    assert outputs(capsys, "verify", str(why), "--facts", str(facts))[1].startswith("ok: unknown")


def test_what_does_not_hang_on_services_is_answered_without(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = outputs(capsys, *PODS)
    assert (code, out[:7]) == (0, "ALLOWED")
    assert err.startswith("note: ")
    assert run(["query", "pod(Pod, _)", "--operator"]) == 0


@pytest.mark.parametrize("plural", ["services", "endpointslices"])
def test_a_kind_that_may_not_be_listed_leaves_it_unknown(
    plural: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: str, query: dict[str, list[str]]) -> Answer:
        return (403, b"{}") if path.endswith(f"/{plural}") else answers(path, query)

    with api_server(refuse, tmp_path) as config:
        code, out, err = outputs(capsys, *ASKED, "--kubeconfig", config)
    assert (code, out[:7]) == (3, "UNKNOWN")
    assert "cannot be listed: the API server answered 403" in err
    assert "give Services and EndpointSlices with -f" in err


def test_services_of_another_cluster_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def foreign(path: str, query: dict[str, list[str]]) -> Answer:
        return (200, json.dumps(namespace("other")).encode()) if path.endswith("/kube-system") else answers(path, query)

    (tmp_path / "own.json").write_text(json.dumps(namespace("own")))
    facts = tuple(read([tmp_path / "own.json"]).base.facts())
    server = answers_server("127.0.0.1", 0, lambda: StateSnapshot(1, facts), builtin_texts(), {})
    server.start()
    try:
        with api_server(foreign, tmp_path) as config, pytest.MonkeyPatch.context() as patch:
            patch.setenv(VARIABLE, f"http://127.0.0.1:{server.port}")
            for given in (["--kubeconfig", config], ["-f", manifest(tmp_path, namespace("other"))]):
                code, out, err = outputs(capsys, *EXTERNAL, *given)
                assert (code, out) == (2, "")
                assert "the Services are of another cluster than the controller" in err
            patch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", config)
            code, _, err = outputs(capsys, "query", "namespace(N)", "--operator")
            assert code == 0
            assert "note: not all Services are known: Service: cannot be listed: the Services are of another" in err
            own = ["-f", manifest(tmp_path, namespace("own"))]
            assert outputs(capsys, "query", "service(S, _)", "--operator", *own)[1] == "S\nshop/web\n"
    finally:
        server.stop()


def test_the_endpoints_of_the_dns_are_those_that_the_controller_sees(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They decide chains, so a later look at them must not contradict its facts."""

    def endpoints(namespace: str, address: str) -> dict[str, object]:
        labels = {"k8s-app": "kube-dns", "kubernetes.io/service-name": "kube-dns"}
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "dns", "namespace": namespace, "uid": "u", "labels": labels},
            "endpoints": [{"addresses": [address]}],
        }

    (tmp_path / "own.json").write_text(json.dumps(endpoints("kube-system", "10.1.0.53")))
    facts = tuple(read([tmp_path / "own.json"]).base.facts())
    server = answers_server("127.0.0.1", 0, lambda: StateSnapshot(1, facts), builtin_texts(), {})
    server.start()
    given = manifest(tmp_path, endpoints("kube-system", "10.1.0.99"), endpoints("shop", "10.1.0.77"))
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(VARIABLE, f"http://127.0.0.1:{server.port}")
            asked = ("query", "endpoint_slice_address(Slice, Address)", "--operator", "-f", given)
            code, out, err = outputs(capsys, *asked)
    finally:
        server.stop()
    assert (code, err) == (0, "")
    assert {tuple(line.split()) for line in out.splitlines()[1:]} == {
        ("kube-system/dns", "10.1.0.53"),
        ("shop/dns", "10.1.0.77"),
        ("shop/web-x", "10.71.2.10"),
    }


def test_files_give_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-2", "namespace": "shop"}}
    code, out, err = outputs(capsys, *PODS, "-f", manifest(tmp_path, pod))
    assert (code, out[:7]) == (0, "ALLOWED")
    assert err == "note: passed over, because the controller has them: 1 Pod\n"
    (tmp_path / "services.json").write_text(json.dumps(pod))
    code, out, err = outputs(capsys, *PODS, "-f", str(tmp_path / "services.json"))
    assert (code, out) == (2, "")
    assert "the files hold no Service; beside --operator, give Services" in err


def test_a_service_that_cannot_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x", "namespace": "shop"}, "spec": 7}
    code, out, err = outputs(capsys, *EXTERNAL[:2], "shop/svc/x", "--operator", "-f", manifest(tmp_path, broken))
    assert (code, out[:7]) == (3, "UNKNOWN")
    assert "error: " in err
    assert "Service shop/x" in err
