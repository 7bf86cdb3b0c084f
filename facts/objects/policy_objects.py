"""Typed models of a policy, as it is stored. They are closed: a field that they do not declare is a fact too.

They check the shape of a field. Whether its value is valid is for the rules.
"""

from typing import Annotated, Final

from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import (
    any_schema,
    int_schema,
    no_info_after_validator_function,
    no_info_before_validator_function,
    str_schema,
)

from liqo_connectivity.facts.objects.fields import (
    LABEL_KEY_PATTERN,
    LABEL_VALUE_PATTERN,
    MAX_LABEL,
    CidrText,
    Name,
    NamespaceName,
    PlainText,
    Timestamp,
    is_label,
)
from liqo_connectivity.facts.objects.models import Shape, closed, field, model

Unread = Annotated[object, Shape(any_schema())]
"""A field that may hold anything, because nothing reads it."""

MAX_LABEL_KEY: Final = 317
"""The longest key of a label: a DNS subdomain of 253 characters, a slash, and a name of 63."""


def _rule_name(text: str) -> str:
    if not is_label(text):
        raise PydanticCustomError("rule_name", "is not a DNS label")
    return text


def _no_port_name(value: object) -> object:
    if isinstance(value, str) and not value.isdecimal():
        raise PydanticCustomError("port_name", "is not the number of a port")
    return value


LabelKey = Annotated[str, Shape(str_schema(max_length=MAX_LABEL_KEY, pattern=LABEL_KEY_PATTERN))]
LabelValue = Annotated[str, Shape(str_schema(max_length=MAX_LABEL, pattern=LABEL_VALUE_PATTERN))]
RuleName = Annotated[str, Shape(no_info_after_validator_function(_rule_name, str_schema()))]
PolicyPort = Annotated[
    int, Shape(no_info_before_validator_function(_no_port_name, int_schema(strict=True, ge=1, le=65535)))
]


@closed
@model
class SelectorRequirement:
    """An entry of ``matchExpressions``. Which operators there are, and what values they take, is for the rules."""

    key: LabelKey
    operator: PlainText
    values: tuple[LabelValue, ...] | None = None


@closed
@model
class LabelSelector:
    match_labels: dict[LabelKey, LabelValue] | None = field("matchLabels", default=None)
    match_expressions: tuple[SelectorRequirement, ...] | None = field("matchExpressions", default=None)


@closed
@model
class CidrBlock:
    cidr: CidrText
    excluded: tuple[CidrText, ...] | None = field("except", default=None)


@closed
@model
class Party:
    """A side of a rule, as written: which groups are valid, and which fields go together, is for the rules."""

    group: PlainText | None = None
    namespace: NamespaceName | None = None
    namespace_selector: LabelSelector | None = field("namespaceSelector", default=None)
    pod_selector: LabelSelector | None = field("podSelector", default=None)
    cidr: CidrBlock | None = None


@closed
@model
class RulePort:
    protocol: PlainText | None = None
    port: PolicyPort | None = None
    end_port: PolicyPort | None = field("endPort", default=None)


@closed
@model
class PolicyRule:
    name: RuleName | None = None
    action: PlainText | None = None
    source: Party | None = None
    destination: Party | None = None
    ports: tuple[RulePort, ...] | None = None


@closed
@model
class PolicySpec:
    default_action: PlainText | None = field("defaultAction", default=None)
    rules: tuple[PolicyRule, ...] | None = None


@model
class PolicyMetadata:
    name: Name
    namespace: NamespaceName
    uid: str = ""
    resource_version: str = field("resourceVersion", default="")
    creation_timestamp: Timestamp | None = field("creationTimestamp", default=None)
    deletion_timestamp: str | None = field("deletionTimestamp", default=None)


@closed
@model
class PeeringConnectivity:
    """A ``security.liqo.io`` PeeringConnectivity: the policy of one peering.

    Only the fields of Kubernetes itself may hold what is not declared here.
    """

    metadata: PolicyMetadata
    spec: PolicySpec
    api_version: Unread = field("apiVersion", default=None)
    kind: Unread = None
    status: Unread = None
