"""What to publish of the tables of a peering after what is published of them: as little as shows no node a mixture.

What changes in one slice is a new revision of that slice alone, which a node sees at once or not at all. Everything else is a
new revision of the chain: it names slices of new names, so that no node sees one of them before all of them, and the slices
that it no longer names go afterwards.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from liqo_connectivity.chains.assemble_agent import AgentTable
from liqo_connectivity.chains.errors import ChainError
from liqo_connectivity.chains.limits import MAX_SLICE_ADDRESSES, SLICE_FILL
from liqo_connectivity.chains.model import Set
from liqo_connectivity.chains.published.model import Publication, PublishedChain, SetSlice
from liqo_connectivity.chains.values import Address

Members = Mapping[Address, tuple[str, ...]]
"""Addresses, each with the names of the sets that it is in, sorted."""
SPARSE: Final = MAX_SLICE_ADDRESSES // 4
"""A slice of no more addresses is joined with others when the chain is written anyway."""


def publication(tables: tuple[AgentTable, AgentTable], revision: int, before: Publication | None = None) -> Publication:
    """The publication of the tables of one peering, that of ip and that of ip6; ``before``, if nothing is to be written.

    ``revision`` is for what is written, and greater than every one before: of this publication, and of those of a chain of the
    same name that is deleted. A change of one address is a change of one slice, unless none has room for it. The same for equal
    arguments. Raises ChainError for more addresses than MAX_SLICES slices hold, and for a revision that is not greater.
    """
    members = _members(tables)
    empty = (_without_elements(tables[0]), _without_elements(tables[1]))
    if before is None:
        return _publication(empty, revision, (), members)
    if before.chain.tables == empty:
        changed = _changed(before.slices, members)
        if not changed.slices and not changed.added:
            return before
        place = _only_slice(before.slices, changed, members)
        if place is not None:
            return _with_slice(before, place, revision, members, changed.added)
    return _renewed(empty, revision, before, members)


@dataclass(frozen=True, slots=True)
class _Changed:
    """The slices of which an address is in other sets now, or in none, and the addresses that no slice has."""

    slices: tuple[SetSlice, ...]
    added: Members


def _members(tables: Iterable[AgentTable]) -> dict[Address, tuple[str, ...]]:
    found: defaultdict[Address, list[str]] = defaultdict(list)
    for table in tables:
        for held in sorted(table.sets, key=lambda each: each.name):
            for address in held.elements:
                found[address].append(held.name)
    return {address: tuple(names) for address, names in sorted(found.items())}


def _without_elements(table: AgentTable) -> AgentTable:
    sets = tuple(Set(held.name, ()) for held in table.sets)
    return AgentTable(replace(table.table, sets=sets), table.counters)


def _changed(slices: Iterable[SetSlice], members: Members) -> _Changed:
    touched: list[SetSlice] = []
    added = dict(members)
    for held in slices:
        if any(members.get(address) != names for address, names in held.members.items()):
            touched.append(held)
        for address in held.members:
            added.pop(address, None)
    return _Changed(tuple(touched), added)


def _only_slice(slices: Iterable[SetSlice], changed: _Changed, members: Members) -> SetSlice | None:
    """The one slice that holds all that changes and has room for what is new, if there is one."""
    if len(changed.slices) > 1:
        return None
    fullest = sorted(slices, key=lambda each: (-len(each.members), each.name))
    for held in changed.slices or fullest:
        if len(held.members.keys() & members.keys()) + len(changed.added) <= MAX_SLICE_ADDRESSES:
            return held
    return None


def _with_slice(before: Publication, old: SetSlice, revision: int, members: Members, added: Members) -> Publication:
    kept = {address: members[address] for address in old.members if address in members}
    new = replace(
        old, revision=_greater(before, old.revision, revision), members=dict(sorted({**kept, **added}.items()))
    )
    return replace(before, slices=tuple(new if each is old else each for each in before.slices))


def _renewed(empty: tuple[AgentTable, AgentTable], revision: int, before: Publication, members: Members) -> Publication:
    """A new revision of the chain, which keeps the slices without a change, but for those that have become too small."""
    _greater(before, before.chain.revision, revision)
    changed = _changed(before.slices, members)
    small = [each for each in before.slices if len(each.members) <= SPARSE]
    moved = {each.name for each in changed.slices}
    if moved or changed.added or len(small) > 1:
        moved |= {each.name for each in small}
    kept = tuple(each for each in before.slices if each.name not in moved)
    placed = {address for each in kept for address in each.members}
    return _publication(empty, revision, kept, {at: names for at, names in members.items() if at not in placed})


def _publication(
    empty: tuple[AgentTable, AgentTable], revision: int, kept: Sequence[SetSlice], rest: Members
) -> Publication:
    """A new revision of a chain, with some slices and new ones, whose names no slice ever had."""
    table = empty[0]
    name = f"{table.peering}-{revision}"
    new = [
        SetSlice(table.namespace, f"{name}-{number}", table.peering, revision, part)
        for number, part in enumerate(_split(rest))
    ]
    slices = tuple(sorted((*kept, *new), key=lambda each: each.name))
    return Publication(PublishedChain(empty, revision, tuple(each.reference for each in slices)), slices)


def _split(members: Members) -> list[Members]:
    """Parts of equal size, in order, none with more than SLICE_FILL."""
    addresses = list(members)
    count = -(-len(addresses) // SLICE_FILL)
    bounds = [len(addresses) * number // count for number in range(count + 1)] if count else []
    return [{at: members[at] for at in addresses[first:last]} for first, last in pairwise(bounds)]


def _greater(before: Publication, last: int, revision: int) -> int:
    if revision <= last:
        raise ChainError(
            f"{before.chain.where}: revision {revision} is not greater than {last}, which is there already"
        )
    return revision
