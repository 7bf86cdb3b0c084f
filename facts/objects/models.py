"""Typed models of objects: classes with slots, and the schema by which pydantic-core fills them.

pydantic would derive the same schemas from dataclasses. Importing what derives them, and deriving those of all kinds,
takes longer than all else that a command does with a few objects, so models are decoded by pydantic-core alone.
"""

from collections.abc import Sequence
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Final,
    NamedTuple,
    TypeVar,
    Union,
    cast,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic_core import SchemaValidator
from pydantic_core.core_schema import (
    CoreSchema,
    DataclassField,
    bool_schema,
    dataclass_args_schema,
    dataclass_field,
    dataclass_schema,
    definition_reference_schema,
    definitions_schema,
    dict_schema,
    nullable_schema,
    str_schema,
    tuple_variable_schema,
    with_default_schema,
)

_T = TypeVar("_T")

_FIELDS: Final = "__model_fields__"
_CLOSED: Final = "__model_closed__"
_REQUIRED: Final = object()


class Shape:
    """The schema of a type that needs more than its name: ``Annotated[str, Shape(str_schema(max_length=9))]``."""

    __slots__ = ("schema",)

    def __init__(self, schema: CoreSchema) -> None:
        self.schema = schema


class _Field(NamedTuple):
    alias: str
    default: object


def field(alias: str, *, default: object = _REQUIRED) -> Any:
    """Declare a field that objects write as ``alias``; one without a default is required."""
    return _Field(alias, default)


@dataclass_transform(eq_default=False, kw_only_default=True, frozen_default=True, field_specifiers=(field,))
def model(declared: type[_T]) -> type[_T]:
    """Make a model of a class whose body declares fields, as a dataclass does: ``name: type``, perhaps a default.

    A type is str, bool (never a text such as "true"), another model, one with a ``Shape``, ``X | None``,
    ``tuple[X, ...]`` or ``dict[X, Y]``. Only a validator makes instances, and they cannot be changed.
    """
    # Not by dataclasses: they write and compile six methods for each class, and a model is only filled and read.
    body = dict(vars(declared))
    fields = {name: _declared(name, body.pop(name, _REQUIRED)) for name in declared.__annotations__}
    for name in ("__dict__", "__weakref__"):
        body.pop(name, None)
    body.update({"__slots__": tuple(fields), "__setattr__": _refuse, "__delattr__": _refuse, _FIELDS: fields})
    return cast("type[_T]", type(declared.__name__, declared.__bases__, body))


def closed(declared: type[_T]) -> type[_T]:
    """Make a model refuse a field that it does not declare, and null for one that may be left out.

    For what people write by hand: a misspelt field, dropped in silence, would change what the rest means.
    """
    setattr(declared, _CLOSED, True)
    return declared


def names_at(decoded: type[object], path: Sequence[str]) -> tuple[str, ...]:
    """The names of the fields that a model declares at a path of names and indexes; none where there is no model."""
    found: Any = decoded
    for step in path:
        types = get_type_hints(found, include_extras=True) if hasattr(found, _FIELDS) else {}
        aliases = {alias: name for name, (alias, _) in getattr(found, _FIELDS, {}).items()}
        found = types.get(aliases.get(step, ""), found if step.isdecimal() else None)
        while found is not None and not hasattr(found, _FIELDS):
            found = next((each for each in get_args(found) if each not in (NoneType, ...)), None)
    return tuple(alias for alias, _ in getattr(found, _FIELDS, {}).values())


def _declared(name: str, value: object) -> _Field:
    return value if isinstance(value, _Field) else _Field(name, value)


def _refuse(instance: object, name: str, *_: object) -> None:
    raise AttributeError(f"{type(instance).__name__}.{name} cannot be changed")


def validator(decoded: type[object]) -> SchemaValidator:
    """Make what decodes JSON, or parsed objects, into a model; both ways raise ``pydantic_core.ValidationError``."""
    return SchemaValidator(_model_schema(decoded, {}))


def _model_schema(decoded: type[object], entered: dict[type[object], bool]) -> CoreSchema:
    """Derive the schema of a model. ``entered`` are the models around it, true for one that is met again."""
    if decoded in entered:
        entered[decoded] = True
        return definition_reference_schema(_reference(decoded))
    entered[decoded] = False
    types = get_type_hints(decoded, include_extras=True)
    fields: dict[str, _Field] = getattr(decoded, _FIELDS)
    arguments: list[DataclassField] = []
    is_closed = hasattr(decoded, _CLOSED)
    for name, (alias, default) in fields.items():
        schema = _schema(types[name], entered)
        if is_closed and schema["type"] == "nullable":
            schema = schema["schema"]
        if default is not _REQUIRED:
            schema = with_default_schema(schema, default=default)
        arguments.append(dataclass_field(name, schema, validation_alias=alias))
    title, recursive = decoded.__name__, entered.pop(decoded)
    reference = _reference(decoded) if recursive else None
    arguments_schema = dataclass_args_schema(title, arguments, extra_behavior="forbid" if is_closed else "ignore")
    made = dataclass_schema(decoded, arguments_schema, list(fields), slots=True, ref=reference)
    return definitions_schema(definition_reference_schema(reference), [made]) if reference else made


def _schema(annotation: Any, entered: dict[type[object], bool]) -> CoreSchema:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is str:
        return str_schema()
    if annotation is bool:
        return bool_schema(strict=True)
    if origin is Annotated:
        (shape,) = (each for each in arguments if isinstance(each, Shape))
        return shape.schema
    if origin in (Union, UnionType):
        (inner,) = (each for each in arguments if each is not NoneType)
        return nullable_schema(_schema(inner, entered))
    if origin is tuple:
        return tuple_variable_schema(_schema(arguments[0], entered))
    if origin is dict:
        keys, values = arguments
        return dict_schema(_schema(keys, entered), _schema(values, entered))
    return _model_schema(annotation, entered)


def _reference(decoded: type[object]) -> str:
    return f"{decoded.__module__}.{decoded.__qualname__}"
