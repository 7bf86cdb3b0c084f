"""Typed models of the Namespaces, Liqo objects and policies that are read, with only the fields that become facts.

They say which shape a field has to have. They must not know what a fact is, or what makes a policy valid.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import AfterValidator, Discriminator, Field, Tag, ValidationInfo
from pydantic_core import PydanticCustomError

from liqo_connectivity.facts.objects.core_objects import ClusterMetadata
from liqo_connectivity.facts.objects.fields import (
    CidrText,
    Name,
    NamespaceName,
    PlainText,
    Timestamp,
    is_cluster_id,
)

REMOTE_CLUSTER: Final = "liqo.io/remote-cluster-id"
DEFAULT_STRATEGY: Final = "LocalAndRemote"
"""What Liqo's CustomResourceDefinition fills in for ``podOffloadingStrategy``."""
UNION_TAGS: Final = frozenset({"<list>", "<one>"})
"""What the decoder inserts into error paths for a field of two shapes; never a segment of a JSON pointer."""


def _tenant_cluster_id(value: str | None, info: ValidationInfo) -> str | None:
    if value is not None and info.data.get("tenant") == "true" and not is_cluster_id(value):
        raise PydanticCustomError("cluster_id", "is not a Liqo cluster id")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceLabels:
    """Labels of a Namespace. Liqo derives a peering from a tenant namespace's, so that one has to be a cluster id."""

    tenant: Annotated[str | None, Field(alias="liqo.io/tenant-namespace")] = None
    remote_cluster_id: Annotated[str | None, Field(alias=REMOTE_CLUSTER), AfterValidator(_tenant_cluster_id)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceAnnotations:
    managed_by: Annotated[str | None, Field(alias="liqo.io/managed-by-namespace-map")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceMetadata:
    name: NamespaceName
    uid: str = ""
    resource_version: Annotated[str, Field(alias="resourceVersion")] = ""
    deletion_timestamp: Annotated[str | None, Field(alias="deletionTimestamp")] = None
    labels: NamespaceLabels | None = None
    annotations: NamespaceAnnotations | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """A core ``Namespace``."""

    metadata: NamespaceMetadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Every label that is read from a namespaced Liqo object."""

    network_type: Annotated[str | None, Field(alias="ipam.liqo.io/network-type")] = None
    remote_cluster_id: Annotated[str | None, Field(alias=REMOTE_CLUSTER)] = None
    cidr_type: Annotated[str | None, Field(alias="configuration.liqo.io/cidr-type")] = None
    replication: Annotated[str | None, Field(alias="liqo.io/replication")] = None
    origin_id: Annotated[str | None, Field(alias="liqo.io/originID")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """Metadata of a namespaced Liqo object."""

    name: Name
    namespace: NamespaceName
    uid: str = ""
    resource_version: Annotated[str, Field(alias="resourceVersion")] = ""
    deletion_timestamp: Annotated[str | None, Field(alias="deletionTimestamp")] = None
    labels: Labels | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkCidr:
    cidr: CidrText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """An ``ipam.liqo.io`` Network, as Liqo up to 1.1 and from 1.2 on write it."""

    metadata: Metadata
    spec: NetworkCidr | None = None
    status: NetworkCidr | None = None


def _shape(value: object) -> str:
    return "<one>" if isinstance(value, str) else "<list>"


Cidrs = Annotated[
    Annotated[tuple[CidrText, ...], Tag("<list>")] | Annotated[CidrText, Tag("<one>")], Discriminator(_shape)
]
"""A list of CIDRs, or one CIDR, as Liqo before 1.0 wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationCidrs:
    pod: Cidrs | None = None
    external: Cidrs | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationSide:
    cidr: ConfigurationCidrs | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationSpec:
    remote: ConfigurationSide | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A ``networking.liqo.io`` Configuration."""

    metadata: Metadata
    spec: ConfigurationSpec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceOffloadingSpec:
    strategy: Annotated[PlainText | None, Field(alias="podOffloadingStrategy")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceOffloading:
    """An ``offloading.liqo.io`` NamespaceOffloading."""

    metadata: Metadata
    spec: NamespaceOffloadingSpec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingEntry:
    remote_namespace: Annotated[NamespaceName | None, Field(alias="remoteNamespace")] = None
    phase: PlainText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceMapStatus:
    current_mapping: Annotated[dict[NamespaceName, MappingEntry] | None, Field(alias="currentMapping")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceMap:
    """An ``offloading.liqo.io`` NamespaceMap."""

    metadata: Metadata
    status: NamespaceMapStatus | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSpec:
    cluster_id: Annotated[PlainText, Field(alias="clusterID")]


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualNode:
    """An ``offloading.liqo.io`` VirtualNode."""

    metadata: Metadata
    spec: ClusterSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantNamespace:
    local: PlainText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignClusterStatus:
    role: PlainText | None = None
    tenant_namespace: Annotated[TenantNamespace | None, Field(alias="tenantNamespace")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignCluster:
    """A ``core.liqo.io`` ForeignCluster."""

    metadata: ClusterMetadata
    spec: ClusterSpec
    status: ForeignClusterStatus | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A side of a rule, as written: which groups are valid, and that exactly one field is set, is for the rules."""

    group: PlainText | None = None
    namespace: NamespaceName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRule:
    action: PlainText | None = None
    source: Party | None = None
    destination: Party | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySpec:
    rules: tuple[PolicyRule, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyMetadata:
    name: Name
    namespace: NamespaceName
    uid: str = ""
    resource_version: Annotated[str, Field(alias="resourceVersion")] = ""
    creation_timestamp: Annotated[Timestamp | None, Field(alias="creationTimestamp")] = None
    deletion_timestamp: Annotated[str | None, Field(alias="deletionTimestamp")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeeringConnectivity:
    """A ``security.liqo.io`` PeeringConnectivity: the policy of one peering."""

    metadata: PolicyMetadata
    spec: PolicySpec | None = None
