"""What changes between two states of a cluster: the new connections whose verdict differs, and what decides them in each.

Pods are matched by name. Ends that no rule tells apart in either state are asked about once.
"""

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Final, NamedTuple

from liqo_connectivity.operator.explain.answer import WORST
from liqo_connectivity.operator.explain.ends import Class, End, classes_of, namespaces
from liqo_connectivity.operator.explain.pairs import (
    Decision,
    State,
    addresses_asked,
    example_pair,
    judged,
    pair_count,
    port_parts,
)
from liqo_connectivity.operator.sources.question import Ports, Question

KINDS: Final = ("opened", "closed", "other")
"""What was denied and is allowed, what was allowed and is denied, and what is unknown in one of the states."""
_KIND: Final = {("denied", "allowed"): "opened", ("allowed", "denied"): "closed"}
_RELATION: Final = {
    (False, False): "equal",
    (True, False): "more permissive",
    (False, True): "less permissive",
    (True, True): "incomparable",
}

_Joint = tuple[Class, Class]
"""The classes of an end before and after."""
_Place = tuple[_Joint, _Joint]
"""The classes of a source and those of a destination."""


class Flows(NamedTuple):
    """New connections from each of some ends to each of others; an end is none to itself."""

    sources: tuple[str, ...]
    destinations: tuple[str, ...]


class Change(NamedTuple):
    """Connections whose verdict changes in one way. ``pairs`` counts the pairs of ends; ``ports`` are empty for all ports."""

    kind: str
    before: Decision
    after: Decision
    ports: tuple[Ports, ...]
    pairs: int
    example: tuple[str, str]
    flows: tuple[Flows, ...]


class Comparison(NamedTuple):
    """What changes. ``undecided`` counts the pairs of ends that may change once more is known.

    ``only_before`` and ``only_after`` are pods of one state that the other does not have, or not with an address, and
    ``ns/pod (IPv4)`` or ``(IPv6)`` those that it has, but not with an address of that family. ``without_address`` are those
    that have none in either. All are sorted; nothing is said of them.
    """

    changes: tuple[Change, ...]
    undecided: int
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    without_address: tuple[str, ...]

    @property
    def relation(self) -> str:
        """Whether the later state is equal, more permissive, less permissive, incomparable, or unknown."""
        kinds = {change.kind for change in self.changes}
        if self.undecided or "other" in kinds:
            return "unknown"
        return _RELATION["opened" in kinds, "closed" in kinds]


class _Asked(NamedTuple):
    """Two classes of ends, by one of each: the questions about their addresses of one family, before and after."""

    place: _Place
    before: list[Question]
    after: list[Question]


def compare(before: State, after: State) -> Comparison:
    """Find the connections whose verdict changes."""
    parties = [namespaces(each.solve, each.base) for each in (before, after)]
    own, other = ({end.name: end for ends in found.parties.values() for end in ends} for found in parties)
    for mine, theirs in ((own, other), (other, own)):
        mine.update({name: end for name, end in theirs.items() if not end.is_pod and name not in mine})
    members = _members(before, after, {name: (end, other[name]) for name, end in own.items() if name in other})
    asked = [each for place in product(members, members) for each in _questions(place, members, other)]
    changes, undecided = _changes(asked, _decided(asked, before, after), members)
    none = {pod for found in parties for pod in found.without_address} - {*own} - {*other}
    return Comparison(changes, undecided, _only(own, other), _only(other, own), tuple(sorted(none)))


def _only(own: Mapping[str, End], other: Mapping[str, End]) -> tuple[str, ...]:
    """Give the pods of one state that the other lacks, or of which it has no address of a family."""
    found = [name for name in own if name not in other]
    for name, end in own.items():
        lacking = _families(end) - _families(other[name]) if name in other else set[str]()
        found += [f"{name} ({family})" for family in lacking]
    return tuple(sorted(found))


def _families(end: End) -> set[str]:
    return {"IPv6" if ":" in address else "IPv4" for address in end.addresses}


def _members(before: State, after: State, ends: Mapping[str, tuple[End, End]]) -> dict[_Joint, list[End]]:
    """Give the ends of each class, as they are before."""
    first = classes_of(before.solve, [own for own, _ in ends.values()])
    second = classes_of(after.solve, [other for _, other in ends.values()])
    members: dict[_Joint, list[End]] = {}
    for own, other in ends.values():
        found = members.setdefault((first[own], second[other]), [])
        # An address stands for all of its class.
        found += [own] if own.is_pod or not found else []
    return members


def _questions(place: _Place, members: Mapping[_Joint, list[End]], other: Mapping[str, End]) -> list[_Asked]:
    pair = example_pair(members[place[0]], members[place[1]])
    if pair is None:
        return []
    before, after = addresses_asked(*pair), addresses_asked(other[pair[0].name], other[pair[1].name])
    families = [[[q for q in some if (":" in q.pair) == ipv6] for some in (before, after)] for ipv6 in (False, True)]
    # What only one state has an address for cannot be compared, and is named.
    return [_Asked(place, first, second) for first, second in families if first and second]


def _decided(asked: list[_Asked], before: State, after: State) -> list[dict[tuple[Decision, Decision], list[Ports]]]:
    """Give what decides before and after, each two with their ports if not all have them; of several addresses the worst."""
    groups = ((before, [each.before for each in asked]), (after, [each.after for each in asked]))
    parts = port_parts(groups)
    found: list[dict[tuple[Decision, Decision], list[Ports]]] = []
    for own, first, second in zip(parts, *(judged(*group, parts) for group in groups), strict=True):
        both: dict[tuple[Decision, Decision], list[Ports]] = {}
        for index, (a, b) in enumerate(zip(first, second, strict=True)):
            both.setdefault((_worst(a), _worst(b)), []).extend(own[index : index + 1])
        found.append(both)
    return found


def _worst(decisions: Iterable[Decision]) -> Decision:
    return min(decisions, key=lambda decision: WORST.index(decision.verdict))


def _changes(
    asked: Iterable[_Asked],
    decided: Iterable[Mapping[tuple[Decision, Decision], list[Ports]]],
    members: Mapping[_Joint, list[End]],
) -> tuple[tuple[Change, ...], int]:
    found: dict[tuple[Decision, Decision, tuple[Ports, ...]], dict[_Place, None]] = {}
    uncertain: dict[_Place, None] = {}
    for each, own in zip(asked, decided, strict=True):
        for (before, after), some in own.items():
            if before.verdict != after.verdict:
                ports = tuple(some) if len(own) > 1 else ()
                found.setdefault((before, after, ports), {})[each.place] = None
            elif not (before.is_certain and after.is_certain):
                uncertain[each.place] = None
    changes = [_change(*key, [*places], members) for key, places in found.items()]
    changes.sort(key=lambda c: (KINDS.index(c.kind), c.example, c.ports))
    return tuple(changes), sum(pair_count(members[s], members[d]) for s, d in uncertain)


def _change(
    before: Decision,
    after: Decision,
    ports: tuple[Ports, ...],
    places: list[_Place],
    members: Mapping[_Joint, list[End]],
) -> Change:
    kind = _KIND.get((before.verdict, after.verdict), "other")
    flows = sorted(Flows(*(tuple(end.name for end in members[joint]) for joint in place)) for place in places)
    example = min(pair for s, d in places if (pair := example_pair(members[s], members[d])))
    pairs = sum(pair_count(members[s], members[d]) for s, d in places)
    return Change(kind, before, after, ports, pairs, (example[0].name, example[1].name), tuple(flows))
