"""Typed models of Namespaces and Liqo's kinds, with only the fields that become facts.

They check the shape of a field. Whether its value is valid is for the rules.
"""

from typing import Annotated, Final

from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import (
    ValidationInfo,
    any_schema,
    nullable_schema,
    str_schema,
    tagged_union_schema,
    tuple_variable_schema,
    with_info_after_validator_function,
)

from liqo_connectivity.facts.objects.core_objects import ClusterMetadata
from liqo_connectivity.facts.objects.fields import (
    CIDR_TEXT,
    CidrText,
    Name,
    NamespaceName,
    PlainText,
    is_cluster_id,
)
from liqo_connectivity.facts.objects.models import Shape, field, model

REMOTE_CLUSTER: Final = "liqo.io/remote-cluster-id"
DEFAULT_STRATEGY: Final = "LocalAndRemote"
"""What Liqo's CustomResourceDefinition fills in for ``podOffloadingStrategy``."""
UNION_TAGS: Final = frozenset({"<list>", "<one>"})
"""What the decoder inserts into error paths for a field of two shapes; never a segment of a JSON pointer."""


def _tenant_cluster_id(value: str | None, info: ValidationInfo) -> str | None:
    if value is not None and info.data.get("tenant") == "true" and not is_cluster_id(value):
        raise PydanticCustomError("cluster_id", "is not a Liqo cluster id")
    return value


_TenantClusterId = Annotated[
    str | None, Shape(with_info_after_validator_function(_tenant_cluster_id, nullable_schema(str_schema())))
]


@model
class NamespaceLabels:
    """Labels of a Namespace. Liqo derives a peering from a tenant namespace's, so that one has to be a cluster id."""

    tenant: str | None = field("liqo.io/tenant-namespace", default=None)
    remote_cluster_id: _TenantClusterId = field(REMOTE_CLUSTER, default=None)


@model
class NamespaceAnnotations:
    managed_by: str | None = field("liqo.io/managed-by-namespace-map", default=None)


@model
class NamespaceMetadata:
    name: NamespaceName
    uid: str = ""
    resource_version: str = field("resourceVersion", default="")
    deletion_timestamp: str | None = field("deletionTimestamp", default=None)
    labels: NamespaceLabels | None = None
    every_label: dict[str, str] | None = field("labels", default=None)
    annotations: NamespaceAnnotations | None = None


@model
class Namespace:
    """A core ``Namespace``."""

    metadata: NamespaceMetadata


@model
class Labels:
    """Every label that is read from a namespaced Liqo object."""

    network_type: str | None = field("ipam.liqo.io/network-type", default=None)
    remote_cluster_id: str | None = field(REMOTE_CLUSTER, default=None)
    cidr_type: str | None = field("configuration.liqo.io/cidr-type", default=None)
    replication: str | None = field("liqo.io/replication", default=None)


@model
class Metadata:
    """Metadata of a namespaced Liqo object."""

    name: Name
    namespace: NamespaceName
    uid: str = ""
    resource_version: str = field("resourceVersion", default="")
    deletion_timestamp: str | None = field("deletionTimestamp", default=None)
    labels: Labels | None = None


@model
class NetworkCidr:
    cidr: CidrText | None = None


@model
class Network:
    """An ``ipam.liqo.io`` Network, as Liqo up to 1.1 and from 1.2 on write it."""

    metadata: Metadata
    spec: NetworkCidr | None = None
    status: NetworkCidr | None = None


def _shape(value: object) -> str:
    return "<one>" if isinstance(value, str) else "<list>"


Cidrs = Annotated[
    tuple[str, ...] | str,
    Shape(tagged_union_schema({"<list>": tuple_variable_schema(CIDR_TEXT), "<one>": CIDR_TEXT}, _shape)),
]
"""A list of CIDRs, or one CIDR, as Liqo before 1.0 wrote it."""


@model
class ConfigurationCidrs:
    pod: Cidrs | None = None
    external: Cidrs | None = None


@model
class ConfigurationSide:
    cidr: ConfigurationCidrs | None = None


@model
class ConfigurationSpec:
    """Of the spec, or of the status."""

    remote: ConfigurationSide | None = None


@model
class Configuration:
    """A ``networking.liqo.io`` Configuration."""

    metadata: Metadata
    spec: ConfigurationSpec | None = None
    status: ConfigurationSpec | None = None


_AnyValue = Annotated[object, Shape(any_schema())]


@model
class ClusterSelector:
    terms: tuple[_AnyValue, ...] | None = field("nodeSelectorTerms", default=None)


@model
class NamespaceOffloadingSpec:
    strategy: PlainText | None = field("podOffloadingStrategy", default=None)
    cluster_selector: ClusterSelector | None = field("clusterSelector", default=None)


@model
class RemoteNamespaceCondition:
    type: PlainText | None = None
    status: PlainText | None = None


@model
class NamespaceOffloadingStatus:
    """``conditions`` are keyed by the name of a NamespaceMap."""

    conditions: dict[Name, tuple[RemoteNamespaceCondition, ...]] | None = field(
        "remoteNamespacesConditions", default=None
    )


@model
class NamespaceOffloading:
    """An ``offloading.liqo.io`` NamespaceOffloading."""

    metadata: Metadata
    spec: NamespaceOffloadingSpec | None = None
    status: NamespaceOffloadingStatus | None = None


@model
class NamespaceMapStatus:
    """The remote cluster may write it, so one bad entry must not hide the others: extraction reads them one by one."""

    current_mapping: _AnyValue = field("currentMapping", default=None)


@model
class NamespaceMap:
    """An ``offloading.liqo.io`` NamespaceMap."""

    metadata: Metadata
    status: NamespaceMapStatus | None = None


@model
class ClusterSpec:
    cluster_id: PlainText = field("clusterID")


@model
class VirtualNodeSpec:
    cluster_id: PlainText = field("clusterID")
    labels: dict[str, str] | None = None


@model
class VirtualNode:
    """An ``offloading.liqo.io`` VirtualNode."""

    metadata: Metadata
    spec: VirtualNodeSpec


@model
class TenantNamespace:
    local: PlainText | None = None


@model
class ForeignClusterStatus:
    role: PlainText | None = None
    tenant_namespace: TenantNamespace | None = field("tenantNamespace", default=None)


@model
class ForeignCluster:
    """A ``core.liqo.io`` ForeignCluster."""

    metadata: ClusterMetadata
    spec: ClusterSpec
    status: ForeignClusterStatus | None = None
