"""The CustomResourceDefinition: generated from the API models, and in agreement with the decoder of stored objects."""

import json
import re
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from liqo_connectivity.facts import KIND_BY_NAME
from liqo_connectivity.facts.crd.generate import custom_resource_definition, text
from liqo_connectivity.facts.crd.peering_connectivity import PeeringConnectivity
from liqo_connectivity.facts.objects import policy_objects
from tests.support.checkout import ROOT
from tests.support.policy_documents import DOCUMENTS, Document, Object
from tests.support.policy_field_documents import FIELD_DOCUMENTS

EVERY = (*DOCUMENTS, *FIELD_DOCUMENTS)
KIND = KIND_BY_NAME["PeeringConnectivity"]


def strictly(document: Object) -> PeeringConnectivity:
    """What the API models make of an object; they know nothing of what every object has."""
    body = {key: value for key, value in document.items() if key in ("spec", "status")}
    return PeeringConnectivity.model_validate_json(json.dumps(body))


def leniently(document: Object) -> policy_objects.PeeringConnectivity:
    """What the decoder of stored objects makes of it."""
    found = KIND.from_mapping(document)
    assert isinstance(found, policy_objects.PeeringConnectivity)
    return found


def plain(value: object) -> Any:
    """What a decoded object was written as, by the names of its fields."""
    fields: dict[str, tuple[str, object]] | None = getattr(type(value), "__model_fields__", None)
    if isinstance(value, tuple):
        return [plain(each) for each in cast("tuple[object, ...]", value)]
    if fields is None:
        return value
    found = {alias: getattr(value, name) for name, (alias, _) in fields.items()}
    return {alias: plain(each) for alias, each in found.items() if each is not None}


def written(policy: PeeringConnectivity) -> Any:
    """The same of an object of the API models."""
    return policy.spec.model_dump(mode="json", by_alias=True, exclude_none=True)


@pytest.mark.parametrize("path", ["deploy/base/crd.yaml", "deploy/chart/crd.yaml"])
def test_the_definition_is_the_one_of_the_models(path: str) -> None:
    assert Path(ROOT, path).read_text("utf-8") == text(), "run `make manifests`"


def described(schema: Any, path: str = "") -> list[str]:
    """The fields of a structural schema without a description; texts in a list are described by the list."""
    plain_item = path.endswith("[]") and schema["type"] == "string"
    missing = [] if "description" in schema or path in ("", ".metadata") or plain_item else [path]
    for name, each in schema.get("properties", {}).items():
        missing += described(each, f"{path}.{name}")
    return missing + (described(schema["items"], f"{path}[]") if "items" in schema else [])


def test_every_field_is_described() -> None:
    definition: Any = custom_resource_definition()
    assert described(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]) == []


@pytest.mark.parametrize("document", EVERY, ids=lambda document: document.name)
def test_the_models_take_what_the_schema_takes(document: Document) -> None:
    """But for rules, which the API server alone evaluates."""
    policy = document.policy("liqo-tenant-milan")
    if document.refused is None or document.by_rule:
        assert written(strictly(policy)) == plain(leniently(policy).spec) == policy["spec"]
    else:
        with pytest.raises(ValidationError):
            strictly(policy)


def test_the_schema_takes_the_policies_of_the_documentation() -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", Path(ROOT, "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    found = [each for block in blocks for each in yaml.safe_load_all(block) if each.get("kind") == KIND.name]
    assert len(found) >= 2
    for policy in found:
        assert written(strictly(policy)) == plain(leniently(policy).spec) == policy["spec"]


names = st.from_regex("[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True) | st.text(max_size=8)
keys = st.from_regex("([a-z]{1,4}[.])?[a-z]{1,4}/[A-Za-z0-9]([-A-Za-z0-9_.]{0,5}[A-Za-z0-9])?", fullmatch=True) | names
values = st.from_regex("([A-Za-z0-9]([-A-Za-z0-9_.]{0,8}[A-Za-z0-9])?)?", fullmatch=True) | st.text(max_size=8)
requirements = st.fixed_dictionaries(
    {"key": keys, "operator": st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist", "Gt"])},
    optional={"values": st.lists(values, max_size=2)},
)
selectors = st.fixed_dictionaries(
    {},
    optional={
        "matchLabels": st.dictionaries(st.sampled_from(["app", "a.b/c"]), values, max_size=2),
        "matchExpressions": st.lists(requirements, max_size=2),
    },
)
cidrs = st.sampled_from(["192.0.2.0/24", "2001:db8::/32", "", "x"])
blocks = st.fixed_dictionaries({"cidr": cidrs}, optional={"except": st.lists(cidrs, max_size=2)})
parties = st.fixed_dictionaries(
    {},
    optional={
        "group": names,
        "namespace": names,
        "namespaceSelector": selectors,
        "podSelector": selectors,
        "cidr": blocks,
    },
)
numbers = st.integers(-1, 2) | st.integers(65534, 65537) | st.sampled_from(["80", "http", True, 1.5])
ports = st.fixed_dictionaries(
    {"protocol": st.sampled_from(["TCP", "UDP", "SCTP", "ICMP", "tcp"])}, optional={"port": numbers, "endPort": numbers}
)
some_rules = st.fixed_dictionaries(
    {"action": st.sampled_from(["allow", "deny", "reject"])},
    optional={"name": names, "source": parties, "destination": parties, "ports": st.lists(ports, max_size=2)},
)
specs = st.fixed_dictionaries(
    {"rules": st.lists(some_rules, max_size=2)}, optional={"defaultAction": st.sampled_from(["allow", "deny", ""])}
)


@settings(deadline=None)
@given(specs)
def test_what_the_schema_takes_is_decoded_to_the_same(spec: Object) -> None:
    policy = Document("drawn", spec).policy("liqo-tenant-milan")
    try:
        taken = strictly(policy)
    except ValidationError:
        return
    assert written(taken) == plain(leniently(policy).spec) == spec
