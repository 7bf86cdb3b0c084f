"""The ends of a flow as a user names them: a pod, a Service, an address or a group."""

import re
from ipaddress import ip_address
from typing import Literal, NamedTuple

import click

from liqo_connectivity.facts import FactBase, canonical_address
from liqo_connectivity.operator.sources.question import port_text

_SERVICE = re.compile(r"(?P<namespace>[a-z0-9.-]+)/(?:svc|service|services)/(?P<name>[a-z0-9.-]+)")
_PORT = re.compile(r":(?:(?P<port>[0-9]{1,5})/(?P<protocol>tcp|udp|sctp)|icmp)$")
_RANGE = re.compile(r":[0-9]+-[0-9]+/(?:tcp|udp|sctp)$")
_HELP = "an endpoint is NAMESPACE/POD, NAMESPACE/svc/SERVICE, ip:ADDRESS or group:GROUP@PEERING"


class Endpoint(NamedTuple):
    """One end of a flow as the user named it: a pod or Service (``ns/name``), an address, or a group of a peering."""

    text: str
    kind: Literal["pod", "service", "ip", "group"]
    name: str
    peering: str = ""


class Port(NamedTuple):
    """A destination port: tcp, udp or sctp with its number, or icmp with 0."""

    number: int
    protocol: str

    def __str__(self) -> str:
        """Write the port as ``tcp/443`` or ``icmp``."""
        return port_text(self.number, self.protocol)


class UnknownEndpointError(Exception):
    """The endpoint exists, but its address is unknown; carries the object, the detail and the reason."""

    def __init__(self, found: str, detail: str, reason: str = "EndpointUnknown") -> None:
        super().__init__(f"{found}: {detail}")
        self.object = found
        self.detail = detail
        self.reason = reason


def parse_endpoint(text: str, namespace: str) -> Endpoint:
    """Parse an endpoint; ``namespace`` applies to a pod named without one. Raises click.UsageError."""
    if text.startswith("ip:"):
        address = text.removeprefix("ip:").strip("[]")
        try:
            return Endpoint(text, "ip", canonical_address(address))
        except ValueError:
            raise click.UsageError(f"{text!r}: {address!r} is not an IP address") from None
    if text.startswith("group:"):
        group, at, peering = text.removeprefix("group:").partition("@")
        if not group or not at or not peering:
            raise click.UsageError(f"{text!r}: write a group with its peering, like group:offloaded@milan")
        return Endpoint(text, "group", group, peering)
    service = _SERVICE.fullmatch(text)
    if service is not None:
        return Endpoint(text, "service", f"{service['namespace']}/{service['name']}")
    name = text if "/" in text or not namespace else f"{namespace}/{text}"
    if not re.fullmatch(r"[a-z0-9.-]+/[a-z0-9.-]+", name):
        raise click.UsageError(f"{text!r}: {_hint(text)}")
    return Endpoint(text, "pod", name)


def _hint(text: str) -> str:
    head, colon, port = text.rpartition(":")
    if colon and "/" in head:
        return f"write a port with its protocol, like {head}:{port if port.isdigit() else 80}/tcp"
    try:
        return f"write an address as ip:{canonical_address(text)}"
    except ValueError:
        return _HELP


def parse_destination(text: str, namespace: str) -> tuple[Endpoint, Port | None]:
    """Parse ``DST[:PORT/PROTO]`` or ``DST:icmp``. Raises click.UsageError."""
    found = _PORT.search(text)
    if found is None:
        if _RANGE.search(text):
            raise click.UsageError(f"{text!r}: write one port; without a port, the answer is about all of them")
        return parse_endpoint(text, namespace), None
    if found["port"] is None:
        return parse_endpoint(text[: found.start()], namespace), Port(0, "icmp")
    port = int(found["port"])
    if not 0 < port < 65536:
        raise click.UsageError(f"{text!r}: a port is a number from 1 to 65535")
    return parse_endpoint(text[: found.start()], namespace), Port(port, found["protocol"])


def own_addresses(endpoint: Endpoint, base: FactBase) -> list[str]:
    """Give the addresses of a pod or ``ip:`` endpoint, IPv4 first.

    Raises click.UsageError for a pod that does not exist, UnknownEndpointError if its address is unknown.
    """
    if endpoint.kind == "ip":
        return [endpoint.name]
    namespace, _, name = endpoint.name.partition("/")
    for kind, *place, problem in base.rows("unreadable"):
        if kind == "Pod" and place == [namespace, name]:
            raise UnknownEndpointError(f"Pod {endpoint.name}", str(problem))
    if (endpoint.name, namespace) not in base.rows("pod"):
        raise click.UsageError(f"there is no Pod {endpoint.name!r} in the input; {_HELP}")
    own = [str(address) for pod, address in base.rows("pod_ip") if pod == endpoint.name]
    if not own:
        raise UnknownEndpointError(f"Pod {endpoint.name}", "/status/podIP is not set")
    return sorted(set(own), key=numeric)


def numeric(address: str) -> tuple[int, int]:
    """Sort key for numeric order of addresses, IPv4 first."""
    parsed = ip_address(address)
    return parsed.version, int(parsed)
