"""A chain and its slices joined into the tables again, or what of them is missing."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

from liqo_connectivity.chains.assemble_agent import AgentTable
from liqo_connectivity.chains.errors import ChainError
from liqo_connectivity.chains.model import Set
from liqo_connectivity.chains.published.model import SLICE, Incomplete, PublishedChain, SetSlice
from liqo_connectivity.chains.values import Address, Family

Key: TypeAlias = tuple[str, str]
"""The namespace and name of an object."""


def joined(chain: PublishedChain, slices: Mapping[Key, SetSlice]) -> tuple[AgentTable, AgentTable] | Incomplete:
    """The tables of a chain, with what the slices that it names have for their sets; ``slices`` are by
    namespace and name.

    A set has every address that any of the slices has for it. If a slice is missing, or there at an earlier revision only, no
    table is made. Raises ChainError for a slice that belongs to another chain, or that names a set that the chain has not.
    """
    held = [slices.get((chain.namespace, each.name)) for each in chain.slices]
    missing = tuple(
        wanted
        for wanted, found in zip(chain.slices, held, strict=True)
        if found is None or found.revision < wanted.revision
    )
    if missing:
        return Incomplete(missing)
    elements = _elements(chain, [each for each in held if each is not None])
    four, six = chain.tables
    return _filled(four, elements), _filled(six, elements)


def _elements(chain: PublishedChain, slices: list[SetSlice]) -> dict[tuple[Family, str], set[Address]]:
    known = {(table.family, each.name) for table in chain.tables for each in table.sets}
    elements: defaultdict[tuple[Family, str], set[Address]] = defaultdict(set)
    for held in slices:
        where = f"{SLICE} {held.namespace}/{held.name}"
        if held.chain != chain.peering:
            raise ChainError(f"{where}: spec.chain: {held.chain} is not {chain.peering}, whose chain names this slice")
        for address, names in held.members.items():
            for name in names:
                key = address.family, name
                if key not in known:
                    raise ChainError(f"{where}: spec.members: {chain.where} has no set {name} for {address}")
                elements[key].add(address)
    return dict(elements)


def _filled(table: AgentTable, elements: Mapping[tuple[Family, str], set[Address]]) -> AgentTable:
    sets = tuple(Set(held.name, tuple(sorted(elements.get((table.family, held.name), ())))) for held in table.sets)
    return AgentTable(replace(table.table, sets=sets), table.counters)
