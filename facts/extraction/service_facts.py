"""The facts of Services and EndpointSlices: which addresses nodes rewrite, and to which."""

from collections.abc import Iterator

from liqo_connectivity.facts.base.fact import Fact, Source, pointer
from liqo_connectivity.facts.objects import service_objects
from liqo_connectivity.facts.objects.fields import canonical_address
from liqo_connectivity.facts.objects.service_objects import DNS_APP, DNS_LABEL, HEADLESS
from liqo_connectivity.rules import relations

_SERVICE_NAME = pointer("metadata", "labels", "kubernetes.io/service-name")
_APP = pointer("metadata", "labels", DNS_LABEL)
_PROXY = "Proxy"


def extract_service(service: service_objects.Service) -> tuple[Fact, ...]:
    """The facts of a Service: existence, addresses, ports, node ports, and the host of an ExternalName."""
    metadata = service.metadata
    key = f"{metadata.namespace}/{metadata.name}"
    source = Source("Service", metadata.namespace, metadata.name, metadata.uid, metadata.resource_version)
    facts = [Fact(relations.Service(key, metadata.namespace), source, "/metadata/name", metadata.name)]
    seen: set[str] = set()
    for field, written in _addresses(service):
        address = canonical_address(written)
        if address not in seen:
            seen.add(address)
            facts.append(Fact(relations.ServiceIp(key, address), source, field, written))
    facts += _proxied(key, source, service.status)
    spec = service.spec
    if spec is None:
        return tuple(facts)
    if spec.type == "ExternalName" and spec.external_name is not None:
        row = relations.ServiceExternalName(key, spec.external_name)
        facts.append(Fact(row, source, "/spec/externalName", spec.external_name))
    for index, port in enumerate(spec.ports or ()):
        protocol = (port.protocol or "TCP").lower()
        where = f"/spec/ports/{index}"
        row_port = relations.ServicePort(key, port.name or "", port.port, protocol)
        facts.append(Fact(row_port, source, f"{where}/port", port.port))
        if port.node_port:
            node_port = relations.ServiceNodePort(key, port.node_port, protocol)
            facts.append(Fact(node_port, source, f"{where}/nodePort", port.node_port))
    return tuple(facts)


def _addresses(service: service_objects.Service) -> Iterator[tuple[str, str]]:
    """The fields with addresses of a Service, and what is written there."""
    spec = service.spec
    if spec is not None:
        if spec.cluster_ip and spec.cluster_ip != HEADLESS:
            yield "/spec/clusterIP", spec.cluster_ip
        for index, address in enumerate(spec.cluster_ips or ()):
            if address and address != HEADLESS:
                yield f"/spec/clusterIPs/{index}", address
        for index, address in enumerate(spec.external_ips or ()):
            if address:
                yield f"/spec/externalIPs/{index}", address
    for index, ingress in _ingress(service.status):
        if ingress.ip:
            yield f"/status/loadBalancer/ingress/{index}/ip", ingress.ip


def _ingress(
    status: service_objects.ServiceStatus | None,
) -> Iterator[tuple[int, service_objects.LoadBalancerIngress]]:
    balancer = status.load_balancer if status is not None else None
    return enumerate(balancer.ingress or ()) if balancer is not None else iter(())


def _proxied(key: str, source: Source, status: service_objects.ServiceStatus | None) -> Iterator[Fact]:
    for index, ingress in _ingress(status):
        if ingress.ip and ingress.ip_mode == _PROXY:
            row = relations.ServiceIpProxied(key, canonical_address(ingress.ip))
            yield Fact(row, source, f"/status/loadBalancer/ingress/{index}/ipMode", _PROXY)


def extract_endpoint_slice(found: service_objects.EndpointSlice) -> tuple[Fact, ...]:
    """The facts of an EndpointSlice: existence, its Service, whether that is the cluster's DNS, addresses and ports."""
    metadata = found.metadata
    key = f"{metadata.namespace}/{metadata.name}"
    source = Source("EndpointSlice", metadata.namespace, metadata.name, metadata.uid, metadata.resource_version)
    facts = [Fact(relations.EndpointSlice(key, metadata.namespace), source, "/metadata/name", metadata.name)]
    labels = metadata.labels
    if labels is not None and labels.service_name is not None:
        service = f"{metadata.namespace}/{labels.service_name}"
        facts.append(Fact(relations.EndpointSliceService(key, service), source, _SERVICE_NAME, labels.service_name))
    if labels is not None and labels.app == DNS_APP:
        facts.append(Fact(relations.EndpointSliceDns(key), source, _APP, DNS_APP))
    seen: set[str] = set()
    for index, endpoint in enumerate(found.endpoints or ()):
        for number, written in enumerate(endpoint.addresses):
            address = _address(written)
            if address and address not in seen:
                seen.add(address)
                row = relations.EndpointSliceAddress(key, address)
                facts.append(Fact(row, source, f"/endpoints/{index}/addresses/{number}", written))
    for index, port in enumerate(found.ports or ()):
        if port.port is not None:
            protocol = (port.protocol or "TCP").lower()
            row_port = relations.EndpointSlicePort(key, port.name or "", port.port, protocol)
            facts.append(Fact(row_port, source, f"/ports/{index}/port", port.port))
    return tuple(facts)


def _address(written: str) -> str:
    try:
        return canonical_address(written)
    except ValueError:
        # A host name.
        return ""
