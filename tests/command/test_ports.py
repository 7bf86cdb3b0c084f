"""Ports in answers: the classes that rules tell apart, each with its proofs, and the clause of a rule that fails."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import call
from tests.support.checkout import ROOT

POLICY = """\
apiVersion: security.liqo.io/v1
kind: PeeringConnectivity
metadata: {name: milan, namespace: liqo-tenant-milan}
spec:
  defaultAction: deny
  rules:
  - name: web
    action: allow
    source: {namespace: shop, podSelector: {matchLabels: {app: web}}}
    destination: {group: vc-remote}
    ports: [{protocol: TCP, port: 80, endPort: 89}, {protocol: TCP, port: 443}]
  - {name: partner, action: allow, source: {group: vc-local}, destination: {cidr: {cidr: 203.0.113.0/24, except: [203.0.113.64/26]}}}
"""
BY_PORTS = 'tcp/80-89,443 allowed by rule 0 "web", all else denied by default; the rest is about all else'


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The example of a consumer with a policy of ports, as options."""
    folder = tmp_path_factory.mktemp("ports")
    (folder / "policy.yaml").write_text(POLICY)
    files = [f"{ROOT}/examples/consumer/{name}.yaml" for name in ("cluster", "liqo", "pods")]
    return [part for file in (*files, str(folder / "policy.yaml")) for part in ("-f", file)]


@pytest.fixture(scope="module")
def facts(given: list[str], tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("facts") / "facts.jsonl"
    path.write_text(call("facts", "dump", *given)[1])
    return str(path)


def test_without_a_port_the_answer_is_about_all_of_them(given: list[str]) -> None:
    code, text = call("why", "shop/web-2", "shop/web-0", *given)
    assert (code, text.splitlines()[1]) == (1, BY_PORTS)
    code, text = call("why", "shop/web-2", "shop/web-0:443/tcp", *given)
    assert (code, BY_PORTS in text) == (0, False)


def test_where_all_ports_agree_nothing_is_said_of_them(given: list[str]) -> None:
    code, text = call("why", "shop/web-2", "ip:203.0.113.7", *given)
    assert (code, text.splitlines()[1].partition(" of ")[0]) == (0, 'milan: ALLOWED by rule 1 "partner"')


def test_classes_of_ports_share_their_proofs(given: list[str]) -> None:
    document = json.loads(call("why", "shop/web-2", "shop/web-0", *given, "-o", "json")[1])
    tuples = [(step["relation"], *step["row"]) for step in document["steps"]]
    assert len(tuples) == len(set(tuples))
    roots = [peering["proof"]["root"] for each in document["ports"] for peering in each["peerings"]]
    assert len(set(roots)) == len(document["ports"])
    assert 4 * len(tuples) < 3 * sum(len(_below(root, document["steps"])) for root in roots)


def _below(root: int, steps: list[Any]) -> set[int]:
    """The steps on which one rests, and itself."""
    found, pending = set[int](), [root]
    while pending:
        number = pending.pop()
        if number not in found:
            found.add(number)
            pending += _numbers(steps[number].get("premises", []))
    return found


def _numbers(premises: Any) -> list[int]:
    if isinstance(premises, int):
        return [premises]
    if isinstance(premises, list):
        return [n for premise in premises for n in _numbers(premise)]
    return _numbers(premises["aggregated"]["witnesses"]) if "aggregated" in premises else []


def _drop(document: Any) -> None:
    del document["ports"][0]


def _widen(document: Any) -> None:
    document["ports"][0]["last"] += 1


def _hide(document: Any) -> None:
    document.update(verdict="allowed", peerings=document["ports"][1]["peerings"])


def _allow(document: Any) -> None:
    document["ports"][0]["verdict"] = "allowed"


@pytest.mark.parametrize("forge", [None, _drop, _widen, _hide, _allow])
def test_a_certificate_has_every_class_of_ports(
    forge: Callable[[Any], None] | None, given: list[str], facts: str, tmp_path: Path
) -> None:
    document = json.loads(call("why", "shop/web-2", "shop/web-0", *given, "-o", "json")[1])
    told = [(each["protocol"], each["first"], each["last"], each["verdict"]) for each in document["ports"]]
    assert ("tcp", 443, 443, "allowed") in told
    assert told[-1] == ("other", 0, 65535, "denied")
    if forge is not None:
        forge(document)
    (tmp_path / "why.json").write_text(json.dumps(document))
    code, _ = call("verify", str(tmp_path / "why.json"), "--facts", facts)
    assert code == (0 if forge is None else 5)


@pytest.mark.parametrize("question", ["shop/web-0:icmp", "shop/web-0:85/tcp", "shop/web-0:85/sctp"])
def test_the_enforcer_is_part_of_a_certificate(question: str, given: list[str], facts: str, tmp_path: Path) -> None:
    document = json.loads(call("why", "shop/web-2", question, *given, "--enforcer", "nftables", "-o", "json")[1])
    assert document["enforcer"] == "nftables"
    (tmp_path / "why.json").write_text(json.dumps(document))
    assert call("verify", str(tmp_path / "why.json"), "--facts", facts)[0] == 0


@pytest.mark.parametrize(
    ("source", "destination", "said"),
    [
        ("shop/web-2", "shop/web-0:90/tcp", "tcp/90 is not tcp/80-89,443"),
        ("shop/web-2", "shop/web-0", "all other traffic is not tcp/80-89,443"),
        ("infra/metrics-0", "shop/web-0:80/tcp", "label app of Pod infra/metrics-0 is metrics, not web"),
        ("infra/metrics-0", "shop/web-0:80/tcp", "Pod infra/metrics-0 is in namespace infra, not shop"),
        ("shop/web-2", "ip:203.0.113.70", "203.0.113.70 is in 203.0.113.64/26, which it leaves out"),
        ("shop/web-2", "ip:198.51.100.7", "198.51.100.7 is not in 203.0.113.0/24"),
    ],
)
def test_why_not_names_the_clause_that_fails(source: str, destination: str, said: str, given: list[str]) -> None:
    code, text = call("why-not", source, destination, *given)
    assert (code, said in [line.strip() for line in text.splitlines()]) == (0, True), text


SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.33.7, ports: [{name: http, port: 8000}, {name: admin, port: 443}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-x, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints: [{addresses: [10.71.2.10]}]
ports: [{name: http, port: 80}]
"""


def test_a_service_is_asked_about_by_the_port_of_its_endpoint(given: list[str], tmp_path: Path) -> None:
    (tmp_path / "service.yaml").write_text(SERVICE)
    files = [*given, "-f", str(tmp_path / "service.yaml")]
    facts, why = tmp_path / "facts.jsonl", tmp_path / "why.json"
    facts.write_text(call("facts", "dump", *files)[1])
    verified: dict[str, tuple[int, object, int]] = {}
    for destination in ("shop/svc/web:8000/tcp", "ip:10.96.33.7:8000/tcp", "shop/svc/web:443/tcp"):
        code, text = call("why", "shop/web-2", destination, *files, "-o", "json")
        document = json.loads(text)
        why.write_text(text)
        found = call("verify", str(why), "--facts", str(facts))[0]
        verified[destination] = (code, document["destination"].get("targetPort"), found)
        # Neither another port of the endpoint, nor none.
        genuine = document["destination"].pop("targetPort", None)
        for forged in {443, None} - {genuine}:
            added = {} if forged is None else {"targetPort": forged}
            why.write_text(json.dumps({**document, "destination": {**document["destination"], **added}}))
            assert call("verify", str(why), "--facts", str(facts))[0] == 5
    assert verified == {
        "shop/svc/web:8000/tcp": (0, 80, 0),
        "ip:10.96.33.7:8000/tcp": (0, 80, 0),
        # The EndpointSlice lists no port of this name.
        "shop/svc/web:443/tcp": (3, None, 0),
    }
