"""The rules with which a part accepts what it does not judge, by the CIDRs that it tells packets apart by.

A rule of Liqo's agent can exclude many ranges, because its matches are all to hold, but cannot offer a choice of two. So each
guard excludes ranges only: to be in one of some CIDRs is to be in none of the gaps between them.
"""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise
from typing import Final, TypeAlias

from liqo_connectivity.chains.errors import ChainError
from liqo_connectivity.chains.limits import MAX_GUARD_CIDRS
from liqo_connectivity.chains.matches import OutsideMatch, Side
from liqo_connectivity.chains.values import AddressRange, Network

Guard: TypeAlias = tuple[OutsideMatch, ...]
"""The matches of a rule that accepts: one, or none if it is for every packet."""

_END: Final = 1 << 32
"""The number after that of the last address."""


def outside(where: str, side: Side, networks: Sequence[Network]) -> list[Guard]:
    """Accept what is in none of some CIDRs; no rule if there are no CIDRs.

    Each guard is for some of the CIDRs and the addresses from the first of them to the first of the next guard: what lies
    before or after is for the others. Raises ChainError for CIDRs that are not of IPv4 or have an address in common.
    """
    made: list[Guard] = []
    chunks = _chunks(_ends(where, side, networks))
    for at, chunk in enumerate(chunks):
        start = chunk[0][0] if at else 0
        end = chunks[at + 1][0][0] if at + 1 < len(chunks) else _END
        made.append(_excluding(side, [(0, start), *chunk, (end, _END)]))
    return made


def inside(where: str, side: Side, networks: Sequence[Network]) -> list[Guard]:
    """Accept what is in one of some CIDRs; no rule if there are no CIDRs. Raises as ``outside``."""
    return [
        _excluding(side, [(before, after) for (_, before), (after, _) in pairwise([(0, 0), *chunk, (_END, _END)])])
        for chunk in _chunks(_ends(where, side, networks))
    ]


def _ends(where: str, side: Side, networks: Sequence[Network]) -> list[tuple[int, int]]:
    """The number of the first address of each CIDR, and the one after its last, sorted."""
    for network in networks:
        if not isinstance(network, IPv4Network):
            raise ChainError(f"{where}, {side}: {str(network)!r} is not an IPv4 CIDR; Liqo's agents match no other")
    found = sorted((int(each.network_address), int(each.broadcast_address) + 1) for each in networks)
    for (_, end), (start, _) in pairwise(found):
        if start < end:
            raise ChainError(f"{where}, {side}: two CIDRs have the address {IPv4Address(start)} in common")
    return found


def _chunks(ends: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    return [ends[start : start + MAX_GUARD_CIDRS] for start in range(0, len(ends), MAX_GUARD_CIDRS)]


def _excluding(side: Side, ends: list[tuple[int, int]]) -> Guard:
    ranges = tuple(_ranges(ends))
    return (OutsideMatch(side, ranges),) if ranges else ()


def _ranges(ends: list[tuple[int, int]]) -> Iterator[AddressRange]:
    """The ranges that are not empty."""
    for start, end in ends:
        if start < end:
            yield IPv4Address(start), IPv4Address(end - 1)
