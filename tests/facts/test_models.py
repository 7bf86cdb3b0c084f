"""What a model accepts, what it says of anything else, and that it cannot be changed."""

from typing import Annotated

import pytest
from pydantic_core import ValidationError
from pydantic_core.core_schema import str_schema

from liqo_connectivity.facts.objects.models import Shape, field, model, validator


@model
class Tree:
    name: Annotated[str, Shape(str_schema(max_length=3))]
    label: str | None = field("example.com/label", default=None)
    leaf: bool = False
    parts: "tuple[Tree, ...]" = ()
    named: "dict[str, Tree] | None" = None


def decoded(value: object) -> Tree:
    found: Tree = validator(Tree).validate_python(value)
    return found


def test_a_field_is_read_by_its_alias_and_may_have_a_default() -> None:
    found = decoded({"name": "a", "example.com/label": "x", "label": "not read", "other": 1})
    assert (found.name, found.label, found.leaf, found.parts, found.named) == ("a", "x", False, (), None)


def test_a_model_may_hold_itself() -> None:
    found = decoded({"name": "a", "parts": [{"name": "b", "leaf": True}], "named": {"c": {"name": "c"}}})
    assert [(part.name, part.leaf) for part in found.parts] == [("b", True)]
    assert found.named is not None
    assert found.named["c"].parts == ()


@pytest.mark.parametrize(
    ("value", "place", "kind"),
    [
        ({}, ("name",), "missing"),
        ({"name": None}, ("name",), "string_type"),
        ({"name": "long"}, ("name",), "string_too_long"),
        ({"name": "a", "example.com/label": 1}, ("example.com/label",), "string_type"),
        ({"name": "a", "leaf": "true"}, ("leaf",), "bool_type"),
        ({"name": "a", "parts": "b"}, ("parts",), "tuple_type"),
        ({"name": "a", "parts": [{"name": "b", "parts": [{}]}]}, ("parts", 0, "parts", 0, "name"), "missing"),
        ({"name": "a", "named": {"b": 1}}, ("named", "b"), "dataclass_type"),
        ([], (), "dataclass_type"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(value: object, place: tuple[str | int, ...], kind: str) -> None:
    with pytest.raises(ValidationError) as caught:
        decoded(value)
    assert [(error["loc"], error["type"]) for error in caught.value.errors()] == [(place, kind)]


def test_nothing_can_be_set_on_an_instance() -> None:
    found = decoded({"name": "a"})
    with pytest.raises(AttributeError):
        found.name = "b"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(AttributeError):
        found.unknown = 1  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    assert not hasattr(found, "__dict__")
