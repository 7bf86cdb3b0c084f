"""The facts of Services, EndpointSlices, and what else only answers need: addresses of nodes, further interfaces."""

import json

import pytest

from liqo_connectivity.facts import KIND_BY_NAME, decode_mapping
from tests.support.example_objects import ENDPOINT_SLICE, EXTERNAL_NAME, POD, SERVICE, changed, rows


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("[]", set[tuple[str, str]]()),
        ('[{"name": "cni", "default": true}]', set[tuple[str, str]]()),
        ('[{"name": "a/b"}]', {("a/b", "")}),
        ('[{"name": "a/b", "ips": ["::ffff:10.1.2.3", "10.1.2.3", "x", 7]}]', {("a/b", "10.1.2.3"), ("a/b", "")}),
        ('["a/b", null]', {("", "")}),
        ("", {("", "")}),
        ("{}", {("", "")}),
        ("[" * 100_000, {("", "")}),
        ('[{"name": "a\\nb"}]', {("a\\nb", "")}),
    ],
)
def test_the_interfaces_that_multus_reports(written: str, found: set[tuple[str, str]]) -> None:
    pod = changed(POD, "/metadata/annotations/k8s.v1.cni.cncf.io~1network-status", written)
    assert {row[2:] for row in rows("Pod", pod) if row[0] == "pod_interface"} == found


def test_no_annotation_makes_more_than_a_few_facts() -> None:
    many = [{"name": f"n-{n}", "ips": [f"10.0.{n % 250}.{m % 250}" for m in range(300)]} for n in range(300)]
    pod = changed(POD, "/metadata/annotations/k8s.v1.cni.cncf.io~1network-status", json.dumps(many))
    assert len([row for row in rows("Pod", pod) if row[0] == "pod_interface"]) <= 16 * 16


def test_the_addresses_of_a_node() -> None:
    listed = [
        {"type": "InternalIP", "address": "172.18.0.11"},
        {"type": "InternalIP", "address": "FD00::11"},
        {"type": "ExternalIP", "address": "172.18.0.11"},
        {"type": "Hostname", "address": "worker-1"},
        {},
    ]
    node = {"metadata": {"name": "worker-1"}, "status": {"addresses": listed}}
    assert {row[2] for row in rows("Node", node) if row[0] == "node_address"} == {"172.18.0.11", "fd00::11"}


def test_service() -> None:
    assert rows("Service", SERVICE) == {
        ("service", "shop/web", "shop"),
        ("service_ip", "shop/web", "10.96.33.7"),
        ("service_ip", "shop/web", "fd00:96::7"),
        ("service_ip", "shop/web", "198.51.100.7"),
        ("service_ip", "shop/web", "203.0.113.80"),
        ("service_ip_proxied", "shop/web", "203.0.113.80"),
        ("service_port", "shop/web", "http", 80, "tcp"),
        ("service_port", "shop/web", "", 53, "udp"),
        ("service_node_port", "shop/web", 30080, "tcp"),
    }


def test_services_without_an_address() -> None:
    headless = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"clusterIP": "None", "clusterIPs": ["None"]}}
    bare = {"metadata": {"name": "web", "namespace": "shop"}}
    assert rows("Service", headless) == rows("Service", bare) == {("service", "shop/web", "shop")}
    assert rows("Service", EXTERNAL_NAME) == {
        ("service", "shop/mail", "shop"),
        ("service_external_name", "shop/mail", "mail.example.com"),
    }


@pytest.mark.parametrize("port", [-1, 65536, "80", 8.5, True])
def test_a_port_is_a_number(port: object) -> None:
    broken = changed(SERVICE, "/spec/ports/0/port", port)
    decoded = decode_mapping(KIND_BY_NAME["Service"], broken)
    assert decoded.problem is not None
    assert decoded.problem.field == "/spec/ports/0/port"


def test_endpoint_slice() -> None:
    assert rows("EndpointSlice", ENDPOINT_SLICE) == {
        ("endpoint_slice", "shop/web-x", "shop"),
        ("endpoint_slice_service", "shop/web-x", "shop/web"),
        ("endpoint_slice_address", "shop/web-x", "10.71.2.7"),
        ("endpoint_slice_dns", "shop/web-x"),
        ("endpoint_slice_port", "shop/web-x", "http", 8080, "tcp"),
        ("endpoint_slice_port", "shop/web-x", "", 5353, "udp"),
    }
