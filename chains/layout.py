"""The input of this room: the derived tuples of ``rules/chains.dl`` and ``rules/parts.dl``, checked for shape and sorted."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

from liqo_connectivity.chains.errors import ChainError

BaseChainRow: TypeAlias = tuple[str, str, str]
"""peering, namespace, policy"""
ChainRuleRow: TypeAlias = tuple[str, int, str, int, str]
"""peering, position, origin, rule, verdict"""
ChainStateRow: TypeAlias = tuple[str, int, str]
"""peering, position, state"""
ChainAnyRow: TypeAlias = tuple[str, int, str]
"""peering, position, side"""
ChainCidrRow: TypeAlias = tuple[str, int, str, str]
"""peering, position, side, cidr"""
ChainSetRow: TypeAlias = tuple[str, int, str, str, str]
"""peering, position, side, kind, name"""
ChainPortRow: TypeAlias = tuple[str, int, str, int, int]
"""peering, position, protocol, first, last"""
ChainIcmp6Row: TypeAlias = tuple[str, int, str]
"""peering, position, type"""
ChainElementRow: TypeAlias = tuple[str, str, str, str]
"""peering, kind, name, address"""
ChainPartRow: TypeAlias = tuple[str, str]
"""peering, part"""
PartCidrRow: TypeAlias = tuple[str, str, str, str]
"""peering, part, side, cidr"""
PartRuleRow: TypeAlias = tuple[str, str, int]
"""peering, part, position"""
PartAnyRow: TypeAlias = tuple[str, str, int, str]
"""peering, part, position, side"""
PartRuleCidrRow: TypeAlias = tuple[str, str, int, str, str]
"""peering, part, position, side, cidr"""
PartRuleSetRow: TypeAlias = tuple[str, str, int, str, str, str]
"""peering, part, position, side, kind, name"""

COLUMNS: Final[Mapping[str, tuple[type, ...]]] = {
    "base_chain": (str, str, str),
    "chain_rule": (str, int, str, int, str),
    "chain_state": (str, int, str),
    "chain_any": (str, int, str),
    "chain_cidr": (str, int, str, str),
    "chain_set": (str, int, str, str, str),
    "chain_port": (str, int, str, int, int),
    "chain_icmp6": (str, int, str),
    "chain_element": (str, str, str, str),
    "chain_part": (str, str),
    "chain_part_inside": (str, str, str, str),
    "chain_part_outside": (str, str, str, str),
    "chain_part_rule": (str, str, int),
    "chain_part_any": (str, str, int, str),
    "chain_part_cidr": (str, str, int, str, str),
    "chain_part_set": (str, str, int, str, str, str),
    "chain_gathered": (str, str, str, str),
}
"""The relations a layout is made of, each with the Python types of its columns: ``number`` is int, the rest str."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The relations of ``rules/chains.dl`` and ``rules/parts.dl``, whose comments say what a tuple means.

    Made by ``from_relations``, every relation is sorted and without repetition: two layouts are equal when they hold
    the same tuples, in whatever order these were derived.
    """

    base_chain: tuple[BaseChainRow, ...] = ()
    chain_rule: tuple[ChainRuleRow, ...] = ()
    chain_state: tuple[ChainStateRow, ...] = ()
    chain_any: tuple[ChainAnyRow, ...] = ()
    chain_cidr: tuple[ChainCidrRow, ...] = ()
    chain_set: tuple[ChainSetRow, ...] = ()
    chain_port: tuple[ChainPortRow, ...] = ()
    chain_icmp6: tuple[ChainIcmp6Row, ...] = ()
    chain_element: tuple[ChainElementRow, ...] = ()
    chain_part: tuple[ChainPartRow, ...] = ()
    chain_part_inside: tuple[PartCidrRow, ...] = ()
    chain_part_outside: tuple[PartCidrRow, ...] = ()
    chain_part_rule: tuple[PartRuleRow, ...] = ()
    chain_part_any: tuple[PartAnyRow, ...] = ()
    chain_part_cidr: tuple[PartRuleCidrRow, ...] = ()
    chain_part_set: tuple[PartRuleSetRow, ...] = ()
    chain_gathered: tuple[ChainElementRow, ...] = ()

    @classmethod
    def from_relations(cls, relations: Mapping[str, Iterable[tuple[object, ...]]]) -> "Layout":
        """The layout held by a mapping of relation name to rows; other relations are ignored.

        Raises ChainError if one of COLUMNS is absent (a misspelt relation must not read as an empty one) or if a
        row has the wrong number or types of columns.
        """
        return _layout({relation: _rows(relations, relation) for relation in COLUMNS})

    def by_peering(self) -> dict[str, "Layout"]:
        """One layout for each peering that has a base chain, sorted by peering.

        Tuples of other peerings are left out: without a base chain there is nothing to write them into. Assembling
        the parts one by one keeps what is wrong with one peering from stopping the others.
        """
        rows: dict[str, defaultdict[str, list[tuple[object, ...]]]] = {
            peering: defaultdict(list) for peering, _, _ in self.base_chain
        }
        for relation in COLUMNS:
            held = cast("tuple[tuple[object, ...], ...]", getattr(self, relation))
            for row in held:
                part = rows.get(cast("str", row[0]))
                if part is not None:
                    part[relation].append(row)
        return {peering: _layout(part) for peering, part in sorted(rows.items())}


def _layout(rows: Mapping[str, Sequence[tuple[object, ...]]]) -> Layout:
    # the only place where rows whose columns were checked become typed ones
    return Layout(
        base_chain=cast("tuple[BaseChainRow, ...]", tuple(rows["base_chain"])),
        chain_rule=cast("tuple[ChainRuleRow, ...]", tuple(rows["chain_rule"])),
        chain_state=cast("tuple[ChainStateRow, ...]", tuple(rows["chain_state"])),
        chain_any=cast("tuple[ChainAnyRow, ...]", tuple(rows["chain_any"])),
        chain_cidr=cast("tuple[ChainCidrRow, ...]", tuple(rows["chain_cidr"])),
        chain_set=cast("tuple[ChainSetRow, ...]", tuple(rows["chain_set"])),
        chain_port=cast("tuple[ChainPortRow, ...]", tuple(rows["chain_port"])),
        chain_icmp6=cast("tuple[ChainIcmp6Row, ...]", tuple(rows["chain_icmp6"])),
        chain_element=cast("tuple[ChainElementRow, ...]", tuple(rows["chain_element"])),
        chain_part=cast("tuple[ChainPartRow, ...]", tuple(rows["chain_part"])),
        chain_part_inside=cast("tuple[PartCidrRow, ...]", tuple(rows["chain_part_inside"])),
        chain_part_outside=cast("tuple[PartCidrRow, ...]", tuple(rows["chain_part_outside"])),
        chain_part_rule=cast("tuple[PartRuleRow, ...]", tuple(rows["chain_part_rule"])),
        chain_part_any=cast("tuple[PartAnyRow, ...]", tuple(rows["chain_part_any"])),
        chain_part_cidr=cast("tuple[PartRuleCidrRow, ...]", tuple(rows["chain_part_cidr"])),
        chain_part_set=cast("tuple[PartRuleSetRow, ...]", tuple(rows["chain_part_set"])),
        chain_gathered=cast("tuple[ChainElementRow, ...]", tuple(rows["chain_gathered"])),
    )


def _rows(relations: Mapping[str, Iterable[tuple[object, ...]]], relation: str) -> tuple[tuple[object, ...], ...]:
    if relation not in relations:
        raise ChainError(f"relation {relation}: absent; a layout needs all of {', '.join(COLUMNS)}, empty or not")
    types = COLUMNS[relation]
    rows = {tuple(row) for row in relations[relation]}
    for row in rows:
        # bool is an int for isinstance, and would be written as True
        if len(row) != len(types) or any(type(value) is not kind for value, kind in zip(row, types, strict=True)):
            wanted = ", ".join(kind.__name__ for kind in types)
            raise ChainError(f"relation {relation}: row {row!r} does not have the columns ({wanted}) of chains.dl")
    return tuple(sorted(cast("set[tuple[str, ...]]", rows)))
