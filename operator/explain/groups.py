"""The addresses of a group that are worth asking about.

A group may hold millions of addresses. They fall into classes that no rule tells apart, and asking about one address
of each class is enough. The classes are read from derived tuples.
"""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

import click

from liqo_connectivity.engine import BUILTIN, Model, Row
from liqo_connectivity.operator.explain.endpoints import Endpoint, UnknownEndpointError, numeric

RELATIONS: Final = (
    "peering",
    "group",
    "member",
    "member_cidr",
    "local_cidr",
    "remote_cidr",
    "pod_ip",
    "node_ip",
    "party_block",
)
"""The relations that the addresses of a group are read from."""
CLASSES: Final = ("trait",)
"""What tells classes of addresses apart, of a model with each address as a question about itself."""

_CLUSTER_CIDRS: Final = (("local_cidr", 0), ("remote_cidr", 2))
"""The relations with CIDRs of clusters, and the column of the CIDR."""
_EVERYTHING: Final = (ip_network("0.0.0.0/0"), ip_network("::/0"))
_NOT_UNICAST: Final = (ip_network("224.0.0.0/3"), ip_network("4000::/2"), ip_network("8000::/1"))
"""Networks from which no address is taken to stand for the rest of the world."""

Traits: TypeAlias = frozenset[Row]
_Network: TypeAlias = IPv4Network | IPv6Network


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
    cidrs = _networks(str(cidr) for *group, cidr in model.rows("member_cidr") if tuple(group) == own)
    found = members.union(*(_representatives(cidr, model) for cidr in cidrs))
    if not found:
        raise UnknownEndpointError(f"Group {endpoint.text}", "no Pod is a member", "EmptyGroup")
    return sorted(found, key=numeric)


def free_addresses(model: Model) -> set[str]:
    """Give an unused address of each part of what belongs to no cluster, as CIDRs of rules cut it."""
    own = _networks(str(row[column]) for name, column in _CLUSTER_CIDRS for row in model.rows(name))
    parts = {address for whole in _EVERYTHING for address in _representatives(whole, model, _NOT_UNICAST)}
    return {each for each in parts if not any(ip_address(each) in cidr for cidr in own)}


def _networks(written: Iterable[str]) -> set[_Network]:
    """Give the CIDRs among texts: an added rule may write host bits, or what is no CIDR."""
    texts = {str(BUILTIN["cidr_canonical"](text)) for text in written}
    return {ip_network(text) for text in texts if text}


def _representatives(cidr: _Network, model: Model, passed_over: tuple[_Network, ...] = ()) -> set[str]:
    """Give the known addresses inside a CIDR, and one unused address of each part into which other CIDRs cut it.

    None of the part that only ``cidr`` itself covers is in ``passed_over``.
    """
    held = (row for name in ("pod_ip", "node_ip") for row in model.rows(name))
    addresses = (ip_address(str(address)) for _, address in held)
    known = {int(address) for address in addresses if address in cidr}
    relations = (("member_cidr", 2), ("local_cidr", 0), ("remote_cidr", 2), ("party_block", 3))
    cidrs = _networks(str(row[column]) for name, column in relations for row in model.rows(name))
    inner = {n for n in cidrs if _inside(n, cidr)} | {cidr}
    fresh = (
        _fresh(
            network,
            [n for n in {*inner, *(passed_over if network == cidr else ())} if n != network and _inside(n, network)],
            known,
        )
        for network in inner
    )
    return {str(cidr[number - int(cidr[0])]) for number in {*known, *(n for n in fresh if n is not None)}}


def _inside(network: _Network, outer: _Network) -> bool:
    first, last = int(network[0]), int(network[-1])
    return network.version == outer.version and int(outer[0]) <= first and last <= int(outer[-1])


def _fresh(network: _Network, holes: list[_Network], known: set[int]) -> int | None:
    """Find the highest unused address of a network outside the holes."""
    candidate = int(network[-1])
    while candidate >= int(network[0]):
        hole = next((h for h in holes if int(h[0]) <= candidate <= int(h[-1])), None)
        if hole is not None:
            candidate = int(hole[0]) - 1
        elif candidate in known:
            candidate -= 1
        else:
            return candidate
    return None


def classes(candidates: Iterable[str], model: Model) -> list[str]:
    """Keep one address of each class that no rule tells apart; each address must be a question in the model."""
    kept: dict[Traits, str] = {}
    found = traits(model)
    for address in sorted(candidates, key=numeric):
        kept.setdefault(found[address], address)
    return list(kept.values())


def traits(model: Model) -> dict[str, Traits]:
    """Give what rules tell each address of the questions by: where it is the same for two, so is every verdict."""
    found: dict[str, list[Row]] = {}
    for address, *trait in model.rows("trait"):
        found.setdefault(str(address), []).append(tuple(trait))
    return {address: frozenset(own) for address, own in found.items()}
