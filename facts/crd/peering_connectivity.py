"""The PeeringConnectivity as the API server accepts it. Its CustomResourceDefinition is generated from these models.

They are strict: they say what may be stored. The models of ``liqo_objects`` are lenient: they decode what is stored,
by whichever schema, and rules say what is wrong with it. ``kubectl explain`` prints the descriptions of the fields.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from liqo_connectivity.facts.objects.fields import LABEL_KEY_PATTERN, LABEL_PATTERN, LABEL_VALUE_PATTERN, MAX_LABEL
from liqo_connectivity.facts.objects.policy_objects import MAX_LABEL_KEY

MAX_RULES: Final = 998
"""Fewer than the rules of one chain: many rules need more than one there, and rules/limits.dl says what fits."""
MAX_PORTS: Final = 100
MAX_EXCEPT: Final = 16
MAX_REQUIREMENTS: Final = 16
"""Of each kind, in one selector."""
MAX_VALUES: Final = 32
MAX_CIDR: Final = 43
"""Characters: an IPv6 address of 39, a slash and three digits."""
MAX_CONDITIONS: Final = 16

Rules = tuple[tuple[str, str], ...]
"""Rules of CEL, the expression language of the API server, each with the message of its refusal.

The server bounds what they may cost at worst. A rule that compares each name with all others, or looks at each key of a map,
exceeds that: rules/pending.dl refuses a name that occurs twice, and the decoder a key that none can have.
"""

_NAMESPACED: Final = "has(self.namespace) || has(self.namespaceSelector)"
_OF_PODS: Final = f"has(self.group) || {_NAMESPACED}"
_NO_PODS: Final = "['local-cluster', 'remote-cluster', 'private-subnets', 'internet', 'nameserver']"
_PARTY: Final[Rules] = (
    (
        f"{_OF_PODS} || has(self.podSelector) || has(self.cidr)",
        "a party names a group, a namespace, a namespaceSelector or a cidr; leave the party out to match anything",
    ),
    (
        f"!has(self.cidr) || !({_OF_PODS} || has(self.podSelector))",
        "a cidr is addresses of no pod, so nothing else goes with it",
    ),
    (
        "!(has(self.namespace) && has(self.namespaceSelector))",
        "a party names its namespaces by namespace or by namespaceSelector, not both",
    ),
    (
        f"!has(self.podSelector) || has(self.cidr) || {_OF_PODS}",
        "a podSelector needs a namespace, a namespaceSelector or a group of pods to select from",
    ),
    (
        f"!has(self.group) || !(self.group in {_NO_PODS}) || !({_NAMESPACED} || has(self.podSelector))",
        "only a group of pods can be narrowed by a namespace or a selector: offloaded, vc-local or vc-remote",
    ),
)
_SELECTOR: Final[Rules] = (
    (
        "(has(self.matchLabels) && size(self.matchLabels) > 0) || (has(self.matchExpressions) && size(self.matchExpressions) > 0)",
        "a selector needs a label; one without any would select everything",
    ),
)
_REQUIREMENT: Final[Rules] = (
    (
        "self.operator in ['In', 'NotIn'] == (has(self.values) && size(self.values) > 0)",
        "In and NotIn need values, Exists and DoesNotExist take none",
    ),
)
_CIDR: Final[Rules] = (
    (
        "isCIDR(self) && string(cidr(self).masked()) == self",
        "must be a CIDR in canonical form, without host bits, such as 192.0.2.0/24 or 2001:db8::/32",
    ),
)
_INSIDE: Final = "!isCIDR(inner) || (inner != self.cidr && cidr(self.cidr).containsCIDR(inner))"
_BLOCK: Final[Rules] = (
    (
        f"!has(self.except) || !isCIDR(self.cidr) || self.except.all(inner, {_INSIDE})",
        "each except must be inside cidr, of its family, and smaller",
    ),
)
_PORT: Final[Rules] = (
    ("self.protocol != 'ICMP' || !(has(self.port) || has(self.endPort))", "ICMP has no ports"),
    ("!has(self.endPort) || has(self.port)", "endPort needs port, the first of the range"),
    ("!has(self.endPort) || !has(self.port) || self.endPort >= self.port", "endPort must not be less than port"),
)


def checked(rules: Rules) -> dict[str, Any]:
    """What a schema says of rules."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in rules]}


_ATOMIC: Final[dict[str, Any]] = {"x-kubernetes-list-type": "atomic"}

Label = Annotated[str, Field(pattern=LABEL_PATTERN, min_length=1, max_length=MAX_LABEL)]
LabelValue = Annotated[str, Field(pattern=LABEL_VALUE_PATTERN, max_length=MAX_LABEL)]
Cidr = Annotated[str, Field(min_length=1, max_length=MAX_CIDR, json_schema_extra=checked(_CIDR))]
Port = Annotated[int, Field(ge=1, le=65535, json_schema_extra={"format": "int32"})]
Count = Annotated[int, Field(ge=0, json_schema_extra={"format": "int32"})]
Generation = Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})]


class ApiModel(BaseModel):
    """A part of the object: docstrings are descriptions, names are in camel case, unknown fields are refused."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True, alias_generator=to_camel
    )


class SelectorRequirement(ApiModel):
    """What a selector asks of one label."""

    model_config = ConfigDict(json_schema_extra=checked(_REQUIREMENT))

    key: Annotated[str, Field(pattern=LABEL_KEY_PATTERN, max_length=MAX_LABEL_KEY)]
    """The key of the label."""

    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """In, the label has one of the values; NotIn, it has none of them, or there is no such label; Exists, there is such a
    label; DoesNotExist, there is none."""

    values: Annotated[tuple[LabelValue, ...], Field(max_length=MAX_VALUES, json_schema_extra=_ATOMIC)] | None = None
    """The values, for In and NotIn."""


class LabelSelector(ApiModel):
    """A selector of Kubernetes: all its requirements have to hold. It has at least one."""

    model_config = ConfigDict(json_schema_extra=checked(_SELECTOR))

    match_labels: Annotated[dict[str, LabelValue], Field(max_length=MAX_REQUIREMENTS)] | None = None
    """Labels that have to be there, each with its value."""

    match_expressions: (
        Annotated[tuple[SelectorRequirement, ...], Field(max_length=MAX_REQUIREMENTS, json_schema_extra=_ATOMIC)] | None
    ) = None
    """Further requirements."""


class CidrBlock(ApiModel):
    """Addresses of one family."""

    model_config = ConfigDict(json_schema_extra=checked(_BLOCK))

    cidr: Cidr
    """A CIDR, IPv4 or IPv6, in canonical form."""

    excluded: Annotated[tuple[Cidr, ...], Field(max_length=MAX_EXCEPT, json_schema_extra=_ATOMIC)] | None = Field(
        default=None, alias="except"
    )
    """CIDRs inside it that do not belong to the party."""


class Party(ApiModel):
    """One side of a rule: a group, pods of some namespaces, or a CIDR."""

    model_config = ConfigDict(json_schema_extra=checked(_PARTY))

    group: Label | None = None
    """A resource group of this peering: local-cluster, remote-cluster, offloaded, vc-local, vc-remote, private-subnets,
    internet, nameserver, or one that the rule files of this installation define. If there is no such group, the policy is
    not enforced: its condition Accepted is False, with the reason InvalidPolicy."""

    namespace: Label | None = None
    """A namespace of this cluster: its live pods, local and shadow pods alike. With a group of pods: those of the group that
    are in the namespace."""

    namespace_selector: LabelSelector | None = None
    """Namespaces of this cluster, by their labels, instead of namespace."""

    pod_selector: LabelSelector | None = None
    """Of the pods of the namespaces or of the group, those with these labels. Who may label a pod decides whether it is
    selected. Liqo copies the labels of a pod to the other cluster, so a selector works on both sides of a peering."""

    cidr: CidrBlock | None = None
    """Addresses of one family, no matter what has them. They never widen what the policy governs."""


class RulePort(ApiModel):
    """Ports of the destination, of one protocol."""

    model_config = ConfigDict(json_schema_extra=checked(_PORT))

    protocol: Literal["TCP", "UDP", "SCTP", "ICMP"]
    """The protocol. In IPv6, ICMP is ICMPv6. Liqo's agents know no SCTP and no ICMP: while they enforce, a policy that
    names one of these waits, with the reason NotEnforceable."""

    port: Port | None = None
    """The port, a number. If it is left out, all ports of the protocol."""

    end_port: Port | None = None
    """The last port of a range that begins with port."""


class PolicyRule(ApiModel):
    """What to do with new connections from the source to the destination."""

    name: Label | None = None
    """A name for messages and reports, which no other rule of the policy has."""

    action: Literal["allow", "deny"]
    """What happens to a connection that this rule is the first to match. There is no default: a policy with a rule
    without an action, stored by an older schema, is not enforced until the action is added. Its condition Accepted is
    False, with the reason InvalidPolicy."""

    source: Party | None = None
    """Where the connection comes from. If it is left out, any source matches."""

    destination: Party | None = None
    """Where the connection goes to. If it is left out, any destination matches."""

    ports: (
        Annotated[tuple[RulePort, ...], Field(min_length=1, max_length=MAX_PORTS, json_schema_extra=_ATOMIC)] | None
    ) = None
    """The ports of the destination, one of which has to match. If it is left out, all traffic matches."""


class Spec(ApiModel):
    """Which traffic of the peering may pass."""

    default_action: Literal["allow", "deny"] | None = None
    """What happens to traffic of the peering that no rule matches. If it is left out, it passes."""

    rules: Annotated[tuple[PolicyRule, ...], Field(max_length=MAX_RULES, json_schema_extra=_ATOMIC)] | None = None
    """The rules in order: the first whose source, destination and ports all match decides. If none matches, defaultAction
    does. Established connections pass before any rule is tried."""


class Condition(ApiModel):
    """A condition, in the standard form of Kubernetes APIs."""

    type: Annotated[
        str,
        Field(
            max_length=316,
            pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
            r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
        ),
    ]
    """Which aspect: Accepted, the policy can be enforced; Programmed, its chain is stored as a FirewallConfiguration;
    Enforced, Liqo's agents have loaded it on every node; Ready, all of them."""

    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""

    observed_generation: Generation | None = None
    """The metadata.generation that the condition is about. If the current one is greater, the condition is outdated."""

    last_transition_time: AwareDatetime
    """When the status last changed."""

    reason: Annotated[str, Field(min_length=1, max_length=1024, pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
    """Why, as one word for programs."""

    message: Annotated[str, Field(max_length=32768)]
    """Why, as a sentence for people. It names the object at fault."""


class Status(ApiModel):
    """The state of the policy. Only the controller writes it."""

    observed_generation: Generation | None = None
    """The metadata.generation that this status is about."""

    rules: Count | None = None
    """The number of the policy's rules in the stored FirewallConfiguration. Not set while there is none."""

    members: Count | None = None
    """The number of addresses in the sets of the stored FirewallConfiguration. Not set while there is none."""

    conditions: (
        Annotated[
            tuple[Condition, ...],
            Field(
                max_length=MAX_CONDITIONS,
                json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
            ),
        ]
        | None
    ) = None
    """The conditions of the policy."""


class PeeringConnectivity(ApiModel):
    """Which traffic may pass between this cluster and a cluster peered by Liqo: the one in whose tenant namespace the
    object is. Of several in one namespace the oldest governs. The others have no effect, and their status says so."""

    spec: Spec
    """Which traffic of the peering may pass."""

    status: Status | None = None
    """The state of the policy. Only the controller writes it."""
