"""The base chains that a layout is written in: one with all of its rules, or parts that each judge some of the packets."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from liqo_connectivity.chains.errors import ChainError
from liqo_connectivity.chains.guards import Guard, inside, outside
from liqo_connectivity.chains.layout import Layout, PartCidrRow
from liqo_connectivity.chains.matches import SIDES, Side
from liqo_connectivity.chains.model import WHOLE
from liqo_connectivity.chains.positions import Position, peering_text, positions
from liqo_connectivity.chains.sets import Party
from liqo_connectivity.chains.values import Network, cidr, word


@dataclass(frozen=True, slots=True)
class Part:
    """A base chain: the rules for what is let pass first, then guards, which accept, then the other rules."""

    name: str
    guards: tuple[Guard, ...]
    positions: tuple[Position, ...]


def parts(layout: Layout) -> tuple[Part, ...]:
    """The base chains of a layout that is of one peering, sorted by name. Without parts it is one, with all rules.

    Raises ChainError as ``positions``, for a tuple of a part that there is not, and for a rule of a part that is none of
    the layout.
    """
    names = [name for _, name in layout.chain_part]
    where = peering_text(layout)
    for relation, rows in (
        ("chain_part_inside", layout.chain_part_inside),
        ("chain_part_outside", layout.chain_part_outside),
        ("chain_part_rule", layout.chain_part_rule),
        ("chain_part_any", layout.chain_part_any),
        ("chain_part_cidr", layout.chain_part_cidr),
        ("chain_part_set", layout.chain_part_set),
    ):
        for row in rows:
            if row[1] not in names:
                raise ChainError(f"{where}: {relation} has a tuple for part {row[1]}, which does not exist")
    if not names:
        return (Part(WHOLE, (), positions(layout)),)
    return tuple(Part(name, _guards(where, layout, name), _positions(where, layout, name)) for name in names)


def parties(layout: Layout) -> frozenset[Party]:
    """The parties whose sets the base chains of a layout name."""
    if layout.chain_part:
        return frozenset((row[4], row[5]) for row in layout.chain_part_set)
    return frozenset((row[3], row[4]) for row in layout.chain_set)


def _positions(where: str, layout: Layout, name: str) -> tuple[Position, ...]:
    """The rules of a part: those of the layout at its positions, with the sides that the part gives them."""
    here = {position for _, part, position in layout.chain_part_rule if part == name}
    missing = here - {row[1] for row in layout.chain_rule}
    if missing:
        raise ChainError(f"{where}: part {name} has a rule at position {min(missing)}, where the chain has none")
    return positions(
        replace(
            layout,
            chain_rule=tuple(row for row in layout.chain_rule if row[1] in here),
            chain_state=tuple(row for row in layout.chain_state if row[1] in here),
            chain_port=tuple(row for row in layout.chain_port if row[1] in here),
            chain_icmp6=tuple(row for row in layout.chain_icmp6 if row[1] in here),
            chain_any=tuple((row[0], *row[2:]) for row in layout.chain_part_any if row[1] == name),
            chain_cidr=tuple((row[0], *row[2:]) for row in layout.chain_part_cidr if row[1] == name),
            chain_set=tuple((row[0], *row[2:]) for row in layout.chain_part_set if row[1] == name),
        )
    )


def _guards(where: str, layout: Layout, name: str) -> tuple[Guard, ...]:
    """What a part accepts first: what is in none of the CIDRs that one side has to be in, or in one that it may not be in."""
    here = f"{where}, part {name}"
    made: list[Guard] = []
    for side in SIDES.values():
        made.extend(outside(here, side, _networks(here, layout.chain_part_inside, name, side)))
        made.extend(inside(here, side, _networks(here, layout.chain_part_outside, name, side)))
    return tuple(made)


def _networks(where: str, rows: Iterable[PartCidrRow], name: str, side: Side) -> list[Network]:
    """The CIDRs of a guard."""
    return [
        cidr(f"{where}, {side}", value)
        for _, part, of, value in rows
        if part == name and word(where, "side", of, SIDES) == side
    ]
