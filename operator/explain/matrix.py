"""Who reaches whom: the verdict on new connections between every two groups, and what decides it, read from derived tuples.

Addresses that no rule tells apart are asked about once, so the matrix costs as much as a question or two of `why`.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from liqo_connectivity.engine import Model
from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.explain.endpoints import Endpoint, UnknownEndpointError
from liqo_connectivity.operator.explain.flows import Solve, for_all_ports
from liqo_connectivity.operator.explain.groups import CLASSES, RELATIONS, classes, group_addresses
from liqo_connectivity.operator.explain.parties import ports_text
from liqo_connectivity.operator.sources.question import Question, question

_ANSWERS: Final = ("flow_verdict", "peering_verdict", "decided_by", "governs")
_WORST: Final = ("denied", "unknown", "allowed")
_OTHERS: Final = 2
"""The most other peerings whose groups are in the matrix."""
_COVERING: Final = "private-subnets"
"""The group that holds most of the others."""


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


def matrix(solve: Solve, base: FactBase, peering: str) -> Matrix:
    """Derive the matrix of a peering's groups, with what belongs to others. Raises click.UsageError for no such peering."""
    model = solve(RELATIONS)
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
    cells = _cells(solve, base, {name: [a for a in addresses if a in asked] for name, addresses in held.items()})
    return Matrix(tuple(held), tuple(empty), len(others[_OTHERS:]), cells)


def _told_apart(solve: Solve, addresses: set[str]) -> set[str]:
    """Keep two addresses of each class that no rule tells apart: one may reach another of its class, or not."""
    model = solve(CLASSES, [question(address, address, "new") for address in sorted(addresses)])
    first = classes(addresses, model)
    return {*first, *classes(addresses - set(first), model)}


def _cells(solve: Solve, base: FactBase, ends: Mapping[str, list[str]]) -> tuple[Cell, ...]:
    pairs = {(s, d): _pairs(ends[s], ends[d]) for s in ends for d in ends}
    every = {pair: question(*pair, "new") for some in pairs.values() for pair in some}
    asked: dict[str, list[Question]] = {}
    for each in for_all_ports(solve, base, [*every.values()]):
        asked.setdefault(each.pair, []).append(each)
    model = solve(_ANSWERS, [each for some in asked.values() for each in some])
    verdicts = {str(flow): str(verdict) for flow, verdict in model.rows("flow_verdict")}
    decided = _decisions(model)
    cells: list[Cell] = []
    for (source, destination), some in pairs.items():
        found: dict[tuple[str, tuple[tuple[str, str, int], ...]], dict[str, None]] = {}
        for each in (each for pair in some for each in asked[every[pair].pair]):
            verdict = verdicts[each.flow.flow]
            ports = found.setdefault((verdict, decided.get((each.flow.flow, verdict), ())), {})
            ports[ports_text([each.ports]) if each.ports else ""] = None
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


def _decisions(model: Model) -> dict[tuple[str, str], tuple[tuple[str, str, int], ...]]:
    """Give what decides each flow: the peerings whose verdict is the flow's, each with its rule or default."""
    verdicts = {(peering, flow): str(verdict) for peering, flow, verdict in model.rows("peering_verdict")}
    found: dict[tuple[str, str], tuple[tuple[str, str, int], ...]] = {}
    for peering, flow, origin, index, _ in model.rows("decided_by"):
        key = (str(flow), verdicts[peering, flow])
        found[key] = (*found.get(key, ()), (str(peering), str(origin), int(index)))
    return found
