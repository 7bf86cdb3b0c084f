"""The flows behind a question: one between two addresses; between groups, one for each pair of address classes.

Where the policies tell ports apart and the question names none, there is one for each class of ports of a pair.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

import click

from liqo_connectivity.engine import Model
from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.explain.endpoints import Endpoint, Port, numeric, pod_address
from liqo_connectivity.operator.explain.groups import CLASSES, RELATIONS, classes, group_addresses
from liqo_connectivity.operator.explain.services import is_service, service_targets
from liqo_connectivity.operator.sources.question import OTHER, Ports, Question, of_class, question

_PORTS: Final = ("port_class",)
_MANY: Final = 16
"""With more pairs than this, groups are first reduced to their classes."""

_Target = tuple[str, Port | None]


class Solve(Protocol):
    """Derives relations, with flows as questions."""

    def __call__(self, goals: Iterable[str], asked: Iterable[Question] = ()) -> Model: ...


def flows_between(
    solve: Solve, base: FactBase, source: Endpoint, destination: Endpoint, port: Port | None, state: str
) -> list[Question]:
    """List the flows behind a question about two endpoints.

    Raises click.UsageError, and UnknownEndpointError for an end whose address is unknown.
    """
    if source.kind == "service":
        raise click.UsageError(f"{source.text!r}: a Service sends nothing; ask about one of its pods")
    model = solve(RELATIONS) if "group" in (source.kind, destination.kind) else None
    sources = _addresses(base, source, model)
    if is_service(destination, base):
        destinations = service_targets(solve, base, destination, port)
        if destination.kind == "service":
            destinations = _of_families(destinations, sources)
    else:
        destinations = [(address, port) for address in _addresses(base, destination, model)]
    if model is not None and len(sources) * len(destinations) > _MANY:
        ends = {*sources, *(address for address, _ in destinations)}
        model = solve(CLASSES, [question(address, address, "new") for address in sorted(ends)])
        sources = classes(sources, model)
        # A Service has few endpoints, and the user may want to know about each.
        if not is_service(destination, base):
            addresses = [address for address, _ in destinations]
            # Where both ends have a class, one of its addresses may or may not reach another.
            kept = {*classes(addresses, model), *classes((a for a in addresses if a not in sources), model)}
            destinations = [(address, port) for address in sorted(kept, key=numeric)]
    found = list(_pairs(sources, destinations))
    alike = [(s, target) for s, target in found if (":" in s) == (":" in target[0])]
    if not alike or (model is None and len(alike) < len(found)):
        raise click.UsageError("the two ends have addresses of different families")
    asked = [question(s, d, state, (to.number, to.protocol) if to else None) for s, (d, to) in alike]
    return asked if port is not None else for_all_ports(solve, base, asked)


def for_all_ports(solve: Solve, base: FactBase, asked: list[Question]) -> list[Question]:
    """Ask about each class of ports that rules tell apart, in place of all of them at once."""
    if not base.rows("policy_rule_ports"):
        return asked
    known: dict[str, list[Ports]] = {}
    for flow, protocol, first, last in solve(_PORTS, asked).rows("port_class"):
        known.setdefault(str(flow), []).append(Ports(str(protocol), int(first), int(last)))
    rest = Ports(OTHER, 0, 65535)
    return [
        each for q in asked for each in ([of_class(q, p) for p in [*known[q.pair], rest]] if q.pair in known else [q])
    ]


def _addresses(base: FactBase, end: Endpoint, model: Model | None) -> list[str]:
    return group_addresses(end, model) if model is not None and end.kind == "group" else [pod_address(end, base)]


def _of_families(endpoints: list[_Target], sources: list[str]) -> list[_Target]:
    """Keep the endpoints of a dual-stack Service that have a family in common with the sources, if any has."""
    families = {numeric(source)[0] for source in sources}
    return [endpoint for endpoint in endpoints if numeric(endpoint[0])[0] in families] or endpoints


def _pairs(sources: list[str], destinations: list[_Target]) -> Iterator[tuple[str, _Target]]:
    """Pair every source with every destination, except an address with itself unless that is the question."""
    single = len(sources) == len(destinations) == 1
    return ((s, target) for s in sources for target in destinations if single or s != target[0])
