"""Who reaches whom: the verdicts on new connections between every two parties, what decides them, and on which ports.

Ends that no rule tells apart are asked about once, so the matrix costs as much as a question or two of `why`.
"""

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Final, NamedTuple

from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.explain.answer import WORST
from liqo_connectivity.operator.explain.endpoints import Endpoint, UnknownEndpointError
from liqo_connectivity.operator.explain.ends import Class, End, classes_of
from liqo_connectivity.operator.explain.flows import Solve
from liqo_connectivity.operator.explain.groups import RELATIONS, group_addresses
from liqo_connectivity.operator.explain.pairs import (
    Decision,
    State,
    addresses_asked,
    example_pair,
    judged,
    pair_count,
    port_parts,
)
from liqo_connectivity.operator.sources.question import Ports

_OTHERS: Final = 2
"""The most other peerings whose groups are in the matrix of a peering."""
_COVERING: Final = "private-subnets"
"""The group that holds most of the others."""

_Place = tuple[Class, Class]
"""The class of a source and that of a destination."""


class Outcome(NamedTuple):
    """What happens to some of the connections of a cell: the decision, and on which ports if rules tell ports apart."""

    decision: Decision
    ports: tuple[Ports, ...]
    """Sorted, with OTHER for all that is not named."""
    pairs: int
    """How many pairs of ends it is the outcome of."""
    example: tuple[str, str]
    """A pair of ends, as `why` takes them."""

    @property
    def verdict(self) -> str:
        """The verdict."""
        return self.decision.verdict


class Cell(NamedTuple):
    """What happens to new connections from one party to another. The verdict is that of ``why``: the worst of all pairs."""

    source: str
    destination: str
    verdict: str
    outcomes: tuple[Outcome, ...]


class Matrix(NamedTuple):
    """The cells, by source and destination; for groups, also those without members, and how many other peerings are not shown."""

    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    empty: tuple[str, ...]
    not_shown: int
    cells: tuple[Cell, ...]


def matrix_of_groups(solve: Solve, base: FactBase, peering: str) -> Matrix:
    """Derive the matrix of a peering's groups, with what belongs to others. Raises click.UsageError for no such peering."""
    model = solve(RELATIONS)
    others = [str(name) for (name,) in model.rows("peering") if name != peering]
    names = [f"{group}@{peering}" for group, _ in model.rows("group") if group != _COVERING]
    names += [
        f"{group}@{other}" for other in others[:_OTHERS] for group in ("remote-cluster", "offloaded", "vc-remote")
    ]
    parties: dict[str, tuple[End, ...]] = {}
    empty: list[str] = []
    for name in names:
        try:
            group, _, owner = name.partition("@")
            addresses = group_addresses(Endpoint(f"group:{name}", "group", group, owner), model)
            parties[name] = tuple(End(f"ip:{address}", (address,)) for address in addresses)
        except UnknownEndpointError:
            if name.endswith(f"@{peering}"):
                empty.append(name)
    return matrix(solve, base, parties)._replace(empty=tuple(empty), not_shown=len(others[_OTHERS:]))


def matrix(
    solve: Solve, base: FactBase, parties: Mapping[str, tuple[End, ...]], only: tuple[str, str] | None = None
) -> Matrix:
    """Derive the matrix of parties, or of it one cell; two parties without a pair of ends have no cell."""
    classes = classes_of(solve, (end for ends in parties.values() for end in ends))
    members = {party: _by_class(ends, classes) for party, ends in parties.items()}
    sources, destinations = ((only[0],), (only[1],)) if only else (tuple(parties), tuple(parties))
    places = [(s, d) for s in sources for d in destinations]
    examples: dict[_Place, tuple[End, End]] = {}
    for s, d in places:
        for (own, some), (other, others) in product(members[s].items(), members[d].items()):
            pair = examples.get((own, other)) or example_pair(some, others)
            if pair:
                examples[own, other] = pair
    known = _decided(State(solve, base), examples)
    found: list[Cell] = []
    for source, destination in places:
        outcomes = _outcomes(members[source], members[destination], known)
        if outcomes:
            worst = min((outcome.verdict for outcome in outcomes), key=WORST.index)
            found.append(Cell(source, destination, worst, outcomes))
    return Matrix(sources, destinations, (), 0, tuple(found))


def _by_class(ends: Iterable[End], classes: Mapping[End, Class]) -> dict[Class, list[End]]:
    found: dict[Class, list[End]] = {}
    for end in ends:
        own = found.setdefault(classes[end], [])
        # An address stands for all of its class.
        own += [end] if end.is_pod or not own else []
    return found


def _decided(state: State, examples: Mapping[_Place, tuple[End, End]]) -> dict[_Place, dict[Decision, list[Ports]]]:
    """Give the decisions on connections between two ends, each with its ports if not all have it."""
    asked = [addresses_asked(*pair) for pair in examples.values()]
    parts = port_parts([(state, asked)])
    found: dict[_Place, dict[Decision, list[Ports]]] = {}
    for place, own, group in zip(examples, parts, judged(state, asked, parts), strict=True):
        decisions = found.setdefault(place, {})
        for index, part in enumerate(group):
            for decision in dict.fromkeys(part):
                decisions.setdefault(decision, []).extend(own[index : index + 1])
        for decision, ports in decisions.items():
            decisions[decision] = [] if len(ports) == len(own) else ports
    return found


def _outcomes(
    sources: Mapping[Class, list[End]],
    destinations: Mapping[Class, list[End]],
    known: Mapping[_Place, Mapping[Decision, list[Ports]]],
) -> tuple[Outcome, ...]:
    found: dict[tuple[Decision, tuple[Ports, ...]], Outcome] = {}
    for (s, own), (d, other) in product(sources.items(), destinations.items()):
        example = example_pair(own, other)
        if example is None:
            continue
        names = (example[0].name, example[1].name)
        for decision, some in known[s, d].items():
            ports = tuple(some)
            before = found.get((decision, ports), Outcome(decision, ports, 0, names))
            found[decision, ports] = before._replace(pairs=before.pairs + pair_count(own, other))
    return tuple(sorted(found.values(), key=lambda o: (o.decision.by, o.verdict, o.ports)))
