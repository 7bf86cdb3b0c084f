"""The definitions of the objects for agents: generated, described, and in agreement with those who write and read the objects."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from liqo_connectivity.chains import Layout, assemble_agent, limits, publication, published_objects
from liqo_connectivity.facts.crd import agent_objects
from liqo_connectivity.facts.crd.agent_objects import ConnectivityChain, ConnectivityNode, ConnectivitySetSlice
from liqo_connectivity.facts.crd.generate import DEFINITIONS, Definition, custom_resource_definition, text
from tests.facts.test_crd import described
from tests.support.chain_layouts import Relations, random_relations
from tests.support.checkout import ROOT
from tests.support.seeds import examples

MODELS: dict[str, type[BaseModel]] = {
    each.__name__: each for each in (ConnectivityChain, ConnectivitySetSlice, ConnectivityNode)
}


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda each: each.plural)
@pytest.mark.parametrize("folder", ["deploy/base", "deploy/chart"])
def test_each_definition_is_the_one_of_its_model(folder: str, definition: Definition) -> None:
    assert Path(ROOT, folder, definition.file_name).read_text("utf-8") == text(definition), "run `make manifests`"


def test_no_other_definition_is_installed() -> None:
    for folder in ("deploy/base", "deploy/chart"):
        assert {path.name for path in Path(ROOT, folder).glob("crd*.yaml")} == {each.file_name for each in DEFINITIONS}


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda each: each.plural)
def test_every_field_is_described(definition: Definition) -> None:
    made: Any = custom_resource_definition(definition)
    assert described(made["spec"]["versions"][0]["schema"]["openAPIV3Schema"]) == []


@settings(max_examples=examples(60), deadline=None)
@given(random_relations(nft=True), st.integers(1, 2**53 - 1))
def test_the_models_take_all_that_is_published(made: Relations, revision: int) -> None:
    for part in Layout.from_relations(made).by_peering().values():
        four, six = assemble_agent(part)
        for each in published_objects(publication((four, six), revision)):
            read = MODELS[each["kind"]].model_validate_json(json.dumps({"spec": each["spec"]}))
            assert read.model_dump(mode="json", by_alias=True, exclude_none=True)["spec"] == each["spec"]


@pytest.mark.parametrize("name", ["MAX_REVISION", "MAX_SETS", "MAX_SLICES", "MAX_SLICE_ADDRESSES"])
def test_both_rooms_have_the_same_bounds(name: str) -> None:
    assert getattr(agent_objects, name) == getattr(limits, name)


def test_more_rules_than_the_schema_takes_do_not_fit_into_an_object() -> None:
    least = {
        "name": "r000-rule-0-000000000000",
        "verdict": "drop",
        "source": {"any": True},
        "destination": {"any": True},
    }
    assert agent_objects.MAX_RULES * len(json.dumps(least, separators=(",", ":"))) > limits.MAX_OBJECT_BYTES
