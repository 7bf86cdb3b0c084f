"""The addresses of a group that are worth asking about.

A group may hold millions of addresses. They fall into classes that no rule tells apart, and asking about one address
of each class is enough. The classes are read from derived tuples.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

import click

from liqo_connectivity.engine import BUILTIN, Model
from liqo_connectivity.operator.explain.endpoints import Endpoint, UnknownEndpointError, numeric


def group_addresses(endpoint: Endpoint, model: Model) -> list[str]:
    """Give the addresses of a group that rules may treat differently, sorted.

    Raises click.UsageError for a group or peering that does not exist, UnknownEndpointError for an empty group.
    """
    groups = {str(group) for group, _ in model.rows("group")}
    if endpoint.name not in groups:
        raise click.UsageError(
            f"{endpoint.text!r}: there is no group {endpoint.name!r}; groups: {', '.join(sorted(groups))}"
        )
    if not model.contains("peering", (endpoint.peering,)):
        peerings = ", ".join(str(row[0]) for row in model.rows("peering")) or "none"
        raise click.UsageError(f"{endpoint.text!r}: there is no peering {endpoint.peering!r}; peerings: {peerings}")
    own = (endpoint.peering, endpoint.name)
    members = {str(address) for *group, address in model.rows("member") if tuple(group) == own}
    cidrs = _ipv4(str(cidr) for *group, cidr in model.rows("member_cidr") if tuple(group) == own)
    found = members.union(*(_representatives(cidr, model) for cidr in cidrs))
    if not found:
        raise UnknownEndpointError(f"Group {endpoint.text}", "no Pod is a member", "EmptyGroup")
    return sorted(found, key=numeric)


def _ipv4(written: Iterable[str]) -> set[IPv4Network]:
    """Give the IPv4 CIDRs among texts: an added rule may write host bits, IPv6, or what is no CIDR."""
    texts = {str(BUILTIN["cidr_canonical"](text)) for text in written}
    return {IPv4Network(text) for text in texts if "." in text}


def _representatives(cidr: IPv4Network, model: Model) -> set[str]:
    """Give the known addresses inside a CIDR, and one unused address of each part into which other CIDRs cut it."""
    held = (row for name in ("pod_ip", "node_ip") for row in model.rows(name))
    known = {IPv4Address(str(a)) for _, a in held if "." in str(a)}
    relations = ((model.rows("member_cidr"), 2), (model.rows("local_cidr"), 0), (model.rows("remote_cidr"), 2))
    cidrs = _ipv4(str(row[column]) for rows, column in relations for row in rows)
    inner = {n for n in cidrs if n.subnet_of(cidr)} | {cidr}
    fresh = (_fresh(network, [n for n in inner if n != network and n.subnet_of(network)], known) for network in inner)
    return {str(a) for a in known if a in cidr} | {str(a) for a in fresh if a is not None}


def _fresh(network: IPv4Network, holes: list[IPv4Network], known: set[IPv4Address]) -> IPv4Address | None:
    """Find the highest unused address of a network outside the holes."""
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
    """Keep one address of each class that no rule tells apart; each address must be a question in the model."""
    kept: dict[frozenset[tuple[object, ...]], str] = {}
    profiles: dict[str, set[tuple[object, ...]]] = {}
    for name, column in (
        ("in_group", 2),
        ("in_scope", 1),
        ("namespace_member", 2),
        ("located", 1),
        ("endpoint_place", 0),
    ):
        for row in model.rows(name):
            profile = (name, *row[:column], *row[column + 1 :])
            profiles.setdefault(str(row[column]), set()).add(profile)
    for address in sorted(candidates, key=numeric):
        kept.setdefault(frozenset(profiles.get(address, ())), address)
    return list(kept.values())
