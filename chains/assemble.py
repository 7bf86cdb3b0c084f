"""From derived tuples to tables: each rule of a layout becomes the nftables rules that match the same packets.

A tuple that cannot be written is an error, never a wider or narrower match.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, TypeVar

from liqo_connectivity.chains.errors import ChainError
from liqo_connectivity.chains.layout import ChainCidrRow, ChainRuleRow, ChainSetRow, Layout
from liqo_connectivity.chains.limits import MAX_CHAIN_RULES
from liqo_connectivity.chains.model import (
    SIDES,
    STATES,
    VERDICTS,
    Chain,
    CidrMatch,
    Match,
    Set,
    SetMatch,
    Side,
    State,
    StateMatch,
    Table,
)
from liqo_connectivity.chains.names import Draft, Origin, named
from liqo_connectivity.chains.sets import Elements, Party, by_party, shards
from liqo_connectivity.chains.values import cidr, cluster_id, word

Row = TypeVar("Row")
Key = TypeVar("Key", bound=Hashable)

ORIGINS: Final[Mapping[str, Origin]] = {"established": "established", "rule": "rule"}


@dataclass(frozen=True, slots=True)
class _Matches:
    """The match tuples of one peering by position; ``sides`` those of any."""

    states: Mapping[int, list[str]]
    sides: Mapping[int, set[Side]]
    cidrs: Mapping[tuple[int, Side], list[ChainCidrRow]]
    sets: Mapping[tuple[int, Side], list[ChainSetRow]]
    parties: Mapping[Party, tuple[Set, ...]]


def assemble(layout: Layout) -> tuple[Table, ...]:
    """One table for every peering with a base chain, sorted by peering; the same for the tuples in any order.

    A rule of the layout is written as follows.

    - The CIDRs and sets of a side are alternatives. Each pair of a source and a destination becomes a rule: CIDRs in
      numeric order, then the shards of sets. ``any`` is the alternative that matches everything, so it leaves no other.
      CIDRs are written as they are given, each once; neighbours are not merged and contained ones not dropped, so that
      a CIDR of a Network is found in the chain by its text.
    - A side with no tuple matches nothing, and so does a rule with such a side: it is not written. Only a rule with a
      connection state may say nothing of both sides; then it matches by state alone.
    - A match of an empty set is written and matches nothing: a chain stays as it is when the first element comes.

    Raises ChainError for a layout with more than one base chain for a peering or one rule for a position, a match
    without its rule, a word out of its vocabulary, an address or CIDR that is not canonical IPv4, or more than the
    limits of ``limits`` allow. The error of one peering hides the other tables; to have them, assemble the layouts of
    ``Layout.by_peering`` one by one.
    """
    return tuple(assemble_one(part, by_party(part.chain_element)) for part in layout.by_peering().values())


def assemble_one(layout: Layout, elements: Mapping[Party, Elements]) -> Table:
    """The table of a layout that is of one peering, with elements that are kept apart; as ``assemble`` gives it.

    For a caller that keeps a peering's elements up to date: the elements of the layout are ignored. Raises ChainError,
    also for a layout without a base chain.
    """
    if not layout.base_chain:
        raise ChainError("a layout without a base chain cannot be written")
    peering = layout.base_chain[0][0]
    where = f"peering {cluster_id(peering)}"
    if len(layout.base_chain) != 1:
        chains = ", ".join(f"{policy!r} in {namespace!r}" for _, namespace, policy in layout.base_chain)
        raise ChainError(f"{where}: more than one base chain ({chains}); one peering has one")
    ((_, namespace, policy),) = layout.base_chain
    rules = sorted(layout.chain_rule, key=lambda row: row[1])
    matches = _matches(where, peering, layout, elements, {position for _, position, _, _, _ in rules})
    for row, following in pairwise(rules):
        if row[1] == following[1]:
            raise ChainError(f"{where}: more than one rule at position {row[1]}: {row!r} and {following!r}")
    drafts: list[Draft] = []
    for row in rules:
        drafts.extend(_drafts(f"{where}, rule {row[3]} at position {row[1]}", row, matches, len(drafts)))
    sets = tuple(held for party in matches.parties.values() for held in party)
    return Table(peering, namespace, policy, (Chain(named(drafts)),), sets)


def with_elements(table: Table, parties: Iterable[Party], elements: Mapping[Party, Elements]) -> Table | None:
    """The table of the same layout with other elements; None if they change its chain.

    ``parties`` are those of the layout's chain_set. A chain refers to sets by name: as long as the same sets are
    there, it stays as it is. Raises ChainError.
    """
    sets = tuple(held for party in shards(table.peering, parties, elements).values() for held in party)
    if [held.name for held in sets] != [held.name for held in table.sets]:
        return None
    return replace(table, sets=sets)


def _matches(
    where: str, peering: str, layout: Layout, elements: Mapping[Party, Elements], positions: set[int]
) -> _Matches:
    for relation, rows in (
        ("chain_state", layout.chain_state),
        ("chain_any", layout.chain_any),
        ("chain_cidr", layout.chain_cidr),
        ("chain_set", layout.chain_set),
    ):
        for row in rows:
            if row[1] not in positions:
                raise ChainError(f"{where}: {relation} has a tuple for position {row[1]}, where there is no rule")

    def side(value: str, position: int) -> Side:
        return word(f"{where}, position {position}", "side", value, SIDES)

    return _Matches(
        states=_grouped((position, state) for _, position, state in layout.chain_state),
        sides={
            position: set(sides)
            for position, sides in _grouped(
                (position, side(value, position)) for _, position, value in layout.chain_any
            ).items()
        },
        cidrs=_grouped(((row[1], side(row[2], row[1])), row) for row in layout.chain_cidr),
        sets=_grouped(((row[1], side(row[2], row[1])), row) for row in layout.chain_set),
        parties=shards(peering, ((row[3], row[4]) for row in layout.chain_set), elements),
    )


def _grouped(pairs: Iterable[tuple[Key, Row]]) -> Mapping[Key, list[Row]]:
    groups: defaultdict[Key, list[Row]] = defaultdict(list)
    for key, row in pairs:
        groups[key].append(row)
    return dict(groups)


def _drafts(where: str, row: ChainRuleRow, matches: _Matches, before: int) -> list[Draft]:
    """The rules that stand for one rule of the layout, when ``before`` rules of the chain come before them."""
    _, position, origin, number, verdict = row
    states: set[State] = {word(where, "connection state", value, STATES) for value in matches.states.get(position, ())}
    state = (StateMatch(tuple(value for value in STATES.values() if value in states)),) if states else ()
    sources = _alternatives(where, "source", position, matches)
    destinations = _alternatives(where, "destination", position, matches)
    if state and not sources and not destinations:
        sources = destinations = ((),)
    count = len(sources) * len(destinations)
    if before + count > MAX_CHAIN_RULES:
        raise ChainError(
            f"{where}: its {len(sources)} sources by {len(destinations)} destinations bring the chain to "
            f"{before + count} rules, more than the {MAX_CHAIN_RULES} of one chain; use fewer rules, or fewer and larger "
            "CIDRs"
        )
    meaning = word(where, "origin", origin, ORIGINS)
    decided = word(where, "verdict", verdict, VERDICTS)
    return [
        Draft(meaning, number, (*state, *source, *destination), decided)
        for source in sources
        for destination in destinations
    ]


def _alternatives(where: str, side: Side, position: int, matches: _Matches) -> tuple[tuple[Match, ...], ...]:
    """What one side of a rule asks of a packet: any one of these, of which the empty one matches every address."""
    here = f"{where}, {side}"
    networks = {cidr(here, value) for _, _, _, value in matches.cidrs.get((position, side), ())}
    ordered = sorted(networks, key=lambda network: (int(network.network_address), network.prefixlen))
    parties = sorted((kind, name) for _, _, _, kind, name in matches.sets.get((position, side), ()))
    if side in matches.sides.get(position, ()):
        return ((),)
    held = (each for party in parties for each in matches.parties[party])
    return (*((CidrMatch(side, network),) for network in ordered), *((SetMatch(side, each.name),) for each in held))
