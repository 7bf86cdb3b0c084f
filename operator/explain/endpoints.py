"""The ends of a flow, as people name them, turned into addresses.

``ns/pod`` is one address. A group stands for many: they fall into classes that no rule tells apart, and one address of
each class is enough. Which addresses belong together is read from derived tuples; nothing is decided here.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, ip_address
from typing import Literal

import click

from liqo_connectivity.engine import Model
from liqo_connectivity.facts import FactBase

_PORT = re.compile(r":(?P<port>[0-9]{1,5})/(?P<protocol>tcp|udp|sctp)$")
_HELP = "an endpoint is NAMESPACE/POD, ip:ADDRESS or group:GROUP@PEERING"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a flow as it was named: a pod (``ns/pod``), an address, or a group of a peering."""

    text: str
    kind: Literal["pod", "ip", "group"]
    name: str
    peering: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """A port and protocol. Policies do not distinguish them, so they are only repeated in the answer."""

    port: int
    protocol: str


class UnknownEndpointError(Exception):
    """The endpoint exists, but its address is not known: the object, what is missing, and the reason."""

    def __init__(self, found: str, detail: str, reason: str = "EndpointUnknown") -> None:
        super().__init__(f"{found}: {detail}")
        self.object = found
        self.detail = detail
        self.reason = reason


def parse_endpoint(text: str, namespace: str) -> Endpoint:
    """Read an endpoint; ``namespace`` is that of a pod named alone. Raises click.UsageError."""
    if text.startswith("ip:"):
        address = text.removeprefix("ip:").strip("[]")
        try:
            return Endpoint(text, "ip", str(ip_address(address)))
        except ValueError:
            raise click.UsageError(f"{text!r}: {address!r} is not an IP address") from None
    if text.startswith("group:"):
        group, at, peering = text.removeprefix("group:").partition("@")
        if not group or not at or not peering:
            raise click.UsageError(f"{text!r}: a group is named with its peering, like group:offloaded@milan")
        return Endpoint(text, "group", group, peering)
    name = text if "/" in text or not namespace else f"{namespace}/{text}"
    if not re.fullmatch(r"[a-z0-9.-]+/[a-z0-9.-]+", name):
        raise click.UsageError(f"{text!r}: {_hint(text)}")
    return Endpoint(text, "pod", name)


def _hint(text: str) -> str:
    head, colon, port = text.rpartition(":")
    if colon and "/" in head:
        return f"a port is written with its protocol, like {head}:{port if port.isdigit() else 80}/tcp"
    try:
        return f"an address is written ip:{ip_address(text)}"
    except ValueError:
        return _HELP


def parse_destination(text: str, namespace: str) -> tuple[Endpoint, Service | None]:
    """Read ``DST[:PORT/PROTO]``. Raises click.UsageError."""
    found = _PORT.search(text)
    if found is None:
        return parse_endpoint(text, namespace), None
    port = int(found["port"])
    if not 0 < port < 65536:
        raise click.UsageError(f"{text!r}: a port is a number from 1 to 65535")
    return parse_endpoint(text[: found.start()], namespace), Service(port, found["protocol"])


def pod_address(endpoint: Endpoint, base: FactBase) -> str:
    """Give the address of a pod or of ``ip:``, an IPv4 one if it has several.

    Raises click.UsageError for a pod that does not exist, UnknownEndpointError for one whose address is not known.
    """
    if endpoint.kind == "ip":
        return endpoint.name
    namespace, _, name = endpoint.name.partition("/")
    for kind, *place, problem in base.rows("unreadable"):
        if kind == "Pod" and place == [namespace, name]:
            raise UnknownEndpointError(f"Pod {endpoint.name}", str(problem))
    if (endpoint.name, namespace) not in base.rows("pod"):
        raise click.UsageError(f"there is no Pod {endpoint.name!r} among the objects; {_HELP}")
    own = [str(address) for pod, address in base.rows("pod_ip") if pod == endpoint.name]
    if not own:
        raise UnknownEndpointError(f"Pod {endpoint.name}", "/status/podIP is not set")
    return min(own, key=_numeric)


def group_addresses(endpoint: Endpoint, model: Model) -> list[str]:
    """Give the addresses that may differ in a group, sorted.

    Raises click.UsageError for a group or peering that does not exist, UnknownEndpointError for an empty group.
    """
    groups = {str(group) for group, _ in model.rows("group")}
    if endpoint.name not in groups:
        raise click.UsageError(
            f"{endpoint.text!r}: there is no group {endpoint.name!r}; groups: {', '.join(sorted(groups))}"
        )
    if (endpoint.peering,) not in model.relation("peering"):
        peerings = ", ".join(str(row[0]) for row in model.rows("peering")) or "none"
        raise click.UsageError(f"{endpoint.text!r}: there is no peering {endpoint.peering!r}; peerings: {peerings}")
    own = (endpoint.peering, endpoint.name)
    members = {str(address) for *group, address in model.rows("member") if tuple(group) == own}
    cidrs = [
        IPv4Network(str(cidr)) for *group, cidr in model.rows("member_cidr") if tuple(group) == own and "." in str(cidr)
    ]
    found = members.union(*(_representatives(cidr, model) for cidr in cidrs))
    if not found:
        raise UnknownEndpointError(f"Group {endpoint.text}", "no Pod is a member", "EmptyGroup")
    return sorted(found, key=_numeric)


def _representatives(cidr: IPv4Network, model: Model) -> set[str]:
    """Give the known addresses inside a CIDR, and one unknown address for each way in which known CIDRs cut it."""
    known = {IPv4Address(str(a)) for _, a in model.rows("pod_ip") if "." in str(a)}
    relations = ((model.rows("member_cidr"), 2), (model.rows("local_cidr"), 0), (model.rows("remote_cidr"), 2))
    written = {str(row[column]) for rows, column in relations for row in rows}
    inner = {n for n in map(IPv4Network, (w for w in written if "." in w)) if n.subnet_of(cidr)} | {cidr}
    fresh = (_fresh(network, [n for n in inner if n != network and n.subnet_of(network)], known) for network in inner)
    return {str(a) for a in known if a in cidr} | {str(a) for a in fresh if a is not None}


def _fresh(network: IPv4Network, holes: list[IPv4Network], known: set[IPv4Address]) -> IPv4Address | None:
    """Find the highest address of a network outside the holes that is not known."""
    candidate = int(network.broadcast_address)
    while candidate >= int(network.network_address):
        address = IPv4Address(candidate)
        hole = next((h for h in holes if address in h), None)
        if hole is not None:
            candidate = int(hole.network_address) - 1
        elif address in known:
            candidate -= 1
        else:
            return address
    return None


def classes(candidates: Iterable[str], model: Model) -> list[str]:
    """Keep one of the addresses that no rule tells apart, given a model in which each was asked about."""
    kept: dict[frozenset[tuple[object, ...]], str] = {}
    profiles: dict[str, set[tuple[object, ...]]] = {}
    for name, column in (("in_group", 2), ("in_scope", 1), ("namespace_member", 2), ("located", 1)):
        for row in model.relation(name):
            profile = (name, *row[:column], *row[column + 1 :])
            profiles.setdefault(str(row[column]), set()).add(profile)
    for address in sorted(candidates, key=_numeric):
        kept.setdefault(frozenset(profiles.get(address, ())), address)
    return list(kept.values())


def pairs(sources: list[str], destinations: list[str]) -> Iterator[tuple[str, str]]:
    """Give every pair of ends that a packet can have: not from an address to itself, unless nothing else was asked."""
    single = len(sources) == len(destinations) == 1
    return ((s, d) for s in sources for d in destinations if single or s != d)


def _numeric(address: str) -> tuple[int, int]:
    parsed = ip_address(address)
    return parsed.version, int(parsed)
