"""From derived tuples to tables as nft takes them: of both families, and with sets where Liqo's agents need products."""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from itertools import groupby
from operator import itemgetter

from liqo_connectivity.chains.layout import Layout
from liqo_connectivity.chains.matches import CidrMatch, Icmp6Match, PortMatch, PortRange, Protocol, SetMatch, Side
from liqo_connectivity.chains.model import Chain, Set, Table
from liqo_connectivity.chains.names import Draft, named
from liqo_connectivity.chains.positions import ALL_PORTS, Ends, Position, positions
from liqo_connectivity.chains.sets import Party, by_party, party_text, shards
from liqo_connectivity.chains.values import Family, Network, family_of


def assemble_nft(layout: Layout) -> tuple[Table, ...]:
    """Two tables for every peering with a base chain, of family ip and ip6, sorted; the same for the tuples in any order.

    The tables mean what ``assemble`` says, with fewer rules. A rule of the layout becomes one for each choice of a
    source, a destination and a protocol. All CIDRs of a side are one alternative, merged; each shard of a set is one.
    All ports of a protocol are one. A rule with ICMPv6 types is in the table of ip6 only.

    The table of ip6 is empty, so that nft deletes it, if the layout names no address of IPv6 and has no rule that drops
    packets whatever their addresses. Raises ChainError as ``assemble``, but for what only Liqo's agents cannot match.
    """
    return tuple(table for part in layout.by_peering().values() for table in _tables(part))


def _tables(layout: Layout) -> tuple[Table, Table]:
    rules = positions(layout)
    ((peering, namespace, policy),) = layout.base_chain
    elements = by_party(layout.chain_element)
    named_parties = {(row[3], row[4]) for row in layout.chain_set}

    def table(family: Family) -> Table:
        parties = shards(peering, named_parties, elements, family)
        drafts = [draft for position in rules for draft in _drafts(position, parties, family)]
        sets = tuple(held for party in parties.values() for held in party)
        return Table(peering, namespace, policy, (Chain(named(drafts)),), sets, family)

    by_address = any(family_of(cidr) == "ip6" for rule in rules for ends in rule.ends for cidr in ends.cidrs) or any(
        elements[party].of_family(party_text(peering, party), "ip6") for party in named_parties & elements.keys()
    )
    if by_address or any(map(_drops_all, rules)):
        return table("ip"), table("ip6")
    return table("ip"), Table(peering, namespace, policy, (), (), "ip6")


def _drops_all(position: Position) -> bool:
    """Whether a rule drops packets of either family, whatever their addresses."""
    return position.verdict == "drop" and (position.unaddressed or all(ends.any for ends in position.ends))


def _drafts(position: Position, parties: Mapping[Party, Sequence[Set]], family: Family) -> list[Draft]:
    """The rules that stand for one rule of the layout in the table of a family."""
    if family == "ip" and any(isinstance(match, Icmp6Match) for match in position.alone):
        return []
    sources = _alternatives("source", position.source, parties, family)
    destinations = _alternatives("destination", position.destination, parties, family)
    if position.unaddressed:
        sources = destinations = ((),)
    ports = _ports(position.ports)
    return [
        position.draft(*source, *destination, *port)
        for source in sources
        for destination in destinations
        for port in ports
    ]


def _alternatives(
    side: Side, ends: Ends, parties: Mapping[Party, Sequence[Set]], family: Family
) -> tuple[tuple[CidrMatch | SetMatch, ...], ...]:
    """What one side of a rule asks of a packet: any one of these, of which the empty one matches every address."""
    if ends.any:
        return ((),)
    cidrs = _collapsed(ends.cidrs, family)
    together = [(CidrMatch(side, cidrs),)] if cidrs else []
    held = (each for party in ends.parties for each in parties[party])
    return (*together, *((SetMatch(side, each.name),) for each in held))


def _ports(ports: Iterable[tuple[Protocol, PortRange]]) -> tuple[tuple[PortMatch, ...], ...]:
    """What a rule asks of a packet's protocol and port: any one of these."""
    by_protocol = groupby(ports, key=itemgetter(0))
    return tuple((PortMatch(protocol, _merged(each for _, each in held)),) for protocol, held in by_protocol) or ((),)


def _merged(ranges: Iterable[PortRange]) -> tuple[PortRange, ...]:
    """Sorted ranges as few that hold the same ports, and none for all of them."""
    merged: list[PortRange] = []
    for first, last in ranges:
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return () if merged == [ALL_PORTS] else tuple(merged)


def _collapsed(cidrs: Iterable[Network], family: Family) -> tuple[Network, ...]:
    """The CIDRs of a family, with the same addresses in as few as can be."""
    if family == "ip":
        return tuple(collapse_addresses(each for each in cidrs if isinstance(each, IPv4Network)))
    return tuple(collapse_addresses(each for each in cidrs if isinstance(each, IPv6Network)))
