"""The flows that a question stands for: one, or one for each pair of classes of addresses between groups."""

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

import click

from liqo_connectivity.engine import Model
from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.explain.endpoints import Endpoint, pod_address
from liqo_connectivity.operator.explain.groups import classes, group_addresses
from liqo_connectivity.rules.relations import Flow

_GROUPS: Final = ("peering", "group", "member", "member_cidr", "local_cidr", "remote_cidr")
_CLASSES: Final = ("in_group", "in_scope", "namespace_member", "located")
_MANY: Final = 16
"""Pairs of addresses above which a group is first reduced to its classes."""


class Solve(Protocol):
    """Derives relations, with flows that are asked about."""

    def __call__(self, goals: Iterable[str], flows: Iterable[Flow] = ()) -> Model: ...


def flows_between(solve: Solve, base: FactBase, source: Endpoint, destination: Endpoint, state: str) -> list[Flow]:
    """List the flows that a question between two endpoints stands for.

    Raises click.UsageError, and UnknownEndpointError for an end whose address is not known.
    """
    if "group" in (source.kind, destination.kind):
        sources, destinations = _group_ends(solve, base, source, destination)
    else:
        sources, destinations = [pod_address(source, base)], [pod_address(destination, base)]
    found = list(_pairs(sources, destinations))
    families = {(":" in s, ":" in d) for s, d in found}
    if any(first != second for first, second in families):
        raise click.UsageError("the two ends have addresses of different families")
    return [Flow(f"{s} -> {d}", s, d, state) for s, d in found]


def _group_ends(solve: Solve, base: FactBase, source: Endpoint, destination: Endpoint) -> tuple[list[str], list[str]]:
    model = solve(_GROUPS)
    sources, destinations = (
        group_addresses(end, model) if end.kind == "group" else [pod_address(end, base)]
        for end in (source, destination)
    )
    if len(sources) * len(destinations) > _MANY:
        asked = [Flow(address, address, address, "new") for address in sorted({*sources, *destinations})]
        told = solve(_CLASSES, asked)
        sources, destinations = classes(sources, told), classes(destinations, told)
    return sources, destinations


def _pairs(sources: list[str], destinations: list[str]) -> Iterator[tuple[str, str]]:
    """Give every pair of ends that a packet can have: not from an address to itself, unless nothing else was asked."""
    single = len(sources) == len(destinations) == 1
    return ((s, d) for s in sources for d in destinations if single or s != d)
