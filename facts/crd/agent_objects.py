"""The objects that carry chains to nodes and tell of them, as the API server accepts them; their definitions are generated.

``chains/published/`` writes and reads chains and slices and checks them strictly. What a schema can say of them is said here:
a server refuses what has another form, and revisions that fall.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, ConfigDict, Field

from liqo_connectivity.facts.crd.peering_connectivity import ApiModel, Label, Rules, checked
from liqo_connectivity.facts.objects.fields import LABEL_PATTERN, MAX_CLUSTER_ID, MAX_LABEL, SUBDOMAIN_PATTERN

MAX_NAME: Final = 253
MAX_REVISION: Final = 2**53 - 1
MAX_RULES: Final = 10_400
"""No more fit into an object of 1 MiB."""
MAX_COUNTERS: Final = 1_024
"""A policy has at most 998 rules, and a few more stand around them."""
MAX_SETS: Final = 4_096
MAX_SLICES: Final = 1_024
MAX_SLICE_ADDRESSES: Final = 128
MAX_CIDRS: Final = 4_096
MAX_PORTS: Final = 4_096
MAX_CHAINS: Final = 256
"""Chains that one node tells of."""
MAX_ERROR: Final = 1_024
SET_NAME_PATTERN: Final = r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$"
RULE_NAME_PATTERN: Final = r"^r[0-9]{3,5}-[a-z0-9-]+-[0-9a-f]{12}$"

_RISES: Final[Rules] = (
    ("self.revision >= oldSelf.revision", "revision must not fall"),
    ("self.hash == oldSelf.hash || self.revision > oldSelf.revision", "a changed content needs a greater revision"),
)
_SLICE: Final[Rules] = (*_RISES, ("self.chain == oldSelf.chain", "a slice stays with its chain"))
_NAMED: Final[Rules] = (("self.spec.peering == self.metadata.name", "a chain has the name of its peering"),)


_ATOMIC: Final[dict[str, Any]] = {"x-kubernetes-list-type": "atomic"}
"""Of every list: one writer has the whole object, and a list with keys would have each of its items in managedFields."""
_ONE: Final[dict[str, Any]] = {"minProperties": 1, "maxProperties": 1}

Revision = Annotated[int, Field(ge=1, le=MAX_REVISION, json_schema_extra={"format": "int64"})]
Hash = Annotated[str, Field(pattern="^[0-9a-f]{16}$", max_length=16)]
ClusterId = Annotated[str, Field(pattern=LABEL_PATTERN, min_length=1, max_length=MAX_CLUSTER_ID)]
ObjectName = Annotated[str, Field(pattern=SUBDOMAIN_PATTERN, min_length=1, max_length=MAX_NAME)]
SetName = Annotated[str, Field(pattern=SET_NAME_PATTERN, max_length=200)]
CidrText = Annotated[str, Field(min_length=1, max_length=43)]
AddressText = Annotated[str, Field(min_length=1, max_length=39)]
PortNumber = Annotated[int, Field(ge=0, le=65535, json_schema_extra={"format": "int32"})]
ShortText = Annotated[str, Field(min_length=1, max_length=120)]
RuleLabel = Annotated[str, Field(pattern="^[a-z]+(-[0-9]+)?$", max_length=120)]


class Ends(ApiModel):
    """One side of a rule: any address, CIDRs, or a set. Exactly one of the three."""

    model_config = ConfigDict(json_schema_extra=_ONE)

    any: Literal[True] | None = None
    """Any address. It is written out, because a field that is absent was perhaps lost."""

    cidrs: (
        Annotated[tuple[CidrText, ...], Field(min_length=1, max_length=MAX_CIDRS, json_schema_extra=_ATOMIC)] | None
    ) = None
    """CIDRs of the family of the table, sorted, none in another."""

    set: SetName | None = None
    """A set of the table."""


class PortRange(ApiModel):
    """A port of the destination, or a range."""

    port: PortNumber
    """The port, or the first of the range."""

    end_port: PortNumber | None = None
    """The last port of the range."""


class ChainRule(ApiModel):
    """A rule. All that it names has to hold of a packet."""

    name: Annotated[str, Field(pattern=RULE_NAME_PATTERN, max_length=120)]
    """The name, which holds a hash of this rule and of all before it."""

    verdict: Literal["accept", "drop"]
    """What happens to a packet that no rule before this one matched."""

    states: Annotated[tuple[ShortText, ...], Field(min_length=1, max_length=5, json_schema_extra=_ATOMIC)] | None = None
    """States of conntrack, any of which the connection is in."""

    icmpv6_types: (
        Annotated[tuple[ShortText, ...], Field(min_length=1, max_length=15, json_schema_extra=_ATOMIC)] | None
    ) = Field(default=None, alias="icmpv6Types")
    """Types of ICMPv6, by the names of nft, any of which the packet is."""

    source: Ends
    """Where the connection comes from."""

    destination: Ends
    """Where the connection goes to."""

    protocol: Literal["TCP", "UDP", "SCTP", "ICMP"] | None = None
    """The protocol of the connection. In IPv6, ICMP is ICMPv6. If it is left out, any."""

    ports: (
        Annotated[tuple[PortRange, ...], Field(min_length=1, max_length=MAX_PORTS, json_schema_extra=_ATOMIC)] | None
    ) = None
    """Ports of the destination, one of which has to match. If it is left out, any."""


class ChainTable(ApiModel):
    """The table of one family."""

    family: Literal["IPv4", "IPv6"]
    """The family whose packets it judges."""

    present: bool
    """Whether there is a table. If it is false, one that is there goes."""

    sets: Annotated[tuple[SetName, ...], Field(max_length=MAX_SETS, json_schema_extra=_ATOMIC)]
    """The names of its sets. What is in them is in the slices."""

    rules: Annotated[tuple[ChainRule, ...], Field(max_length=MAX_RULES, json_schema_extra=_ATOMIC)]
    """The rules in order: the first that matches decides."""


class Counter(ApiModel):
    """The counters of one rule of the policy."""

    rule: RuleLabel
    """The rule, as it is called in the names of rules."""

    name: Annotated[str, Field(pattern="^[a-z0-9-]+$", max_length=130)]
    """How the names of its counters begin."""


class SliceReference(ApiModel):
    """A slice that the chain needs."""

    name: ObjectName
    """The name of the ConnectivitySetSlice, in the same namespace."""

    revision: Revision
    """The least revision of it that the chain may be used with."""


class ChainSpec(ApiModel):
    """The rules of both families, and where the addresses in their sets are."""

    model_config = ConfigDict(json_schema_extra=checked(_RISES))

    peering: ClusterId
    """The cluster id of the peering."""

    policy: ObjectName
    """The PeeringConnectivity that it is written for, in the same namespace."""

    revision: Revision
    """The version. It only rises, even when the object is deleted and made again."""

    hash: Hash
    """A hash of all other fields: what does not fit it is not used."""

    counters: Annotated[tuple[Counter, ...], Field(max_length=MAX_COUNTERS, json_schema_extra=_ATOMIC)]
    """The names of the counters of each rule of the policy."""

    tables: Annotated[tuple[ChainTable, ...], Field(min_length=2, max_length=2, json_schema_extra=_ATOMIC)]
    """The table of IPv4 and that of IPv6."""

    slices: Annotated[tuple[SliceReference, ...], Field(max_length=MAX_SLICES, json_schema_extra=_ATOMIC)]
    """The slices with the addresses of the sets. Until all of them are there, the version before stays in use."""


class ConnectivityChain(ApiModel):
    """The chains of one peering, for the agents on nodes. The controller writes it from the policy of the peering."""

    model_config = ConfigDict(json_schema_extra=checked(_NAMED))

    spec: ChainSpec
    """The rules of both families, and where the addresses in their sets are."""


class SliceMembers(ApiModel):
    """Addresses that are in the same sets."""

    sets: Annotated[tuple[SetName, ...], Field(min_length=1, max_length=MAX_SETS, json_schema_extra=_ATOMIC)]
    """The names of all sets that they are in."""

    addresses: Annotated[
        tuple[AddressText, ...], Field(min_length=1, max_length=MAX_SLICE_ADDRESSES, json_schema_extra=_ATOMIC)
    ]
    """The addresses, of either family."""


class SliceSpec(ApiModel):
    """Some addresses of the sets of a chain."""

    model_config = ConfigDict(json_schema_extra=checked(_SLICE))

    chain: ClusterId
    """The name of the ConnectivityChain that they are for, in the same namespace."""

    revision: Revision
    """The version. It only rises."""

    hash: Hash
    """A hash of all other fields: what does not fit it is not used."""

    members: Annotated[tuple[SliceMembers, ...], Field(max_length=MAX_SLICE_ADDRESSES, json_schema_extra=_ATOMIC)]
    """At most 128 addresses, by the sets that they are in."""


class ConnectivitySetSlice(ApiModel):
    """A part of the addresses of a peering's sets, small enough to be sent to every node with each change."""

    spec: SliceSpec
    """Some addresses of the sets of a chain."""


class NodeChain(ApiModel):
    """What a node has of one chain."""

    namespace: Label
    """The namespace of the ConnectivityChain."""

    name: ClusterId
    """The name of the ConnectivityChain."""

    revision: Annotated[int, Field(ge=0, le=MAX_REVISION, json_schema_extra={"format": "int64"})]
    """The revision that is in the node's kernel. 0, none."""

    error: Annotated[str, Field(max_length=MAX_ERROR)] | None = None
    """Why a later revision could not be applied, in the words of the kernel."""


class NodeStatus(ApiModel):
    """What the agent of a node has applied."""

    agent_version: Annotated[str, Field(max_length=MAX_LABEL)]
    """The version of the agent."""

    renew_time: AwareDatetime
    """When the agent last wrote this. It writes when a revision or an error changes, and every few minutes."""

    chains: Annotated[tuple[NodeChain, ...], Field(max_length=MAX_CHAINS, json_schema_extra=_ATOMIC)]
    """The chains that it knows."""


class ConnectivityNode(ApiModel):
    """What one node enforces. Its name is the node's, and the agent of that node alone writes it."""

    status: NodeStatus
    """What the agent of the node has applied."""
