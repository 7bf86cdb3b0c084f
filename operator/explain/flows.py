"""The flows behind a question: one between two addresses; between groups, one for each pair of address classes."""

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
"""With more pairs than this, groups are first reduced to their classes."""


class Solve(Protocol):
    """Derives relations, with flows as questions."""

    def __call__(self, goals: Iterable[str], flows: Iterable[Flow] = ()) -> Model: ...


def flows_between(solve: Solve, base: FactBase, source: Endpoint, destination: Endpoint, state: str) -> list[Flow]:
    """List the flows behind a question about two endpoints.

    Raises click.UsageError, and UnknownEndpointError for an end whose address is unknown.
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
        model = solve(_CLASSES, asked)
        sources, destinations = classes(sources, model), classes(destinations, model)
    return sources, destinations


def _pairs(sources: list[str], destinations: list[str]) -> Iterator[tuple[str, str]]:
    """Pair every source with every destination, except an address with itself unless that is the question."""
    single = len(sources) == len(destinations) == 1
    return ((s, d) for s in sources for d in destinations if single or s != d)
