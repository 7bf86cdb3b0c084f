"""Typed models of Kubernetes' own kinds, with only the fields that become facts.

They check the shape of a field. Whether its value is valid is for the rules.
"""

from typing import Final

from liqo_connectivity.facts.objects.fields import AddressText, Name, NamespaceName, PlainText
from liqo_connectivity.facts.objects.models import field, model

FIREWALL_CRD: Final = "firewallconfigurations.networking.liqo.io"


@model
class PodAnnotations:
    """Annotations of a Pod: the networks that Multus attached it to, as JSON. Tenants write them too."""

    network_status: str | None = field("k8s.v1.cni.cncf.io/network-status", default=None)


@model
class PodMetadata:
    """Metadata of a Pod. Tenants write its labels, so any text is accepted."""

    name: Name
    namespace: NamespaceName
    uid: str = ""
    resource_version: str = field("resourceVersion", default="")
    labels: dict[str, str] | None = None
    annotations: PodAnnotations | None = None


@model
class PodSpec:
    node_name: PlainText | None = field("nodeName", default=None)
    host_network: bool | None = field("hostNetwork", default=None)


@model
class PodAddress:
    ip: AddressText | None = None


@model
class PodStatus:
    phase: PlainText | None = None
    pod_ip: AddressText | None = field("podIP", default=None)
    pod_ips: tuple[PodAddress, ...] | None = field("podIPs", default=None)


@model
class Pod:
    """A core ``Pod``."""

    metadata: PodMetadata
    spec: PodSpec | None = None
    status: PodStatus | None = None


@model
class NodeMetadata:
    name: Name
    uid: str = ""
    resource_version: str = field("resourceVersion", default="")
    labels: dict[str, str] | None = None


@model
class Taint:
    key: PlainText | None = None


@model
class NodeSpec:
    taints: tuple[Taint, ...] | None = None


@model
class NodeAddress:
    """An entry of a Node's addresses: of type InternalIP or ExternalIP an address, else a host name."""

    type: PlainText | None = None
    address: PlainText | None = None


@model
class NodeStatus:
    addresses: tuple[NodeAddress, ...] | None = None


@model
class Node:
    """A core ``Node``."""

    metadata: NodeMetadata
    spec: NodeSpec | None = None
    status: NodeStatus | None = None


@model
class OpenApiSchema:
    """The part of an OpenAPI v3 schema that says which fields exist."""

    properties: "dict[str, OpenApiSchema] | None" = None
    items: "OpenApiSchema | None" = None


@model
class VersionSchema:
    open_api: OpenApiSchema | None = field("openAPIV3Schema", default=None)


@model
class CrdVersion:
    name: PlainText
    served: bool = False
    storage: bool = False
    version_schema: VersionSchema | None = field("schema", default=None)


@model
class CrdSpec:
    versions: tuple[CrdVersion, ...] = ()


@model
class ClusterMetadata:
    """Metadata of a cluster-scoped object whose labels are not read."""

    name: Name
    uid: str = ""
    resource_version: str = field("resourceVersion", default="")


@model
class CustomResourceDefinition:
    """An ``apiextensions.k8s.io`` CustomResourceDefinition; only :data:`FIREWALL_CRD` is ever decoded."""

    metadata: ClusterMetadata
    spec: CrdSpec
