"""From derived tuples to tables as Liqo's agents take them: each nftables rule has one CIDR or set on a side, and one port.

The other encoding of a layout is that of ``assemble_nft``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile

from liqo_connectivity.chains.errors import ChainError
from liqo_connectivity.chains.layout import Layout
from liqo_connectivity.chains.limits import MAX_CHAIN_RULES
from liqo_connectivity.chains.matches import CidrMatch, Icmp6Match, PortMatch, PortRange, Protocol, SetMatch, Side
from liqo_connectivity.chains.model import WHOLE, Chain, Set, Table
from liqo_connectivity.chains.names import Draft, named
from liqo_connectivity.chains.parts import Part, parties, parts
from liqo_connectivity.chains.positions import ALL_PORTS, Ends, Position
from liqo_connectivity.chains.sets import Elements, Party, by_party, party_text, shards

PROTOCOLS = ("tcp", "udp")
"""The protocols that Liqo's agents match (liqotech/liqo, CRD of v1.2.0)."""


def assemble(layout: Layout) -> tuple[Table, ...]:
    """One table of family ip for every peering with a base chain, sorted; the same for the tuples in any order.

    A rule of the layout is written as follows.

    - The CIDRs and sets of a side are alternatives, and so are the ports. Each choice of a source, a destination and a
      port becomes a rule: CIDRs in numeric order, then the shards of sets; protocols in order, then their ranges. ``any``
      is the alternative that matches everything, so it leaves no other. CIDRs and ports are written as they are given,
      each once; neighbours are not merged and contained ones not dropped, so that a CIDR of a Network is found in the
      chain by its text.
    - A side with no tuple matches nothing, and so does a rule with such a side: it is not written. Only a rule with a
      connection state may say nothing of both sides; then it matches by state alone.
    - A match of an empty set is written and matches nothing: a chain stays as it is when the first element comes.
    - If the layout has parts, each is a base chain with its rules: those for connection states, its guards, which accept what
      the part does not judge, and the others.

    Raises ChainError for a layout with more than one base chain for a peering or one rule for a position, a match
    without its rule, a word out of its vocabulary, an address or CIDR that is not canonical, what Liqo's agents cannot
    match (IPv6, and protocols other than tcp and udp), or more than the limits of ``limits`` allow. The error of one
    peering hides the other tables; to have them, assemble the layouts of ``Layout.by_peering`` one by one.
    """
    return tuple(
        assemble_one(part, by_party((*part.chain_element, *part.chain_gathered)))
        for part in layout.by_peering().values()
    )


def assemble_one(layout: Layout, elements: Mapping[Party, Elements]) -> Table:
    """The table of a layout that is of one peering, with elements that are kept apart; as ``assemble`` gives it.

    For a caller that keeps a peering's elements up to date: the elements of the layout are ignored. Raises ChainError,
    also for a layout without a base chain.
    """
    made = parts(layout)
    ((peering, namespace, policy),) = layout.base_chain
    held = _shards(peering, parties(layout), elements)
    chains = tuple(_chain(part, held) for part in made)
    return Table(peering, namespace, policy, chains, tuple(each for party in held.values() for each in party))


def with_elements(table: Table, parties: Iterable[Party], elements: Mapping[Party, Elements]) -> Table | None:
    """The table of the same layout with other elements; None if they change its chains.

    ``parties`` are those of ``parts.parties``. A chain refers to sets by name: as long as the same sets are
    there, it stays as it is. Raises ChainError.
    """
    sets = tuple(held for party in _shards(table.peering, parties, elements).values() for held in party)
    if [held.name for held in sets] != [held.name for held in table.sets]:
        return None
    return replace(table, sets=sets)


def _shards(
    peering: str, parties: Iterable[Party], elements: Mapping[Party, Elements]
) -> Mapping[Party, tuple[Set, ...]]:
    named_parties = set(parties)
    for party in sorted(named_parties & elements.keys()):
        where = party_text(peering, party)
        last = elements[party].ordered(where)[-1:]
        if last and last[0].family != "ip":
            raise ChainError(f"{where}: {last[0].text!r} is not an IPv4 address; Liqo's agents match no other")
    return shards(peering, named_parties, elements, "ip")


def _chain(part: Part, parties: Mapping[Party, Sequence[Set]]) -> Chain:
    drafts: list[Draft] = []
    # Most packets belong to connections that exist: they need no guard.
    before = tuple(takewhile(lambda each: each.alone, part.positions))
    for position in before:
        drafts.extend(_drafts(position, parties, len(drafts)))
    drafts.extend(Draft("guard", 0, guard, "accept") for guard in part.guards)
    for position in part.positions[len(before) :]:
        drafts.extend(_drafts(position, parties, len(drafts)))
    if part.name == WHOLE:
        return Chain(named(drafts))
    return Chain(named(drafts, part.name), part.name)


def _drafts(position: Position, parties: Mapping[Party, Sequence[Set]], before: int) -> list[Draft]:
    """The rules that stand for one rule of the layout, when ``before`` rules of the chain come before them."""
    where = position.where
    if any(isinstance(match, Icmp6Match) for match in position.alone):
        raise ChainError(f"{where}: it matches ICMPv6, which Liqo's agents cannot")
    sources = _alternatives(where, "source", position.source, parties)
    destinations = _alternatives(where, "destination", position.destination, parties)
    if position.unaddressed:
        sources = destinations = ((),)
    ports = _ports(where, position.ports)
    count = len(sources) * len(destinations) * len(ports)
    if before + count > MAX_CHAIN_RULES:
        by_ports = f" by {len(ports)} ports" if position.ports else ""
        raise ChainError(
            f"{where}: its {len(sources)} sources by {len(destinations)} destinations{by_ports} bring the chain to "
            f"{before + count} rules, more than the {MAX_CHAIN_RULES} of one chain; use fewer rules, or fewer and larger "
            "CIDRs"
        )
    return [
        position.draft(*source, *destination, *port)
        for source in sources
        for destination in destinations
        for port in ports
    ]


def _alternatives(
    where: str, side: Side, ends: Ends, parties: Mapping[Party, Sequence[Set]]
) -> tuple[tuple[CidrMatch | SetMatch, ...], ...]:
    """What one side of a rule asks of a packet: any one of these, of which the empty one matches every address."""
    for network in ends.cidrs:
        if network.version != 4:
            raise ChainError(f"{where}, {side}: {str(network)!r} is not an IPv4 CIDR; Liqo's agents match no other")
    if ends.any:
        return ((),)
    held = (each for party in ends.parties for each in parties[party])
    return (*((CidrMatch(side, (each,)),) for each in ends.cidrs), *((SetMatch(side, each.name),) for each in held))


def _ports(where: str, ports: Sequence[tuple[Protocol, PortRange]]) -> tuple[tuple[PortMatch, ...], ...]:
    """What a rule asks of a packet's protocol and port: any one of these."""
    for protocol, _ in ports:
        if protocol not in PROTOCOLS:
            raise ChainError(
                f"{where}: protocol {protocol} is none of {', '.join(PROTOCOLS)}, which Liqo's agents match"
            )
    return tuple((PortMatch(protocol, () if each == ALL_PORTS else (each,)),) for protocol, each in ports) or ((),)
