"""What the fields of a policy assert: parties, selectors, ports, CIDRs and the default, all as written."""

from typing import Any

import pytest

from liqo_connectivity.facts import KIND_BY_NAME, decode_mapping
from liqo_connectivity.facts.base.fact import segments
from tests.support.example_objects import EVERY_FIELD, POLICY, changed, rows

SELECTOR = "/spec/rules/0/source/podSelector"
EXPRESSIONS = f"{SELECTOR}/matchExpressions"
PORT = "/spec/rules/0/ports/0/port"


def test_policy() -> None:
    key = "liqo-tenant-milan/guard"
    assert rows("PeeringConnectivity", POLICY) == {
        ("policy", key, "liqo-tenant-milan"),
        ("policy_tenant_name", key, "milan"),
        ("policy_created", key, 60),
        ("policy_terminating", key),
        ("policy_rule", key, 0),
        ("policy_action", key, 0, "allow"),
        ("policy_party", key, 0, "source"),
        ("policy_party_group", key, 0, "source", "vc-local"),
        ("policy_party", key, 0, "destination"),
        ("policy_party_namespace", key, 0, "destination", "shop"),
        ("policy_rule", key, 1),
        ("policy_action", key, 1, "nonsense"),
        ("policy_party", key, 1, "source"),
        ("policy_rule", key, 2),
        ("policy_unknown_field", key, "/spec/rules/1/priority"),
    }


@pytest.mark.parametrize("namespace", ["naples-tenant", "liqo-tenant-", "liqo-tenant-" + "a" * 51, "xliqo-tenant-a"])
def test_a_policys_namespace_names_a_cluster_only_as_liqo_names_it(namespace: str) -> None:
    value = changed(POLICY, "/metadata/namespace", namespace.removesuffix("-"))
    named = [row for row in rows("PeeringConnectivity", value) if row[0] == "policy_tenant_name"]
    assert len(named) == (namespace == "liqo-tenant-" + "a" * 51)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("2026-07-01T10:00:00Z", 1782900000),
        ("2026-07-01T12:00:00+02:00", 1782900000),
        ("2026-07-01T10:00:00.999999Z", 1782900000),
        ("2038-01-19T03:14:08Z", 2**31 - 2),
        ("9999-12-31T23:59:59Z", 2**31 - 2),
        ("0001-01-02T00:00:00Z", -(2**31)),
    ],
)
def test_time_of_creation(written: str, seconds: int) -> None:
    value = changed(POLICY, "/metadata/creationTimestamp", written)
    assert ("policy_created", "liqo-tenant-milan/guard", seconds) in rows("PeeringConnectivity", value)


def test_every_field_of_a_policy() -> None:
    key = "liqo-tenant-milan/guard"
    source = "acme.io/tier=gold,app=web"
    destination = "!acme-legacy,env,env notin (acme,test),team=acme"
    found = rows("PeeringConnectivity", EVERY_FIELD)
    assert {row for row in found if row[0] not in ("policy", "policy_tenant_name", "policy_rule", "policy_action")} == {
        ("policy_default", key, "deny"),
        ("policy_rule_name", key, 0, "web"),
        ("policy_party", key, 0, "source"),
        ("policy_party_group", key, 0, "source", "vc-local"),
        ("policy_party_pod_selector", key, 0, "source", source),
        ("policy_requirement", key, source, "app=web", "app", "In"),
        ("policy_requirement_value", key, "app=web", "web"),
        ("policy_requirement", key, source, "acme.io/tier=gold", "acme.io/tier", "In"),
        ("policy_requirement_value", key, "acme.io/tier=gold", "gold"),
        ("policy_party", key, 0, "destination"),
        ("policy_party_namespace_selector", key, 0, "destination", destination),
        ("policy_requirement", key, destination, "env notin (acme,test)", "env", "NotIn"),
        ("policy_requirement_value", key, "env notin (acme,test)", "acme"),
        ("policy_requirement_value", key, "env notin (acme,test)", "test"),
        ("policy_requirement", key, destination, "env", "env", "Exists"),
        ("policy_requirement", key, destination, "!acme-legacy", "acme-legacy", "DoesNotExist"),
        ("policy_requirement", key, destination, "team=acme", "team", "In"),
        ("policy_requirement_value", key, "team=acme", "acme"),
        ("policy_rule_ports", key, 0),
        ("policy_port", key, 0, 0),
        ("policy_port_protocol", key, 0, 0, "TCP"),
        ("policy_port_number", key, 0, 0, 443),
        ("policy_port", key, 0, 1),
        ("policy_port_protocol", key, 0, 1, "UDP"),
        ("policy_port_number", key, 0, 1, 5000),
        ("policy_port_end", key, 0, 1, 5010),
        ("policy_port", key, 0, 2),
        ("policy_party", key, 1, "destination"),
        ("policy_party_cidr", key, 1, "destination", "192.0.2.0/24"),
        ("policy_party_except", key, 1, "destination", "192.0.2.7/32"),
        ("policy_party_except", key, 1, "destination", "192.0.2.9/32"),
        ("policy_rule_ports", key, 1),
    }


def test_every_fact_of_a_policy_points_at_what_it_was_read_from() -> None:
    for fact in decode_mapping(KIND_BY_NAME["PeeringConnectivity"], EVERY_FIELD).facts:
        value: Any = EVERY_FIELD
        for step in segments(fact.field):
            value = value[int(step)] if isinstance(value, list) else value[step]
        assert value == fact.value or fact.value is True, fact


@pytest.mark.parametrize(
    ("expressions", "text"),
    [
        ([], ""),
        ([("a", "In", ["y", "x", "y"]), ("A", "Exists", None)], "A,a in (x,y)"),
        ([("a", "In", ["x", "x"]), ("a", "In", ["x"])], "a=x"),
        ([("a", "In", [""])], "a="),
        ([("a", "NotIn", ["x"])], "a notin (x)"),
        # What no selector means has a text that differs from the others.
        ([("a", "In", None)], "a in ()"),
        ([("a", "Exists", ["x"])], "a Exists (x)"),
        ([("a", "Gt", ["5"])], "a Gt (5)"),
    ],
)
def test_the_text_of_a_selector(expressions: list[tuple[str, str, list[str] | None]], text: str) -> None:
    written = [
        {"key": key, "operator": operator} | ({} if values is None else {"values": values})
        for key, operator, values in expressions
    ]
    found = rows("PeeringConnectivity", changed(EVERY_FIELD, SELECTOR, {"matchExpressions": written}))
    assert ("policy_party_pod_selector", "liqo-tenant-milan/guard", 0, "source", text) in found


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (PORT, "https", '"https" is not the number of a port'),
        (PORT, "443", '"443" must be a number'),
        (PORT, 0, "0 is not a port"),
        (PORT, 65536, "65536 is not a port"),
        (PORT, None, "null must be a number"),
        ("/spec/rules/0/name", "Web", '"Web" is not a DNS label'),
        ("/spec/rules/0/name", "", '"" is not a DNS label'),
        (f"{SELECTOR}/matchLabels/app", "web=1", '"web=1" is not the value of a label'),
        (f"{SELECTOR}/matchLabels/a=b", "", '"a=b" is not the key of a label'),
        (f"{EXPRESSIONS}", [{"key": "a,b", "operator": "Exists"}], '"a,b" is not the key of a label'),
        (f"{EXPRESSIONS}", [{"key": "a"}], "is missing"),
        (f"{SELECTOR}/matchLabels", None, "null must be an object"),
        ("/spec/defaultAction", None, "null must be a string"),
        ("/spec/rules/1/destination/cidr", "192.0.2.0/24", '"192.0.2.0/24" must be an object'),
    ],
)
def test_a_field_of_another_shape_makes_the_policy_unreadable(path: str, value: object, message: str) -> None:
    decoded = decode_mapping(KIND_BY_NAME["PeeringConnectivity"], changed(EVERY_FIELD, path, value))
    assert decoded.problem is not None
    assert decoded.problem.message == message
    assert [fact.relation for fact in decoded.facts] == ["unreadable"]
