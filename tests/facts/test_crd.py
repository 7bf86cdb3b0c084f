"""The CustomResourceDefinition: generated from the API models, and in agreement with the decoder of stored objects."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from liqo_connectivity.facts import KIND_BY_NAME
from liqo_connectivity.facts.crd.generate import custom_resource_definition, text
from liqo_connectivity.facts.crd.peering_connectivity import PeeringConnectivity
from liqo_connectivity.facts.objects import policy_objects
from tests.support.checkout import ROOT
from tests.support.policy_documents import DOCUMENTS, Document, Object, rules

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


def written(policy: PeeringConnectivity | policy_objects.PeeringConnectivity) -> list[Any]:
    """The rules of either model, comparable."""
    found: list[Any] = []
    for each in (policy.spec.rules if policy.spec else None) or ():
        parties = [(side.group, side.namespace) if side else None for side in (each.source, each.destination)]
        found.append((each.action, *parties))
    return found


@pytest.mark.parametrize("path", ["deploy/base/crd.yaml", "deploy/chart/crd.yaml"])
def test_the_definition_is_the_one_of_the_models(path: str) -> None:
    assert Path(ROOT, path).read_text("utf-8") == text(), "run `make manifests`"


def described(schema: Any, path: str = "") -> list[str]:
    """The fields of a structural schema without a description."""
    missing = [] if "description" in schema or path in ("", ".metadata") else [path]
    for name, each in schema.get("properties", {}).items():
        missing += described(each, f"{path}.{name}")
    return missing + (described(schema["items"], f"{path}[]") if "items" in schema else [])


def test_every_field_is_described() -> None:
    definition: Any = custom_resource_definition()
    assert described(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_the_models_take_what_the_schema_takes(document: Document) -> None:
    policy = document.policy("liqo-tenant-milan")
    if document.refused is None:
        assert written(strictly(policy)) == written(leniently(policy))
    else:
        with pytest.raises(ValidationError):
            strictly(policy)


labels = st.from_regex("[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
names = labels | st.text(max_size=8)
parties = st.fixed_dictionaries({}, optional={"group": names, "namespace": names})
some_rules = st.fixed_dictionaries(
    {"action": st.sampled_from(["allow", "deny", "reject"])}, optional={"source": parties, "destination": parties}
)


@settings(deadline=None)
@given(st.lists(some_rules, max_size=3))
def test_what_the_schema_takes_is_decoded_to_the_same_rules(given_rules: list[Object]) -> None:
    policy = Document("drawn", rules(*given_rules)).policy("liqo-tenant-milan")
    try:
        taken = strictly(policy)
    except ValidationError:
        return
    assert (
        written(taken)
        == written(leniently(policy))
        == [(each["action"], *(_drawn(each.get(side)) for side in ("source", "destination"))) for each in given_rules]
    )


def _drawn(party: Object | None) -> tuple[str | None, str | None] | None:
    return None if party is None else (party.get("group"), party.get("namespace"))
