"""Objects are decoded from bytes and mappings alike, and whatever is wrong in one gives a problem and no traceback."""

import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqo_connectivity.facts import KIND_BY_NAME, decode_json, decode_mapping, kind_of
from liqo_connectivity.facts.base.fact import pointer, segments
from liqo_connectivity.facts.objects.fields import canonical_address
from tests.support.example_objects import CRD, EXAMPLES, POD, Json, changed


@pytest.mark.parametrize(
    ("api_version", "kind", "read"),
    [
        ("v1", "Pod", True),
        ("networking.liqo.io/v1beta1", "Configuration", True),
        ("networking.liqo.io/v1alpha1", "Configuration", True),
        ("networking.liqo.io/v2", "Configuration", False),
        ("security.liqo.io/v1", "PeeringConnectivity", True),
        ("security.liqo.io/v1alpha7", "PeeringConnectivity", False),
        ("security.liqo.io", "PeeringConnectivity", False),
        ("core/v1", "Pod", False),
        ("serving.knative.dev/v1", "Configuration", False),
        ("config.openshift.io/v1", "Network", False),
        ("example.com/v1", "Pod", False),
        ("v1", "Secret", False),
    ],
)
def test_kinds_are_matched_by_group_and_version(api_version: str, kind: str, read: bool) -> None:
    assert (kind_of(api_version, kind) is not None) == read


@pytest.mark.parametrize("kind", sorted(EXAMPLES))
def test_every_fact_points_to_its_value(kind: str) -> None:
    value = EXAMPLES[kind]
    for fact in decode_mapping(KIND_BY_NAME[kind], value).facts:
        found: Any = value
        for step in segments(fact.field):
            found = found[int(step)] if isinstance(found, list) else found[step]
        # The JSON inside an annotation has fields that no pointer reaches.
        inside = isinstance(found, dict | list) or fact.relation == "pod_interface"
        assert fact.value is True if inside else fact.value == found
        assert fact.source.kind == kind
        assert fact.source.name == value["metadata"]["name"]
        assert fact.source.namespace == value["metadata"].get("namespace", "")


def test_provenance_of_a_label() -> None:
    decoded = decode_mapping(KIND_BY_NAME["Pod"], POD)
    fact = next(fact for fact in decoded.facts if fact.relation == "pod_shadow")
    assert fact.field == "/metadata/labels/liqo.io~1shadowPod"
    assert (fact.source.uid, fact.source.resource_version) == ("u1", "7")
    assert len({id(other.source) for other in decoded.facts}) == 1


@pytest.mark.parametrize("kind", sorted(EXAMPLES))
def test_bytes_and_mappings_decode_alike(kind: str) -> None:
    data = json.dumps(EXAMPLES[kind]).encode()
    assert decode_json(KIND_BY_NAME[kind], data) == decode_mapping(KIND_BY_NAME[kind], EXAMPLES[kind])


@given(st.lists(st.text(min_size=1)))
def test_pointers_can_be_taken_apart(path: list[str]) -> None:
    assert segments(pointer(*path)) == tuple(path)


@given(st.ip_addresses())
def test_canonical_addresses_stay(address: object) -> None:
    text = canonical_address(str(address))
    assert canonical_address(text) == text


def _paths(value: object, path: str = "") -> list[str]:
    found = [path] if path else []
    if isinstance(value, dict):
        for key, inner in cast("Json", value).items():
            found += _paths(inner, path + pointer(key))
    return found


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(), st.lists(st.integers()), st.dictionaries(st.text(), st.text())
)


@given(st.data())
def test_junk_anywhere_gives_facts_or_one_problem(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(EXAMPLES)))
    path = data.draw(st.sampled_from(_paths(EXAMPLES[kind])))
    value = changed(EXAMPLES[kind], path, data.draw(JUNK))
    decoded = decode_mapping(KIND_BY_NAME[kind], value, "a.yaml")
    if decoded.problem is not None:
        assert [fact.relation for fact in decoded.facts] == ["unreadable"]
        assert str(decoded.problem).isprintable()
    for fact in decoded.facts:
        assert fact.source.key == decoded.key


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 100_000, b"\xff", b'{"metadata": "\\ud800"}'])
def test_bytes_that_are_no_object_give_a_problem(data: bytes) -> None:
    for kind in ("Pod", "CustomResourceDefinition"):
        decoded = decode_json(KIND_BY_NAME[kind], data)
        assert decoded.problem is not None
        assert [fact.relation for fact in decoded.facts] == ["unreadable"]


def test_a_problem_with_bytes_names_the_object() -> None:
    data = json.dumps(changed(POD, "/status/podIP", "x")).encode()
    decoded = decode_json(KIND_BY_NAME["Pod"], data)
    assert decoded.key == ("Pod", "shop", "web-0")
    assert decoded.facts[0].source[3:] == ("u1", "7")
    assert str(decoded.problem) == (
        'Pod shop/web-0: /status/podIP: "x" is not an IP address; write one IPv4 or IPv6 address'
    )


def test_a_schema_that_nests_without_end_is_malformed() -> None:
    nested: Json = {}
    for _ in range(900):
        nested = {"items": nested}
    value = changed(CRD, "/spec/versions/0/schema/openAPIV3Schema", nested)
    assert decode_mapping(KIND_BY_NAME["CustomResourceDefinition"], value).problem is not None
