"""The flows behind a question: one between two addresses; one for each pair of the addresses of pods that are of one family;
between groups, one for each pair of address classes.

Where the policies tell ports apart and the question names none, there is one for each class of ports of a pair.
"""

from collections.abc import Iterable
from typing import Final, Protocol

import click

from liqo_connectivity.engine import Model
from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.explain.endpoints import Endpoint, Port, numeric, own_addresses
from liqo_connectivity.operator.explain.groups import CLASSES, RELATIONS, classes, group_addresses
from liqo_connectivity.operator.explain.services import is_service, service_targets
from liqo_connectivity.operator.sources.question import OTHER, Ports, Question, of_class, question

_PORTS: Final = ("port_class",)
_TELL_PORTS_APART: Final = ("policy_rule_ports", "service_node_port")
"""Facts without which there are no classes of ports."""
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
    found = _pairs(sources, destinations)
    if not found:
        raise click.UsageError("the two ends have addresses of different families")
    asked = [question(s, d, state, (to.number, to.protocol) if to else None) for s, (d, to) in found]
    return asked if port is not None else for_all_ports(solve, base, asked)


def for_all_ports(solve: Solve, base: FactBase, asked: list[Question]) -> list[Question]:
    """Ask about each class of ports that rules tell apart, in place of all of them at once."""
    known = port_classes(solve, base, asked)
    found: list[Question] = []
    for one in asked:
        parts = told_apart(known.get(one.pair, ()))
        found += [of_class(one, ports) for ports in parts] if parts else [one]
    return found


def port_classes(solve: Solve, base: FactBase, asked: list[Question]) -> dict[str, list[Ports]]:
    """Give the classes of ports that rules tell apart, by pair; a pair without any is left out."""
    if not any(base.rows(name) for name in _TELL_PORTS_APART):
        return {}
    known: dict[str, list[Ports]] = {}
    for flow, protocol, first, last in solve(_PORTS, asked).rows("port_class"):
        known.setdefault(str(flow), []).append(Ports(str(protocol), int(first), int(last)))
    return known


def told_apart(known: Iterable[Ports], protocols: Iterable[str] = ()) -> list[Ports]:
    """Cut all ports by classes of ports, of one state or of several, and add the class of the rest; none stay none.

    If there are some, each of ``protocols`` has classes too.
    """
    starts: dict[str, set[int]] = {}
    for ports in known:
        starts.setdefault(ports.protocol, {0}).add(ports.first)
    if not starts:
        return []
    for protocol in protocols:
        starts.setdefault(protocol, {0})
    found: list[Ports] = []
    for protocol, own in sorted(starts.items()):
        first = sorted(own)
        found += (Ports(protocol, *ends) for ends in zip(first, [*(n - 1 for n in first[1:]), 65535], strict=True))
    return [*found, Ports(OTHER, 0, 65535)]


def _addresses(base: FactBase, end: Endpoint, model: Model | None) -> list[str]:
    return group_addresses(end, model) if model is not None and end.kind == "group" else own_addresses(end, base)


def _pairs(sources: list[str], destinations: list[_Target]) -> list[tuple[str, _Target]]:
    """Pair addresses of one family; an address with itself only if there is no other pair."""
    alike = [(s, target) for s in sources for target in destinations if (":" in s) == (":" in target[0])]
    return [(s, target) for s, target in alike if s != target[0]] or alike
