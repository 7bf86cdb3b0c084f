"""Typed models of the Kubernetes objects that are read, with only the fields that become facts.

They say which shape a field has to have. They must not know what a fact is, or what makes a policy valid.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field, StrictBool

from liqo_connectivity.facts.objects.fields import AddressText, Name, NamespaceName, PlainText

FIREWALL_CRD: Final = "firewallconfigurations.networking.liqo.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodLabels:
    """Labels of a Pod. Tenants write them, so any text is accepted."""

    shadow_pod: Annotated[str | None, Field(alias="liqo.io/shadowPod")] = None
    origin: Annotated[str | None, Field(alias="offloading.liqo.io/origin")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PodMetadata:
    name: Name
    namespace: NamespaceName
    uid: str = ""
    resource_version: Annotated[str, Field(alias="resourceVersion")] = ""
    labels: PodLabels | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSpec:
    node_name: Annotated[PlainText | None, Field(alias="nodeName")] = None
    host_network: Annotated[StrictBool | None, Field(alias="hostNetwork")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PodAddress:
    ip: AddressText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PodStatus:
    phase: PlainText | None = None
    pod_ip: Annotated[AddressText | None, Field(alias="podIP")] = None
    pod_ips: Annotated[tuple[PodAddress, ...] | None, Field(alias="podIPs")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A core ``Pod``."""

    metadata: PodMetadata
    spec: PodSpec | None = None
    status: PodStatus | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLabels:
    type: Annotated[str | None, Field(alias="liqo.io/type")] = None
    remote_cluster_id: Annotated[str | None, Field(alias="liqo.io/remote-cluster-id")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeMetadata:
    name: Name
    uid: str = ""
    resource_version: Annotated[str, Field(alias="resourceVersion")] = ""
    labels: NodeLabels | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A core ``Node``."""

    metadata: NodeMetadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The part of an OpenAPI v3 schema that says which fields exist."""

    properties: "dict[str, Schema] | None" = None
    items: "Schema | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSchema:
    open_api: Annotated[Schema | None, Field(alias="openAPIV3Schema")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CrdVersion:
    name: PlainText
    served: StrictBool = False
    storage: StrictBool = False
    version_schema: Annotated[VersionSchema | None, Field(alias="schema")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CrdSpec:
    versions: tuple[CrdVersion, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterMetadata:
    """Metadata of a cluster-scoped object whose labels are not read."""

    name: Name
    uid: str = ""
    resource_version: Annotated[str, Field(alias="resourceVersion")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomResourceDefinition:
    """An ``apiextensions.k8s.io`` CustomResourceDefinition; only :data:`FIREWALL_CRD` is ever decoded."""

    metadata: ClusterMetadata
    spec: CrdSpec
