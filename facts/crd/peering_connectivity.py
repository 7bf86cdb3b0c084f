"""The PeeringConnectivity as the API server accepts it. Its CustomResourceDefinition is generated from these models.

They are strict: they say what may be stored. The models of ``liqo_objects`` are lenient: they decode what is stored,
by whichever schema, and rules say what is wrong with it. ``kubectl explain`` prints the descriptions of the fields.
"""

from typing import Annotated, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from liqo_connectivity.facts.objects.fields import LABEL_PATTERN

MAX_RULES: Final = 998
"""Fewer than the rules of one chain: many rules need more than one there, and rules/limits.dl says what fits."""
MAX_CONDITIONS: Final = 16

_ONE_OF: Final = "exactly one of group and namespace must be set; leave the party out to match anything"

Label = Annotated[str, Field(pattern=LABEL_PATTERN, min_length=1, max_length=63)]
Count = Annotated[int, Field(ge=0, json_schema_extra={"format": "int32"})]
Generation = Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})]


class ApiModel(BaseModel):
    """A part of the object: docstrings are descriptions, names are in camel case, unknown fields are refused."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True, alias_generator=to_camel
    )


class Party(ApiModel):
    """One side of a rule: exactly one of group and namespace."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [{"rule": "has(self.group) != has(self.namespace)", "message": _ONE_OF}]
        }
    )

    group: Label | None = None
    """A resource group of this peering: local-cluster, remote-cluster, offloaded, vc-local, vc-remote, private-subnets,
    or one that the rule files of this installation define. If there is no such group, the policy is not enforced: its
    condition Accepted is False, with the reason InvalidPolicy."""

    namespace: Label | None = None
    """A namespace of this cluster: all its live pods, local and shadow pods alike."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.group is None) == (self.namespace is None):
            raise ValueError(_ONE_OF)
        return self


class PolicyRule(ApiModel):
    """What to do with new connections from the source to the destination."""

    action: Literal["allow", "deny"]
    """What happens to a connection that this rule is the first to match. There is no default: a policy with a rule
    without an action, stored by an older schema, is not enforced until the action is added. Its condition Accepted is
    False, with the reason InvalidPolicy."""

    source: Party | None = None
    """Where the connection comes from. If it is left out, any source matches."""

    destination: Party | None = None
    """Where the connection goes to. If it is left out, any destination matches."""


class Spec(ApiModel):
    """Which traffic of the peering may pass."""

    rules: (
        Annotated[
            tuple[PolicyRule, ...], Field(max_length=MAX_RULES, json_schema_extra={"x-kubernetes-list-type": "atomic"})
        ]
        | None
    ) = None
    """The rules in order: the first whose source and destination both match decides. If none matches, the traffic
    passes. Established connections pass before any rule is tried."""


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
