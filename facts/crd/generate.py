"""Writes the CustomResourceDefinitions from the models: ``python -m liqo_connectivity.facts.crd.generate FOLDER…``.

An API server accepts a small part of JSON Schema, a *structural* schema: no references, alternatives or titles.
"""

import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple, cast

import yaml
from pydantic import BaseModel

from liqo_connectivity.facts.crd.agent_objects import ConnectivityChain, ConnectivityNode, ConnectivitySetSlice
from liqo_connectivity.facts.crd.peering_connectivity import PeeringConnectivity
from liqo_connectivity.facts.extraction.kinds import KIND_BY_NAME

JsonSchema = Mapping[str, object]

GROUP: Final = KIND_BY_NAME[PeeringConnectivity.__name__].group

CATEGORY: Final = "liqo"
"""``kubectl get liqo`` lists the objects of Liqo's own category, and ours with them."""

_READY: Final = '.status.conditions[?(@.type=="Ready")]'
_AGE: Final = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


class Definition(NamedTuple):
    """A kind that is installed: its model, its names, the columns of kubectl, and whether its status is a subresource."""

    model: type[BaseModel]
    version: str
    plural: str
    short_name: str
    columns: tuple[JsonSchema, ...]
    has_status: bool = False
    is_namespaced: bool = True
    categories: tuple[str, ...] = ()
    file: str = ""

    @property
    def name(self) -> str:
        """The name of the CustomResourceDefinition."""
        return f"{self.plural}.{GROUP}"

    @property
    def file_name(self) -> str:
        """The name of the file that it is in."""
        return f"{self.file or f'crd-{self.plural}'}.yaml"


POLICY: Final = Definition(
    PeeringConnectivity,
    KIND_BY_NAME[PeeringConnectivity.__name__].version,
    KIND_BY_NAME[PeeringConnectivity.__name__].plural,
    "pcon",
    (
        {"name": "Ready", "type": "string", "jsonPath": f"{_READY}.status"},
        {"name": "Rules", "type": "integer", "jsonPath": ".status.rules"},
        {"name": "Members", "type": "integer", "jsonPath": ".status.members"},
        {"name": "Reason", "type": "string", "jsonPath": f"{_READY}.reason", "priority": 1},
        _AGE,
    ),
    has_status=True,
    categories=(CATEGORY,),
    file="crd",
)
_REVISION: Final = {"name": "Revision", "type": "integer", "jsonPath": ".spec.revision"}
CHAIN: Final = Definition(
    ConnectivityChain,
    "v1alpha1",
    "connectivitychains",
    "cchain",
    ({"name": "Policy", "type": "string", "jsonPath": ".spec.policy"}, _REVISION, _AGE),
    categories=(CATEGORY,),
)
SLICE: Final = Definition(
    ConnectivitySetSlice,
    "v1alpha1",
    "connectivitysetslices",
    "cslice",
    ({"name": "Chain", "type": "string", "jsonPath": ".spec.chain"}, _REVISION, _AGE),
)
NODE: Final = Definition(
    ConnectivityNode,
    "v1alpha1",
    "connectivitynodes",
    "cnode",
    (
        {"name": "Agent", "type": "string", "jsonPath": ".status.agentVersion"},
        {"name": "Renewed", "type": "date", "jsonPath": ".status.renewTime"},
        _AGE,
    ),
    # Only the agent of the node writes it, so one request makes it and one changes it.
    has_status=False,
    # As the Node is that owns it.
    is_namespaced=False,
)
DEFINITIONS: Final = (POLICY, CHAIN, SLICE, NODE)
# What every object has, and the server itself defines.
_OBJECT: Final = {
    "apiVersion": {"type": "string", "description": "The group and version of the schema that this object follows."},
    "kind": {"type": "string", "description": "The kind of this object."},
    "metadata": {"type": "object"},
}
_KEPT: Final = (
    *("description", "type", "format", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum"),
    *("minItems", "maxItems", "minProperties", "maxProperties", "required"),
    *("x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-validations"),
)


def custom_resource_definition(definition: Definition = POLICY) -> JsonSchema:
    """A CustomResourceDefinition, as an API server takes it."""
    kind = definition.model.__name__
    written: JsonSchema = definition.model.model_json_schema()
    schema = _structural(written, cast("Mapping[str, JsonSchema]", written["$defs"]))
    properties = cast("JsonSchema", schema["properties"])
    status: JsonSchema = {}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": definition.name},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": definition.plural,
                "singular": kind.lower(),
                "shortNames": [definition.short_name],
                **({"categories": list(definition.categories)} if definition.categories else {}),
            },
            "scope": "Namespaced" if definition.is_namespaced else "Cluster",
            "versions": [
                {
                    "name": definition.version,
                    "served": True,
                    "storage": True,
                    **({"subresources": {"status": status}} if definition.has_status else {}),
                    "additionalPrinterColumns": list(definition.columns),
                    "schema": {"openAPIV3Schema": {**schema, "properties": {**_OBJECT, **properties}}},
                }
            ],
        },
    }


def _structural(schema: JsonSchema, definitions: Mapping[str, JsonSchema]) -> JsonSchema:
    """A schema of pydantic's without references, and without null: a field is left out, never null."""
    written = {**schema, **_referenced(schema, definitions)}
    alternatives = cast("list[JsonSchema]", written.get("anyOf", []))
    [*others] = [each for each in alternatives if each.get("type") != "null"]
    if others:
        [only] = others
        # The description of a field is more than that of its type.
        written = {**only, **_referenced(only, definitions), **written}
    made: dict[str, object] = {key: written[key] for key in _KEPT if key in written}
    if "const" in written:
        made["enum"] = [written["const"]]
    if "description" in made:
        made["description"] = " ".join(inspect.cleandoc(str(made["description"])).split())
    if "properties" in written:
        properties = cast("Mapping[str, JsonSchema]", written["properties"])
        made["properties"] = {name: _structural(each, definitions) for name, each in properties.items()}
    if "items" in written:
        made["items"] = _structural(cast("JsonSchema", written["items"]), definitions)
    if isinstance(written.get("additionalProperties"), Mapping):
        made["additionalProperties"] = _structural(cast("JsonSchema", written["additionalProperties"]), definitions)
    return made


def _referenced(schema: JsonSchema, definitions: Mapping[str, JsonSchema]) -> JsonSchema:
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return {}
    definition = definitions[reference.rpartition("/")[2]]
    return {**definition, **{key: value for key, value in schema.items() if key == "description"}}


class _Dumper(yaml.SafeDumper):
    """Writes what occurs twice twice: an alias is correct YAML that nobody expects in a manifest."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def text(definition: Definition = POLICY) -> str:
    """A CustomResourceDefinition as YAML."""
    source = definition.model.__module__.rpartition(".")[2]
    header = f"# Generated by `make manifests` from facts/crd/{source}.py, and compared by a test. Edit the models instead.\n"
    return header + yaml.dump(custom_resource_definition(definition), Dumper=_Dumper, sort_keys=False, width=120)


if __name__ == "__main__":
    for folder in map(Path, sys.argv[1:]):
        for definition in DEFINITIONS:
            (folder / definition.file_name).write_text(text(definition), "utf-8")
