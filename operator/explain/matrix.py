"""Who reaches whom: the verdict on new connections between every two groups, and what decides it, read from derived tuples.

Addresses that no rule tells apart are asked about once, so the matrix costs as much as a question or two of `why`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from liqo_connectivity.engine import Model, Row
from liqo_connectivity.operator.explain.endpoints import Endpoint, UnknownEndpointError
from liqo_connectivity.operator.explain.groups import classes, group_addresses

_GROUPS: Final = (
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
_CLASSES: Final = ("in_group", "in_scope", "namespace_member", "located", "endpoint_place", "side_matches")
_ANSWERS: Final = ("flow_verdict", "peering_verdict", "decided_by", "governs")
_WORST: Final = ("denied", "unknown", "allowed")
_OTHERS: Final = 2
"""The most other peerings whose groups are in the matrix."""
_COVERING: Final = "private-subnets"
"""The group that holds most of the others."""
REST: Final = "other"
"""The ports and protocols that no rule names."""

Solve = Callable[[Iterable[str], Mapping[str, Iterable[Row]]], Model]
"""Derives relations from the facts of a cluster and some more."""


class Outcome(NamedTuple):
    """A verdict, what decides it, and on which ports: ``by`` is empty if no policy governs, ``ports`` if none are named."""

    verdict: str
    by: tuple[tuple[str, str, int], ...]
    """The peering, ``rule`` or ``default``, and the index of the rule."""
    ports: tuple[str, ...] = ()


class Cell(NamedTuple):
    """What happens to new connections from one group to another. The verdict is that of ``why``: the worst of all pairs."""

    source: str
    destination: str
    verdict: str
    outcomes: tuple[Outcome, ...]


class Matrix(NamedTuple):
    """The groups with members, those without, how many other peerings are not shown, and the cells, by source and destination."""

    groups: tuple[str, ...]
    empty: tuple[str, ...]
    not_shown: int
    cells: tuple[Cell, ...]


def matrix(solve: Solve, peering: str) -> Matrix:
    """Derive the matrix of a peering's groups, with what belongs to others. Raises click.UsageError for no such peering."""
    model = solve(_GROUPS, {})
    others = [str(name) for (name,) in model.rows("peering") if name != peering]
    names = [f"{group}@{peering}" for group, _ in model.rows("group") if group != _COVERING]
    names += [
        f"{group}@{other}" for other in others[:_OTHERS] for group in ("remote-cluster", "offloaded", "vc-remote")
    ]
    held: dict[str, list[str]] = {}
    empty: list[str] = []
    for name in names:
        try:
            group, _, owner = name.partition("@")
            held[name] = group_addresses(Endpoint(f"group:{name}", "group", group, owner), model)
        except UnknownEndpointError:
            if name.endswith(f"@{peering}"):
                empty.append(name)
    asked = _told_apart(solve, {address for addresses in held.values() for address in addresses})
    cells = _cells(solve, {name: [a for a in addresses if a in asked] for name, addresses in held.items()})
    return Matrix(tuple(held), tuple(empty), len(others[_OTHERS:]), cells)


def _told_apart(solve: Solve, addresses: set[str]) -> set[str]:
    """Keep two addresses of each class that no rule tells apart: one may reach another of its class, or not."""
    model = solve(_CLASSES, {"flow": [(address, address, address, "new") for address in addresses]})
    first = classes(addresses, model)
    return {*first, *classes(addresses - set(first), model)}


def _cells(solve: Solve, ends: Mapping[str, list[str]]) -> tuple[Cell, ...]:
    pairs = {(s, d): _pairs(ends[s], ends[d]) for s in ends for d in ends}
    flows = {flow: (flow, *pair, "new") for some in pairs.values() for pair in some for flow in [" -> ".join(pair)]}
    by_port = _port_classes(solve, flows)
    questions: dict[str, list[Row]] = {"flow": [], "flow_port": []}
    for flow, (_, *rest) in flows.items():
        for asked, port in by_port.get(flow, {flow: None}).items():
            questions["flow"].append((asked, *rest))
            questions["flow_port"] += [] if port is None else [(asked, *port)]
    model = solve(_ANSWERS, questions)
    verdicts = {str(flow): str(verdict) for flow, verdict in model.rows("flow_verdict")}
    decided = _decisions(model)
    cells: list[Cell] = []
    for (source, destination), some in pairs.items():
        found: dict[tuple[str, tuple[tuple[str, str, int], ...]], dict[str, None]] = {}
        for flow in (" -> ".join(pair) for pair in some):
            for asked in by_port.get(flow, {flow: None}):
                ports = found.setdefault((verdicts[asked], decided.get((asked, verdicts[asked]), ())), {})
                ports[asked.removeprefix(flow).strip()] = None
        if found:
            outcomes = tuple(
                Outcome(verdict, by, tuple(sorted(p for p in ports if p))) for (verdict, by), ports in found.items()
            )
            worst = min((o.verdict for o in outcomes), key=_WORST.index)
            cells.append(Cell(source, destination, worst, tuple(sorted(outcomes, key=lambda o: (o.by, o.verdict)))))
    return tuple(cells)


def _pairs(sources: list[str], destinations: list[str]) -> list[tuple[str, str]]:
    """Pair addresses of one family; an address with itself only if there is no other pair, as `why` does."""
    alike = [(s, d) for s in sources for d in destinations if (":" in s) == (":" in d)]
    return [(s, d) for s, d in alike if s != d] or alike


def _port_classes(solve: Solve, flows: Mapping[str, Row]) -> dict[str, dict[str, tuple[int, str] | None]]:
    """Give, for each flow whose ports are told apart, a question for each class of ports, with a port of it."""
    found: dict[str, dict[str, tuple[int, str] | None]] = {}
    for flow, protocol, first, last in solve(("port_class",), {"flow": flows.values()}).rows("port_class"):
        ports = f"{protocol}/{first}" if first == last else f"{protocol}/{first}-{last}"
        asked = found.setdefault(str(flow), {f"{flow} {REST}": (0, REST)})
        asked[f"{flow} {protocol if (first, last) == (0, 65535) else ports}"] = (int(first), str(protocol))
    return found


def _decisions(model: Model) -> dict[tuple[str, str], tuple[tuple[str, str, int], ...]]:
    """Give what decides each flow: the peerings whose verdict is the flow's, each with its rule or default."""
    verdicts = {(peering, flow): str(verdict) for peering, flow, verdict in model.rows("peering_verdict")}
    found: dict[tuple[str, str], tuple[tuple[str, str, int], ...]] = {}
    for peering, flow, origin, index, _ in model.rows("decided_by"):
        key = (str(flow), verdicts[peering, flow])
        found[key] = (*found.get(key, ()), (str(peering), str(origin), int(index)))
    return found
