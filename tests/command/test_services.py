"""Services as destinations: resolved to their endpoints, refused with a reason where they stand for none, and certified."""

import json
from pathlib import Path

import pytest

from liqo_connectivity.operator.cli import run
from tests.support.checkout import ROOT
from tests.support.recorded_cluster import outputs

CONSUMER = [
    part for name in ("cluster", "liqo", "pods", "policy") for part in ("-f", f"{ROOT}/examples/consumer/{name}.yaml")
]
SERVICES = """\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.33.7, externalIPs: [198.51.100.7], ports: [{port: 80}, {port: 53, protocol: UDP}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-x, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints: [{addresses: [10.71.2.10]}, {addresses: [10.71.2.11]}, {addresses: [10.244.2.9]}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-6, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv6
endpoints: [{addresses: ["fd00::10"]}]
---
apiVersion: v1
kind: Service
metadata: {name: peers, namespace: shop}
spec: {clusterIP: None}
---
apiVersion: v1
kind: Service
metadata: {name: mail, namespace: shop}
spec: {type: ExternalName, externalName: mail.example.com}
---
apiVersion: v1
kind: Service
metadata: {name: both, namespace: infra}
spec: {clusterIP: 10.96.0.5, externalIPs: [198.51.100.7], ports: [{port: 81}]}
"""


@pytest.fixture
def services(tmp_path: Path) -> list[str]:
    (tmp_path / "services.yaml").write_text(SERVICES)
    return [*CONSUMER, "-f", str(tmp_path / "services.yaml")]


@pytest.mark.parametrize(
    "destination", ["shop/svc/web:80/tcp", "shop/service/web", "ip:10.96.33.7", "ip:10.96.33.7:53/udp"]
)
def test_each_endpoint_is_answered_for(
    destination: str, services: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = outputs(capsys, "why", "infra/metrics-0", destination, *services)
    assert code == 1
    assert out.splitlines()[1] == (
        "nodes rewrite it to an endpoint of the Service: 10.71.2.10 denied, 10.71.2.11 denied, 10.244.2.9 allowed; "
        "the rest is about the first"
    )
    _, text, _ = outputs(capsys, "why", "infra/metrics-0", destination, *services, "-o", "json")
    answer = json.loads(text)
    assert (answer["verdict"], answer["pairs"]) == ("denied", {"allowed": 1, "denied": 2, "unknown": 0})
    assert answer["destination"]["endpoint"] == destination.partition(":80")[0].partition(":53")[0]
    assert answer["destination"]["address"] == "10.71.2.10"


@pytest.mark.parametrize(
    ("source", "destination", "said"),
    [
        ("infra/metrics-0", "shop/svc/web:81/tcp", "Service shop/web has no port 81/tcp; ports: 53/udp, 80/tcp"),
        ("infra/metrics-0", "ip:10.96.33.7:80/udp", "Service shop/web has no port 80/udp"),
        ("infra/metrics-0", "shop/svc/nobody", "there is no Service 'shop/nobody' in the input"),
        ("infra/metrics-0", "shop/svc/mail", "only stands for the host mail.example.com"),
        ("shop/svc/web", "infra/metrics-0", "a Service sends nothing; ask about one of its pods"),
        ("infra/metrics-0", "shop/svc/web/x", "an endpoint is NAMESPACE/POD, NAMESPACE/svc/SERVICE"),
    ],
)
def test_a_question_that_means_nothing_is_refused(
    source: str, destination: str, said: str, services: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = outputs(capsys, "why", source, destination, *services)
    assert (code, out) == (2, "")
    assert said in err


@pytest.mark.parametrize("destination", ["shop/svc/peers", "infra/svc/both", "ip:10.96.0.5:81/tcp", "ip:10.96.0.9"])
def test_without_endpoints_nothing_is_known(
    destination: str, services: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = outputs(capsys, "why", "infra/metrics-0", destination, *services)
    assert code == 3
    assert "unknown: ServiceUnresolved: " in out
    assert "no policy governs it" not in out


def test_an_address_of_two_services_is_known_by_the_port(
    services: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["why", "shop/web-2", "ip:198.51.100.7{}", *services]
    codes = {
        port: outputs(capsys, *(part.format(port) for part in asked))[0]
        for port in ("", ":80/tcp", ":81/tcp", ":53/udp")
    }
    assert codes == {"": 3, ":80/tcp": 0, ":81/tcp": 3, ":53/udp": 0}


def test_a_group_may_ask_for_a_service(services: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = outputs(capsys, "why", "group:vc-local@milan", "shop/svc/web", *services)
    assert code == 0
    assert "of 8 pairs of addresses" in out


def test_between_groups_a_node_does_not_stand_for_pods(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The node's address is the lowest of the pod CIDR, and what it takes itself is not known to be denied."""
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "low"}}
    node["status"] = {"addresses": [{"type": "InternalIP", "address": "10.244.0.1"}]}
    (tmp_path / "node.json").write_text(json.dumps(node))
    asked = ["why", "group:remote-cluster@milan", "group:local-cluster@milan", *CONSUMER, "-f", str(tmp_path)]
    code, out, _ = outputs(capsys, *asked, "-o", "json")
    answer = json.loads(out)
    assert (code, answer["verdict"]) == (1, "denied")
    assert answer["pairs"]["unknown"] > 0


@pytest.mark.parametrize(
    ("destination", "code", "said"),
    [
        ("shop/svc/web:80/tcp", 0, "ok: denied 10.244.2.14 -> 10.71.2.10 by milan"),
        ("ip:10.96.33.7", 0, "ok: denied"),
        ("ip:10.96.0.9", 0, "ok: unknown"),
        ("shop/svc/peers", 0, "ok: unknown"),
        ("ip:172.18.0.11:30080/tcp", 0, "ok: allowed"),
    ],
)
def test_an_answer_about_a_service_is_certified(
    destination: str, code: int, said: str, services: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts, why = tmp_path / "facts.jsonl", tmp_path / "why.json"
    facts.write_text(outputs(capsys, "facts", "dump", *services)[1])
    why.write_text(outputs(capsys, "why", "infra/metrics-0", destination, *services, "-o", "json")[1])
    found, text, _ = outputs(capsys, "verify", str(why), "--facts", str(facts))
    assert (found, text[: len(said)]) == (code, said)


def test_an_address_that_is_resolved_in_part_is_certified_with_every_pair(
    services: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of the two Services of the address has no endpoints that are known; a port may exclude it."""
    facts, why = tmp_path / "facts.jsonl", tmp_path / "why.json"
    facts.write_text(outputs(capsys, "facts", "dump", *services)[1])
    said: dict[tuple[str, str], tuple[int, str]] = {}
    for source, port in (
        ("shop/web-2", ""),
        ("infra/metrics-0", ""),
        ("shop/web-2", ":81/tcp"),
        ("shop/web-2", ":80/tcp"),
    ):
        why.write_text(outputs(capsys, "why", source, f"ip:198.51.100.7{port}", *services, "-o", "json")[1])
        code, text, _ = outputs(capsys, "verify", str(why), "--facts", str(facts))
        said[source, port] = (code, text[:15])
    assert said == {
        ("shop/web-2", ""): (0, "ok: unknown 10."),
        ("infra/metrics-0", ""): (0, "ok: denied 10.2"),
        ("shop/web-2", ":81/tcp"): (0, "ok: unknown 10."),
        ("shop/web-2", ":80/tcp"): (0, "ok: allowed 10."),
    }


def test_a_certificate_names_an_endpoint_of_the_port_and_not_the_sender_itself(
    services: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts, why = tmp_path / "facts.jsonl", tmp_path / "why.json"
    facts.write_text(outputs(capsys, "facts", "dump", *services)[1])
    plain = json.loads(outputs(capsys, "why", "ip:10.244.2.14", "ip:10.71.2.10:81/tcp", *services, "-o", "json")[1])
    itself = json.loads(outputs(capsys, "why", "ip:10.71.2.10", "ip:10.71.2.10", *services, "-o", "json")[1])
    assert plain["verdict"] == "denied"
    # Only the Service at port 80 has this endpoint.
    plain["destination"]["endpoint"] = "ip:198.51.100.7"
    why.write_text(json.dumps(plain))
    assert run(["verify", str(why), "--facts", str(facts)]) == 5
    itself["destination"]["endpoint"] = "shop/svc/web"
    why.write_text(json.dumps(itself))
    assert run(["verify", str(why), "--facts", str(facts)]) == 5


def test_a_certificate_does_not_hide_the_service(
    services: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No other address than one that nodes rewrite to, and no verdict on the address that they rewrite."""
    facts, why = tmp_path / "facts.jsonl", tmp_path / "why.json"
    facts.write_text(outputs(capsys, "facts", "dump", *services)[1])
    asked = ["why", "infra/metrics-0", "ip:203.0.113.9:81/tcp", *services, "-o", "json"]
    allowed = json.loads(outputs(capsys, *asked)[1])
    assert allowed["verdict"] == "allowed"
    for endpoint, address in (
        ("ip:10.96.33.7", "10.96.33.7"),
        ("shop/svc/web", "203.0.113.9"),
        ("ip:10.96.33.7", "203.0.113.9"),
    ):
        forged = {**allowed, "destination": {"endpoint": endpoint, "address": address}}
        why.write_text(json.dumps(forged))
        assert run(["verify", str(why), "--facts", str(facts)]) == 5


def test_redacted_facts_give_the_same_answer(
    services: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = json.loads(outputs(capsys, "why", "ip:10.244.2.14", "ip:10.96.33.7", *services, "-o", "json")[1])
    dump = outputs(capsys, "facts", "dump", *services, "--redact")[1]
    for name in ("shop", "peers", "mail", "example.com", "web-x"):
        assert f'"{name}' not in dump
        assert f'/{name}"' not in dump
    (tmp_path / "facts.jsonl").write_text(dump)
    asked = ["why", "ip:10.244.2.14", "ip:10.96.33.7", "-f", str(tmp_path / "facts.jsonl"), "-o", "json"]
    redacted = json.loads(outputs(capsys, *asked)[1])
    assert (redacted["verdict"], redacted["pairs"]) == (plain["verdict"], plain["pairs"])
