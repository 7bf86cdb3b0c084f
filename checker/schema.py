"""The form of a certificate: JSON as the published schema describes it, read and checked with the standard library alone.

Python's reader takes the last of two members of one name, and to Python ``true`` equals 1 and 1.0 equals 1. Here a member
that comes twice, and any number with a fraction, is refused, and a truth value is no number. Of JSON Schema (draft
2020-12), what the published schema uses is understood; a test keeps it so.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn, cast

from liqo_connectivity.checker.proof import RejectedError

Schema = Mapping[str, Any]

_NAMES: Final = {
    "object": "an object",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}
_TYPES: Final[Mapping[str, type]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
    "null": type(None),
}


class _FormError(Exception):
    """Where a value has another form, and what is wrong."""

    def __init__(self, pointer: str, problem: str) -> None:
        super().__init__(problem)
        self.pointer = pointer
        self.problem = problem


def read_certificate(text: str) -> object:
    """Read JSON. Raises RejectedError for other text, a member that comes twice and a number with a fraction."""

    def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise RejectedError("", "", f"the member {twice!r} comes twice in an object")
        return found

    def refuse(number: str) -> NoReturn:
        raise RejectedError("", "", f"it holds {number[:40]}, and its numbers are whole")

    try:
        return json.loads(text, object_pairs_hook=members, parse_float=refuse, parse_constant=refuse)
    except (ValueError, RecursionError):
        raise RejectedError("", "", "it is not JSON") from None


def check_form(document: object, schema: Schema) -> None:
    """Check a document against a schema. Raises RejectedError for the first place where it has another form."""
    try:
        _check(document, schema, "", schema)
    except _FormError as error:
        raise RejectedError(error.pointer, "", error.problem) from None
    except RecursionError:
        raise RejectedError("", "", "it is nested too deep") from None


def _check(value: object, schema: Schema, pointer: str, root: Schema) -> None:
    for keyword, wanted in schema.items():
        if keyword not in _IGNORED:
            _KEYWORDS[keyword](value, wanted, pointer, root)
    _parts(value, schema, pointer, root)
    if "if" in schema:
        branch = schema.get("then" if _fits(value, schema["if"], pointer, root) else "else")
        if branch is not None:
            _check(value, branch, pointer, root)


def _parts(value: object, schema: Schema, pointer: str, root: Schema) -> None:
    if isinstance(value, dict):
        _members(cast("dict[str, object]", value), schema, pointer, root)
    elif isinstance(value, list):
        first: Sequence[Schema] = schema.get("prefixItems", ())
        for number, item in enumerate(cast("list[object]", value)):
            own = first[number] if number < len(first) else schema.get("items")
            if own is not None:
                _check(item, own, f"{pointer}/{number}", root)


def _fits(value: object, schema: Schema, pointer: str, root: Schema) -> bool:
    try:
        _check(value, schema, pointer, root)
    except _FormError:
        return False
    return True


def _members(fields: Mapping[str, object], schema: Schema, pointer: str, root: Schema) -> None:
    known: Mapping[str, Schema] = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in fields:
            raise _FormError(pointer, f"it has no member {name!r}")
    for name, others in schema.get("dependentRequired", {}).items():
        if name in fields and not all(other in fields for other in others):
            raise _FormError(pointer, f"{name!r} stands with {' and '.join(map(repr, others))}")
    for name, value in fields.items():
        place = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
        if name in known:
            _check(value, known[name], place, root)
        elif schema.get("additionalProperties", True) is False:
            raise _FormError(place, "there is no such member")


def _is(value: object, wanted: object) -> bool:
    """Return whether a value is the same JSON value as a scalar: to Python, ``True`` equals 1."""
    return type(value) is type(wanted) and value == wanted


def _type(value: object, wanted: str | list[str], pointer: str, _: Schema) -> None:
    names = [wanted] if isinstance(wanted, str) else wanted
    if type(value) not in [_TYPES[name] for name in names]:
        raise _FormError(pointer, f"{' or '.join(_NAMES[name] for name in names)} is needed here")


def _enum(value: object, wanted: list[object], pointer: str, _: Schema) -> None:
    if not any(_is(value, one) for one in wanted):
        raise _FormError(pointer, f"one of {', '.join(map(str, wanted))} is needed here")


def _const(value: object, wanted: object, pointer: str, _: Schema) -> None:
    if not _is(value, wanted):
        raise _FormError(pointer, f"{wanted} is needed here")


def _reference(value: object, wanted: str, pointer: str, root: Schema) -> None:
    _check(value, root["$defs"][wanted.removeprefix("#/$defs/")], pointer, root)


def _one_of(value: object, wanted: list[Schema], pointer: str, root: Schema) -> None:
    """Check a choice; the error is that of the choice that gets furthest into the value."""
    errors: list[_FormError] = []
    for schema in wanted:
        try:
            _check(value, schema, pointer, root)
        except _FormError as error:
            errors.append(error)
        else:
            return
    raise max(errors, key=lambda error: error.pointer.count("/"))


def _contains(value: object, wanted: Schema, pointer: str, root: Schema) -> None:
    if isinstance(value, list) and not any(_fits(item, wanted, pointer, root) for item in cast("list[object]", value)):
        raise _FormError(pointer, "none of its items is the one that is needed")


def _pattern(value: object, wanted: str, pointer: str, _: Schema) -> None:
    if isinstance(value, str) and not re.search(wanted, value):
        raise _FormError(pointer, f"it does not match {wanted}")


def _bound(
    name: str, holds: Callable[[int, int], bool], size: Callable[[Any], int], kinds: tuple[type, ...]
) -> "_Keyword":
    def check(value: object, wanted: int, pointer: str, _: Schema) -> None:
        if type(value) in kinds and not holds(size(value), wanted):
            raise _FormError(pointer, f"its {name} is {wanted}")

    return check


def _least(size: int, wanted: int) -> bool:
    return size >= wanted


def _most(size: int, wanted: int) -> bool:
    return size <= wanted


_Keyword = Callable[[Any, Any, str, Schema], None]
_IGNORED: Final = frozenset(
    {
        "$schema", "$id", "$defs", "title", "description",
        # _check and _members look at these themselves.
        "if", "then", "else", "properties", "required", "dependentRequired", "additionalProperties", "items", "prefixItems",
    }
)  # fmt: skip
_KEYWORDS: Final[Mapping[str, _Keyword]] = {
    "$ref": _reference,
    "anyOf": _one_of,
    "const": _const,
    "contains": _contains,
    "enum": _enum,
    "maxItems": _bound("greatest length", _most, len, (list,)),
    "maximum": _bound("greatest value", _most, int, (int,)),
    "minItems": _bound("least length", _least, len, (list,)),
    "minLength": _bound("least length", _least, len, (str,)),
    "minimum": _bound("least value", _least, int, (int,)),
    "oneOf": _one_of,
    "pattern": _pattern,
    "type": _type,
}


UNDERSTOOD: Final = _IGNORED | _KEYWORDS.keys()
"""The keywords that a schema may use."""
