"""A dump without names keeps what policies and Services say with them: labels, selectors and ports."""

from liqo_connectivity.facts import KIND_BY_NAME, Fact, FactBase, Row, Source, decode_mapping, jsonl_lines, redact
from liqo_connectivity.facts.base.fact import pointer, segments
from liqo_connectivity.rules import relations
from tests.support.example_objects import ENDPOINT_SLICE, EVERY_FIELD, SERVICE


def rows(base: FactBase) -> dict[str, set[Row]]:
    return {relation: set(found) for relation, found in base.relations()}


def test_redaction_hides_labels_and_keeps_what_selectors_say() -> None:
    base = FactBase()
    policy = decode_mapping(KIND_BY_NAME["PeeringConnectivity"], EVERY_FIELD).facts
    source = Source("Pod", "acme", "web", "", "")
    labels = {"env": "test", "acme.io/tier": "gold", "team": "acme"}
    pod = [
        Fact(relations.PodLabel("acme/web", key, value), source, pointer("metadata", "labels", key), value)
        for key, value in labels.items()
    ]
    for facts in (policy, tuple(pod)):
        base.replace(facts[0].source.key, facts)
    redacted = redact(base)
    text = "\n".join(jsonl_lines(redacted))
    assert not [name for name in ("acme", "tier", "gold", "team", "env", "test", "legacy", '"web"') if name in text]
    assert redacted.counts() == base.counts()
    found = rows(redacted)
    assert {row[4] for row in found["policy_requirement"]} == {"In", "NotIn", "Exists", "DoesNotExist"}
    assert {row[3] for row in found["policy_port_protocol"]} == {"TCP", "UDP"}
    assert {row[3] for row in found["policy_party_cidr"]} == {"192.0.2.0/24"}
    # What the selectors mean: which values of a key they list, and which labels have those.
    for key, listed, had in (("env", 2, 1), ("acme.io/tier", 1, 1), ("team", 1, 1)):
        number = sorted({str(row[3]) for row in base.rows("policy_requirement")}).index(key)
        named = sorted({str(row[3]) for row in found["policy_requirement"]})[number]
        asked = {row[2] for row in found["policy_requirement"] if row[3] == named}
        values = {row[2] for row in found["policy_requirement_value"] if row[1] in asked}
        assert len(values) == listed
        assert len([row for row in found["pod_label"] if row[1] == named and row[2] in values]) == had
    assert {row[3] for row in found["policy_party_pod_selector"]} <= {row[1] for row in found["policy_requirement"]}
    fields = {fact.field: fact for fact in redacted.facts() if fact.relation == "pod_label"}
    assert {segments(field)[-1] for field in fields} == {fact.row[1] for fact in fields.values()}


def test_redaction_keeps_which_port_of_a_service_is_rewritten_to_which() -> None:
    base = FactBase()
    for kind, value in (("Service", SERVICE), ("EndpointSlice", ENDPOINT_SLICE)):
        facts = decode_mapping(KIND_BY_NAME[kind], value).facts
        base.replace(facts[0].source.key, facts)
    redacted = redact(base)
    assert "http" not in "\n".join(jsonl_lines(redacted))
    ours, theirs = redacted.rows("service_port"), redacted.rows("endpoint_slice_port")
    assert {row[1] for row in ours} == {row[1] for row in theirs} == {"", "port-1"}
