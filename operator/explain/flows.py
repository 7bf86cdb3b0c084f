"""The flows behind a question: one between two addresses; between groups, one for each pair of address classes."""

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

import click

from liqo_connectivity.engine import Model
from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.explain.endpoints import Endpoint, Port, numeric, pod_address
from liqo_connectivity.operator.explain.groups import classes, group_addresses
from liqo_connectivity.operator.explain.services import is_service, service_addresses
from liqo_connectivity.rules.relations import Flow

_GROUPS: Final = ("peering", "group", "member", "member_cidr", "local_cidr", "remote_cidr", "node_ip")
_CLASSES: Final = ("in_group", "in_scope", "namespace_member", "located", "endpoint_place")
_MANY: Final = 16
"""With more pairs than this, groups are first reduced to their classes."""


class Solve(Protocol):
    """Derives relations, with flows as questions."""

    def __call__(self, goals: Iterable[str], flows: Iterable[Flow] = ()) -> Model: ...


def flows_between(
    solve: Solve, base: FactBase, source: Endpoint, destination: Endpoint, port: Port | None, state: str
) -> list[Flow]:
    """List the flows behind a question about two endpoints.

    Raises click.UsageError, and UnknownEndpointError for an end whose address is unknown.
    """
    if source.kind == "service":
        raise click.UsageError(f"{source.text!r}: a Service sends nothing; ask about one of its pods")
    model = solve(_GROUPS) if "group" in (source.kind, destination.kind) else None
    sources = _addresses(base, source, model)
    if is_service(destination, base):
        destinations = service_addresses(solve, base, destination, port)
        if destination.kind == "service":
            destinations = _of_families(destinations, sources)
    else:
        destinations = _addresses(base, destination, model)
    if model is not None and len(sources) * len(destinations) > _MANY:
        asked = [Flow(address, address, address, "new") for address in sorted({*sources, *destinations})]
        model = solve(_CLASSES, asked)
        # A Service has few endpoints, and the user may want to know about each.
        sources = classes(sources, model)
        destinations = destinations if is_service(destination, base) else classes(destinations, model)
    found = list(_pairs(sources, destinations))
    families = {(":" in s, ":" in d) for s, d in found}
    if any(first != second for first, second in families):
        raise click.UsageError("the two ends have addresses of different families")
    return [Flow(f"{s} -> {d}", s, d, state) for s, d in found]


def _addresses(base: FactBase, end: Endpoint, model: Model | None) -> list[str]:
    return group_addresses(end, model) if model is not None and end.kind == "group" else [pod_address(end, base)]


def _of_families(endpoints: list[str], sources: list[str]) -> list[str]:
    """Keep the endpoints of a dual-stack Service that have a family in common with the sources, if any has."""
    families = {numeric(source)[0] for source in sources}
    return [endpoint for endpoint in endpoints if numeric(endpoint)[0] in families] or endpoints


def _pairs(sources: list[str], destinations: list[str]) -> Iterator[tuple[str, str]]:
    """Pair every source with every destination, except an address with itself unless that is the question."""
    single = len(sources) == len(destinations) == 1
    return ((s, d) for s in sources for d in destinations if single or s != d)
