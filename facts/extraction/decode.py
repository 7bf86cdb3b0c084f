"""Untrusted objects in, facts out. An object that cannot be decoded becomes a problem and an ``unreadable`` fact.

Nothing is skipped silently.
"""

from collections.abc import Mapping
from re import compile as pattern
from typing import Final, NamedTuple, cast

from pydantic_core import ErrorDetails, ValidationError, from_json

from liqo_connectivity.facts.base.fact import Fact, ObjectKey, pointer
from liqo_connectivity.facts.base.problems import Problem, one_line, show, unreadable
from liqo_connectivity.facts.extraction.extract import KubernetesObject, extract, labels_of
from liqo_connectivity.facts.extraction.kinds import Kind
from liqo_connectivity.facts.extraction.label_facts import Labels
from liqo_connectivity.facts.extraction.policy_facts import unknown_policy_field
from liqo_connectivity.facts.objects.core_objects import FIREWALL_CRD
from liqo_connectivity.facts.objects.field_names import policy_field_hint
from liqo_connectivity.facts.objects.fields import (
    LABEL_KEY_PATTERN,
    LABEL_PATTERN,
    LABEL_VALUE_PATTERN,
    MAX_CLUSTER_ID,
    MAX_LABEL,
    PRINTABLE_PATTERN,
    SUBDOMAIN_PATTERN,
)
from liqo_connectivity.facts.objects.liqo_objects import UNION_TAGS

_NAME = pattern(SUBDOMAIN_PATTERN.replace("$", r"\Z"))

_CRD: Final = "CustomResourceDefinition"
_UNKNOWN: Final = "unexpected_keyword_argument"
_MISSING: Final = "missing"
NO_SUCH_FIELD: Final = "there is no such field"
_MAX_UNKNOWN: Final = 20
"""How many unknown fields of one object are named; a policy with one is invalid already."""

# What is wrong and what to do, for each type of error of pydantic and of facts.objects.fields.
_OBJECT: Final = "must be an object"
_MESSAGES: Final[Mapping[str, tuple[str, str]]] = {
    _MISSING: ("is missing", "add it"),
    "string_type": ("must be a string", "put it in quotes"),
    "string_unicode": ("is not valid Unicode", "repair the text"),
    "bool_type": ("must be true or false", "write it without quotes"),
    "int_type": ("must be a number", "write it without quotes"),
    "greater_than_equal": ("is not a port", "write a number from 1 to 65535"),
    "less_than_equal": ("is not a port", "write a number from 1 to 65535"),
    "dict_type": (_OBJECT, "correct the indentation or the type"),
    "dataclass_type": (_OBJECT, "correct the indentation or the type"),
    "tuple_type": ("must be a list", "write each item with a dash or in brackets"),
    "string_too_long": ("is too long", "shorten it"),
    "port_name": ("is not the number of a port", "write a number from 1 to 65535: a policy takes no names of ports"),
    "rule_name": ("is not a DNS label", f"use at most {MAX_LABEL} lower-case letters, digits and dashes"),
    "address": ("is not an IP address", "write one IPv4 or IPv6 address"),
    "cluster_id": (
        "is not a Liqo cluster id",
        f"use at most {MAX_CLUSTER_ID} lower-case letters, digits and dashes, as Liqo does",
    ),
    "timestamp": ("is not a timestamp", "write it as 2026-07-01T10:00:00Z"),
}
_PATTERNS: Final[Mapping[str, tuple[str, str]]] = {
    SUBDOMAIN_PATTERN: ("is not a Kubernetes name", "use lower-case letters, digits, dashes and dots"),
    LABEL_PATTERN: ("is not a Kubernetes namespace name", "use lower-case letters, digits and dashes"),
    LABEL_KEY_PATTERN: ("is not the key of a label", "write it as app, or as example.com/app"),
    LABEL_VALUE_PATTERN: ("is not the value of a label", "use letters, digits, dashes, underscores and dots"),
    PRINTABLE_PATTERN: ("has control characters", "remove them"),
}


class Decoded(NamedTuple):
    """What one object asserts: its facts, or if it is malformed, that it is unreadable, and the problem.

    ``labels`` are those of a Pod or a Namespace: which of them become facts, policies say.
    """

    key: ObjectKey
    facts: tuple[Fact, ...]
    problem: Problem | None
    labels: Labels = ()


def decode_json(kind: Kind, data: bytes, file: str = "") -> Decoded:
    """The facts of one object of a kind from its JSON text, straight into typed form. Never raises."""
    try:
        if kind.name == _CRD:
            return decode_mapping(kind, from_json(data), file)
        decoded = kind.from_json(data)
    except ValidationError:
        try:
            mapping: object = from_json(data)
        except ValueError:
            return _not_json(kind, file)
        return decode_mapping(kind, mapping, file)
    except ValueError:
        return _not_json(kind, file)
    return _decoded(decoded)


def decode_mapping(kind: Kind, value: object, file: str = "") -> Decoded:
    """The facts of one object of a kind from its parsed form (dict, list, str, int, float, bool, None). Never raises.

    A CustomResourceDefinition other than that of Liqo's FirewallConfiguration has no facts and is not decoded. A field that
    a closed model does not declare is a fact.
    """
    if kind.name == _CRD:
        name = name_at(value, "metadata", "name")
        if name not in ("", FIREWALL_CRD):
            return Decoded(ObjectKey(kind.name, "", name), (), None)
    try:
        found = kind.from_mapping(value)
    except ValidationError as error:
        unknown = _unknown_fields(error)
        if not unknown:
            return _malformed(kind, value, error, file)
        decoded = decode_mapping(kind, _without(value, unknown), file)
        if decoded.problem is not None:
            # What is missing is perhaps there under another name.
            field = one_line(pointer(*min(unknown, key=str)))
            problem = decoded.problem._replace(field=field, message=NO_SUCH_FIELD, help=policy_field_hint(field))
            source = decoded.facts[0].source
            return malformed(problem, source.uid, source.resource_version)
        source = decoded.facts[0].source
        fields = sorted({one_line(pointer(*path)) for path in unknown})[:_MAX_UNKNOWN]
        return decoded._replace(facts=(*decoded.facts, *(unknown_policy_field(source, field) for field in fields)))
    return _decoded(found)


def _decoded(found: KubernetesObject) -> Decoded:
    facts = extract(found)
    return Decoded(facts[0].source.key, facts, None, labels_of(found))


def _unknown_fields(error: ValidationError) -> list[tuple[str | int, ...]]:
    """The paths of the fields that a closed model does not declare, if nothing else is wrong but that some are missing."""
    details = error.errors(include_url=False, include_input=False, include_context=False)
    if {each["type"] for each in details} > {_UNKNOWN, _MISSING}:
        return []
    return [each["loc"] for each in details if each["type"] == _UNKNOWN]


def _without(value: object, paths: list[tuple[str | int, ...]]) -> object:
    """A copy of a parsed object without the fields at some paths."""
    below: dict[str | int, list[tuple[str | int, ...]]] = {}
    for first, *rest in paths:
        below.setdefault(first, []).append(tuple(rest))
    if isinstance(value, list):
        items = cast("list[object]", value)
        return [_without(item, below[at]) if at in below else item for at, item in enumerate(items)]
    fields = cast("dict[str, object]", value)
    kept = {name: inner for name, inner in fields.items() if () not in below.get(name, [])}
    return {name: _without(inner, below[name]) if name in below else inner for name, inner in kept.items()}


def malformed(problem: Problem, uid: str = "", resource_version: str = "") -> Decoded:
    """The one fact about an object that cannot be decoded: it is unreadable."""
    key, fact = unreadable(problem, uid, resource_version)
    return Decoded(key, (fact,), problem)


def text_at(value: object, *path: str) -> str:
    """The text at a path of an object of unknown shape, or empty."""
    for step in path:
        if not isinstance(value, dict):
            return ""
        value = cast("dict[str, object]", value).get(step)
    return value if isinstance(value, str) else ""


def name_at(value: object, *path: str) -> str:
    """The text at a path if it can be the name of an object, or empty."""
    text = text_at(value, *path)
    return text if len(text) <= 253 and _NAME.match(text) else ""


def _not_json(kind: Kind, file: str) -> Decoded:
    return malformed(Problem(file, 0, kind.name, message="is not JSON", help="check what produced it"))


def _malformed(kind: Kind, value: object, error: ValidationError, file: str) -> Decoded:
    details = error.errors(include_url=False)
    message, help_text = _explain(details[0])
    if len(details) > 1:
        message += f" (and {len(details) - 1} more)"
    namespace = name_at(value, "metadata", "namespace") if kind.namespaced else ""
    problem = Problem(
        file=file,
        kind=kind.name,
        namespace=namespace,
        name=name_at(value, "metadata", "name"),
        field=one_line(_pointer(details[0])),
        message=message,
        help=help_text,
    )
    return malformed(problem, text_at(value, "metadata", "uid"), text_at(value, "metadata", "resourceVersion"))


def _pointer(details: ErrorDetails) -> str:
    return pointer(*(step for step in details["loc"] if step not in UNION_TAGS and step != "[key]"))


def _explain(details: ErrorDetails) -> tuple[str, str]:
    error_type = details["type"]
    if error_type == "string_pattern_mismatch":
        message, help_text = _PATTERNS[details.get("ctx", {})["pattern"]]
    else:
        message, help_text = _MESSAGES.get(error_type, (details["msg"], ""))
    return (message, help_text) if error_type == _MISSING else (f"{show(details['input'])} {message}", help_text)
