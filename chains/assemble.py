"""From derived tuples to tables: each rule of a layout becomes the nftables rules that match the same packets.

A tuple that cannot be written is an error, never a wider or narrower match.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from itertools import pairwise
from typing import Final, TypeVar

from liqo_connectivity.chains.errors import ChainError
from liqo_connectivity.chains.layout import ChainCidrRow, ChainRuleRow, ChainSetRow, Layout
from liqo_connectivity.chains.model import (
    MAX_CHAIN_RULES,
    OPERATORS,
    SIDES,
    STATES,
    VERDICTS,
    Chain,
    CidrMatch,
    Match,
    Operator,
    Set,
    SetMatch,
    Side,
    State,
    StateMatch,
    Table,
)
from liqo_connectivity.chains.names import Draft, Origin, named
from liqo_connectivity.chains.sets import Elements, Party, Shards, by_party, shards
from liqo_connectivity.chains.values import cidr, cluster_id, word

Row = TypeVar("Row")
Key = TypeVar("Key", bound=Hashable)

ORIGINS: Final[Mapping[str, Origin]] = {"established": "established", "outside-scope": "outside-scope", "rule": "rule"}


@dataclass(frozen=True, slots=True)
class _Side:
    """What one side of a rule asks of a packet: one of ``alternatives``, each a conjunction, and all ``exclusions``.

    No alternatives: the side matches nothing. One alternative that is empty: it matches any address. ``excludes`` says
    that a ``neq`` was given, even if only on sets that are empty, and so is in no exclusion.
    """

    alternatives: tuple[tuple[Match, ...], ...]
    exclusions: tuple[Match, ...]
    excludes: bool


@dataclass(frozen=True, slots=True)
class _Matches:
    """The match tuples of one peering by position; ``sides`` those of any."""

    states: Mapping[int, list[str]]
    sides: Mapping[int, set[Side]]
    cidrs: Mapping[tuple[int, Side], list[ChainCidrRow]]
    sets: Mapping[tuple[int, Side], list[ChainSetRow]]
    parties: Mapping[Party, Shards]


def assemble(layout: Layout) -> tuple[Table, ...]:
    """One table for every peering with a base chain, sorted by peering; the same for the tuples in any order.

    A rule of the layout is written as follows.

    - On one side, ``eq`` CIDRs and sets are alternatives, ``neq`` ones must all hold. Each pair of a source
      and a destination becomes a rule: CIDRs in numeric order, then the shards of sets. ``any`` is the alternative that
      matches everything, so it leaves no other. CIDRs are written as they are given, each once; neighbours are not
      merged and contained ones not dropped, so that a CIDR of a Network is found in the chain by its text.
    - A side with no tuple matches nothing, and so does a rule with such a side: it is not written. Only a rule with a
      connection state may say nothing of both sides; then it matches by state alone.
    - An ``eq`` on an empty set is written and matches nothing. A ``neq`` on an empty set always holds, so it is left
      out; if nothing remains of a rule then, that is an error, because it would match every packet of every node.

    Raises ChainError for a layout with more than one base chain for a peering or one rule for a position, a match
    without its rule, a word out of its vocabulary, an address or CIDR that is not canonical IPv4, or more than the
    limits of ``model`` allow. The error of one peering hides the other tables; to have them, assemble the layouts of
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
    sets = tuple(held for party in matches.parties.values() for held in party.sets)
    return Table(peering, namespace, policy, (Chain(named(drafts)),), sets)


def with_elements(table: Table, parties: Iterable[Party], elements: Mapping[Party, Elements]) -> Table | None:
    """The table of the same layout with other elements; None if they change its chain.

    ``parties`` are those of the layout's chain_set. A chain refers to sets by name, and to none that is empty by
    ``neq``: as long as the same sets are there and the same are empty, it stays as it is. Raises ChainError.
    """
    sets = tuple(held for party in shards(table.peering, parties, elements).values() for held in party.sets)
    if list(map(_shape, sets)) != list(map(_shape, table.sets)):
        return None
    return replace(table, sets=sets)


def _shape(held: Set) -> tuple[str, bool]:
    return held.name, bool(held.elements)


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
        parties=shards(peering, ((row[4], row[5]) for row in layout.chain_set), elements),
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
    source = _side(where, "source", position, matches)
    destination = _side(where, "destination", position, matches)
    if state and not source.alternatives and not destination.alternatives:
        source = destination = _Side(((),), (), excludes=False)
    count = len(source.alternatives) * len(destination.alternatives)
    if before + count > MAX_CHAIN_RULES:
        raise ChainError(
            f"{where}: its {len(source.alternatives)} sources by {len(destination.alternatives)} destinations bring "
            f"the chain to {before + count} rules, more than the {MAX_CHAIN_RULES} of one chain; use fewer rules, or "
            "fewer and larger CIDRs"
        )
    all_of = [
        (*state, *one, *source.exclusions, *other, *destination.exclusions)
        for one in source.alternatives
        for other in destination.alternatives
    ]
    if () in all_of and (source.excludes or destination.excludes):
        raise ChainError(
            f"{where}: it is for all but the elements of empty sets, and would match every packet; derive no chain "
            "while there is nothing in scope"
        )
    meaning = word(where, "origin", origin, ORIGINS)
    decided = word(where, "verdict", verdict, VERDICTS)
    return [Draft(meaning, number, criteria, decided) for criteria in all_of]


def _side(where: str, side: Side, position: int, matches: _Matches) -> _Side:
    here = f"{where}, {side}"
    given: list[tuple[Operator, IPv4Network]] = [
        (word(here, "operator", operator, OPERATORS), cidr(here, value))
        for _, _, _, operator, value in matches.cidrs.get((position, side), ())
    ]
    given.sort(key=lambda pair: (int(pair[1].network_address), pair[1].prefixlen))
    found: list[CidrMatch | SetMatch] = []
    found.extend(CidrMatch(side, operator, network) for operator, network in given)
    excludes = any(match.operator == "neq" for match in found)
    for _, _, _, value, kind, name in sorted(matches.sets.get((position, side), ()), key=lambda row: row[4:]):
        operator = word(here, "operator", value, OPERATORS)
        excludes = excludes or operator == "neq"
        party = matches.parties[kind, name]
        found.extend(SetMatch(side, operator, held.name) for held in (party.sets if operator == "eq" else party.filled))
    unique = tuple(dict.fromkeys(found))
    exclusions = tuple(match for match in unique if match.operator == "neq")
    alternatives: tuple[tuple[Match, ...], ...] = tuple((match,) for match in unique if match.operator == "eq")
    if side in matches.sides.get(position, ()) or (excludes and not alternatives):
        alternatives = ((),)
    return _Side(alternatives, exclusions, excludes)
