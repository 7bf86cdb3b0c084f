"""A destination that is a Service: nodes rewrite it to an endpoint before a chain sees the packet, so `why` asks about each.

Rules say which endpoints a Service has, and whether all of them are known.
"""

from collections.abc import Callable, Iterable
from typing import Final

import click

from liqo_connectivity.engine import Model
from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.explain.endpoints import Endpoint, Port, UnknownEndpointError, numeric

RELATIONS: Final = ("service_target", "service_endpoint", "service_target_port")
"""The relations that the endpoints of a Service are read from."""

Solve = Callable[[Iterable[str]], Model]
"""Derives relations."""


def is_service(endpoint: Endpoint, base: FactBase) -> bool:
    """Whether an endpoint is a Service or an address of one."""
    return endpoint.kind == "service" or (endpoint.kind == "ip" and bool(_services_at(endpoint.name, base)))


def service_targets(
    solve: Solve, base: FactBase, endpoint: Endpoint, port: Port | None
) -> list[tuple[str, Port | None]]:
    """List the addresses to which nodes rewrite a Service, or an address of Services, each with its port, sorted.

    Nodes rewrite the port too, to that which the EndpointSlice lists under the name of the Service's port. An endpoint
    whose EndpointSlice lists none has no port: a verdict that hangs on it is unknown. The address itself is among them
    if the endpoints of one of its Services are not known: rules then say that the verdict is unknown. Raises
    click.UsageError for a Service that does not exist, has no such port or is an ExternalName, UnknownEndpointError for
    one without known endpoints.
    """
    if endpoint.kind == "service":
        _check(endpoint.name, base)
        services = [endpoint.name]
    else:
        services = _services_at(endpoint.name, base)
    services = _with_port(endpoint, services, base, port)
    model = solve(RELATIONS)
    if endpoint.kind == "service":
        known = [(str(s), str(target)) for s, target in model.rows("service_endpoint")]
    else:
        known = [
            (str(s), str(target)) for address, s, target in model.rows("service_target") if address == endpoint.name
        ]
    found: set[tuple[str, Port | None]] = set()
    for service, target in known:
        if service in services:
            found |= {(target, rewritten) for rewritten in _target_ports(model, service, target, port)}
    if endpoint.kind == "service" and not found:
        detail = "no EndpointSlice that could be read lists an endpoint of it"
        raise UnknownEndpointError(f"Service {endpoint.name}", detail, "ServiceUnresolved")
    if endpoint.kind == "ip" and not set(services) <= {service for service, _ in known}:
        found.add((endpoint.name, port))
    return sorted(found, key=_numeric)


def _target_ports(model: Model, service: str, endpoint: str, port: Port | None) -> list[Port | None]:
    """Give the ports of an endpoint to which nodes rewrite the Service's port; none if it is not known."""
    if port is None:
        return [None]
    asked = (service, port.number, port.protocol, endpoint)
    found = [int(row[4]) for row in model.rows("service_target_port") if row[:4] == asked]
    return [Port(number, port.protocol) for number in found] or [None]


def _numeric(target: tuple[str, Port | None]) -> tuple[tuple[int, int], int]:
    address, port = target
    return numeric(address), port.number if port else 0


def _services_at(address: str, base: FactBase) -> list[str]:
    return sorted(str(service) for service, found in base.rows("service_ip") if found == address)


def _check(service: str, base: FactBase) -> None:
    namespace, _, name = service.partition("/")
    known = (service, namespace) in base.rows("service")
    for kind, space, unread, problem in base.rows("unreadable"):
        # One without a name may stand for all of them, if it is the list that could not be read.
        if kind == "Service" and ((space, unread) == (namespace, name) or not (known or unread)):
            raise UnknownEndpointError(f"Service {service}", str(problem))
    if not known:
        raise click.UsageError(
            f"there is no Service {service!r} in the input; give its Service and EndpointSlices with -f"
        )
    for other, host in base.rows("service_external_name"):
        if other == service:
            raise click.UsageError(
                f"Service {service} only stands for the host {host} (type ExternalName): clients connect to that host; "
                "ask about its address, as ip:ADDRESS"
            )


def _with_port(endpoint: Endpoint, services: list[str], base: FactBase, port: Port | None) -> list[str]:
    """Keep the Services that have a port."""
    if port is None:
        return services
    ports = [(of, number, protocol) for of, _, number, protocol in base.rows("service_port") if of in services]
    kept = [service for service in services if (service, port.number, port.protocol) in ports]
    if not kept:
        known = ", ".join(sorted(f"{number}/{protocol}" for _, number, protocol in ports)) or "none"
        port_name = f"{port.number}/{port.protocol}" if port.number else port.protocol
        raise click.UsageError(
            f"{endpoint.text!r}: {' and '.join(f'Service {service}' for service in services)} has no port "
            f"{port_name}; ports: {known}"
        )
    return kept
