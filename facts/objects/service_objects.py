"""Typed models of Services and EndpointSlices, with only the fields that become facts.

They tell which address stands for which Pods. The command line reads them; the controller reads only the EndpointSlices
of the cluster's DNS.
"""

from typing import Final

from liqo_connectivity.facts.objects.fields import (
    AddressText,
    Name,
    NamespaceName,
    PlainText,
    PortNumber,
    ServiceAddress,
)
from liqo_connectivity.facts.objects.models import field, model

DNS_NAMESPACE: Final = "kube-system"
DNS_LABEL: Final = "k8s-app"
DNS_APP: Final = "kube-dns"
"""Where the Service of a cluster's DNS is, and what label it has, whichever server answers: its EndpointSlices too."""

HEADLESS: Final = "None"
"""What a Service without an address has for one."""


@model
class ServiceMetadata:
    name: Name
    namespace: NamespaceName
    uid: str = ""
    resource_version: str = field("resourceVersion", default="")


@model
class ServicePort:
    name: PlainText | None = None
    port: PortNumber
    protocol: PlainText | None = None
    node_port: PortNumber | None = field("nodePort", default=None)


@model
class ServiceSpec:
    type: PlainText | None = None
    cluster_ip: ServiceAddress | None = field("clusterIP", default=None)
    cluster_ips: tuple[ServiceAddress, ...] | None = field("clusterIPs", default=None)
    external_ips: tuple[AddressText, ...] | None = field("externalIPs", default=None)
    external_name: PlainText | None = field("externalName", default=None)
    ports: tuple[ServicePort, ...] | None = None


@model
class LoadBalancerIngress:
    ip: AddressText | None = None
    ip_mode: PlainText | None = field("ipMode", default=None)


@model
class LoadBalancerStatus:
    ingress: tuple[LoadBalancerIngress, ...] | None = None


@model
class ServiceStatus:
    load_balancer: LoadBalancerStatus | None = field("loadBalancer", default=None)


@model
class Service:
    """A core ``Service``."""

    metadata: ServiceMetadata
    spec: ServiceSpec | None = None
    status: ServiceStatus | None = None


@model
class SliceLabels:
    service_name: Name | None = field("kubernetes.io/service-name", default=None)
    app: str | None = field(DNS_LABEL, default=None)


@model
class SliceMetadata:
    name: Name
    namespace: NamespaceName
    uid: str = ""
    resource_version: str = field("resourceVersion", default="")
    labels: SliceLabels | None = None


@model
class SliceEndpoint:
    addresses: tuple[PlainText, ...] = ()


@model
class EndpointPort:
    """A port of the endpoints. Without a number it stands for all of them."""

    name: PlainText | None = None
    port: PortNumber | None = None
    protocol: PlainText | None = None


@model
class EndpointSlice:
    """A ``discovery.k8s.io`` EndpointSlice. Its addresses are host names if ``addressType`` is ``FQDN``."""

    metadata: SliceMetadata
    endpoints: tuple[SliceEndpoint, ...] | None = None
    ports: tuple[EndpointPort, ...] | None = None
