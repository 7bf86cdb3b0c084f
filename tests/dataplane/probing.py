"""Sends the packets of flows through a topology, and says which of them did what they should not.

A flow is asked more than once: by its first packet, the reply, an error about it, a later packet of the connection. What a
receiver answers is made of what arrived, translated or not. A missing packet is a denial only if a node counted it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from typing import Final

from tests.dataplane.frames import (
    HEARTBEAT,
    ICMP,
    ICMP6,
    INIT,
    PUSH_ACK,
    SCTP,
    SYN,
    TCP,
    UDP,
    Probe,
    Seen,
    fragments,
    packed,
    packet,
    solicitation,
    too_big,
    unreachable,
)
from tests.dataplane.nodes import Fabric
from tests.dataplane.shots import Connection, Failure, Flow, Shot, needs_signals

BATCH: Final = 500
"""Probes on their way at a time: each CPU of a kernel has room for a thousand packets that wait (netdev_max_backlog)."""
SPORTS: Final = range(40000, 65000)
"""Where flows begin: no rule has a port in between. A topology opens no more flows, so no two are of one connection."""
_FILLER: Final = bytes(48)
_UNKNOWN: Final = (9, 9)
"""Ports of no connection."""
_MIDDLE: Final = {TCP: PUSH_ACK, SCTP: HEARTBEAT}
"""What may be the first packet that a node sees of a connection, by protocol."""
_PROTOCOLS: Final = {
    **{("tcp", size): TCP for size in (4, 16)},
    **{("udp", size): UDP for size in (4, 16)},
    **{("sctp", size): SCTP for size in (4, 16)},
    ("icmp", 4): ICMP,
    ("icmp", 16): ICMP6,
}


class Prober:
    """Probes the flows of one topology. ``kinds`` and ``paths`` count the packets whose fate was checked, ``forms`` first ones.

    ``odd`` is how many packets of UDP come in fragments and how many connections of TCP and SCTP begin in the middle,
    ``errors`` about how many connections an error comes back, both as a part of one.
    """

    def __init__(self, fabric: Fabric, rng: Random, odd: float = 0.15, errors: float = 0.2) -> None:
        self._odd, self._errors = odd, errors
        self.fabric = fabric
        self.kinds = Counter[str]()
        self.paths = Counter[str]()
        self.forms = Counter[str]()
        self.failures: list[Failure] = []
        self._rng = rng
        self._number = 0
        self._sport = 0
        self._sent = self._arrived = 0
        self._missing: list[str] = []

    def judge(self, flows: Sequence[Flow]) -> list[Connection]:
        """Send the first packets of flows, and then those that belong to what arrived; the connections that were opened.

        Raises WireError unless all that was sent until then has arrived or was dropped by chains.
        """
        self.forms.update(flow.traffic.protocol for flow in flows)
        begun = [self._begin(flow) for flow in flows]
        numbers = self._numbers(len(begun))
        shots = [self._first(flow, probe, number) for (flow, probe), number in zip(begun, numbers, strict=True)]
        opened = [Connection(*begun[at], one) for at, one in self._fire("new", shots, numbers)]
        self.follow(opened)
        self._settle()
        return opened

    def follow(self, opened: Sequence[Connection]) -> None:
        """Send what belongs to connections: replies, later packets, errors. All of it has to arrive."""
        numbers = self._numbers(len(opened))
        shots = [self._back(one.flow, packet(one.answer(), n)) for one, n in zip(opened, numbers, strict=True)]
        replied = [(opened[at].flow, one) for at, one in self._fire("reply", shots, numbers)]
        numbers = self._numbers(len(replied))
        shots = [self._later(flow, one, number) for (flow, one), number in zip(replied, numbers, strict=True)]
        self._fire("later", shots, numbers)
        refused = [one for one in opened if self._rng.random() < self._errors and not one.arrived.is_fragment]
        numbers = self._numbers(len(refused))
        shots = [self._error(one, number) for one, number in zip(refused, numbers, strict=True)]
        self._fire("related", shots, numbers)

    def carry(self, pairs: Sequence[tuple[Connection, Flow]]) -> None:
        """Send the first packet of connections again, on the ways that their flows take now."""
        numbers = self._numbers(len(pairs))
        shots = [
            Shot(flow, flow.start, flow.end, flow.way, (packet(one.first, number),), _ends(flow))
            for (one, flow), number in zip(pairs, numbers, strict=True)
        ]
        self._fire("after a move", shots, numbers)

    def turn(self, pairs: Sequence[tuple[Flow, Flow]]) -> None:
        """For a flow that is denied and one that is allowed, from its port back to its client: the server speaks first.

        The client's packet is dropped before the server has spoken, and arrives afterwards: it is of the server's connection.
        """
        clients = [self._probe(flow, turned.traffic.port) for flow, turned in pairs]
        numbers = self._numbers(len(pairs))
        shots = [
            Shot(flow, flow.start, flow.end, flow.way, (packet(client, number),), None, turned)
            for (flow, turned), client, number in zip(pairs, clients, numbers, strict=True)
        ]
        self._fire("client first", shots, numbers)
        numbers = self._numbers(len(pairs))
        shots = [
            Shot(flow, turned.start, turned.end, turned.way, (packet(back, number),), _ends(turned), turned)
            for (flow, turned), back, number in zip(pairs, map(_turned, clients), numbers, strict=True)
        ]
        spoken = [(*pairs[at], one) for at, one in self._fire("server first", shots, numbers)]
        numbers = self._numbers(len(spoken))
        shots = [
            self._later(flow, one, number)._replace(back=turned)
            for (flow, turned, one), number in zip(spoken, numbers, strict=True)
        ]
        self._fire("answer to the server", shots, numbers)

    def signal(self, flows: Sequence[Flow]) -> None:
        """Send along flows what an IPv6 network needs, whatever becomes of the flows: it has to arrive."""
        six = list(filter(needs_signals, flows))
        for kind, made in (("too big", _too_big), ("neighbour", _neighbour)):
            numbers = self._numbers(len(six))
            shots = [
                Shot(flow, flow.start, flow.end, flow.way, (made(flow, number),), (flow.source, flow.destination))
                for flow, number in zip(six, numbers, strict=True)
            ]
            self._fire(kind, shots, numbers)

    def _settle(self) -> None:
        """Account for all packets since the last call: each node's counters are read, which takes as long as many packets."""
        self.fabric.check(self._sent, self._arrived, self._missing)
        self._sent = self._arrived = 0
        self._missing.clear()

    # ---- Packets ----

    def _begin(self, flow: Flow) -> tuple[Flow, Probe]:
        """The first packet of a flow, each from another port; some of TCP and SCTP as if nodes had missed the beginning."""
        self._sport = (self._sport + 1) % len(SPORTS)
        probe = self._probe(flow, SPORTS[self._sport])
        if probe.protocol in _MIDDLE and self._rng.random() < self._odd:
            self.forms["from the middle"] += 1
            probe = _from_middle(probe)
        return flow, probe

    def _probe(self, flow: Flow, sport: int) -> Probe:
        traffic = flow.traffic
        source, destination = packed(traffic.source), packed(traffic.destination)
        protocol = _PROTOCOLS[traffic.protocol, len(source)]
        return Probe(source, destination, protocol, sport, traffic.port or 8, INIT if protocol == SCTP else SYN)

    def _first(self, flow: Flow, probe: Probe, number: int) -> Shot:
        packets: tuple[bytes, ...] = (packet(probe, number),)
        if probe.protocol == UDP and self._rng.random() < self._odd:
            self.forms["in fragments, IPv4" if len(probe.source) == 4 else "in fragments, IPv6"] += 1
            packets = tuple(fragments(packet(probe, number, _FILLER), 32, number))
        return Shot(flow, flow.start, flow.end, flow.way, packets, _ends(flow))

    def _later(self, flow: Flow, reply: Seen, number: int) -> Shot:
        """A packet after the reply to the first one."""
        probe = reply.answer()
        if probe.protocol in (ICMP, ICMP6):
            probe = probe._replace(dport=8)
        return Shot(flow, flow.start, flow.end, flow.way, (packet(probe, number),), (flow.source, flow.destination))

    def _error(self, one: Connection, number: int) -> Shot:
        """The message that a port is unreachable, from where the first packet arrived."""
        arrived = one.arrived
        return self._back(one.flow, unreachable(arrived.destination, arrived.source, arrived.packet, number))

    def _back(self, flow: Flow, whole: bytes) -> Shot:
        ends = packed(flow.traffic.destination), packed(flow.traffic.source)
        return Shot(flow, flow.end, flow.start, flow.way[::-1], (whole,), ends)

    def _numbers(self, count: int) -> range:
        self._number += count
        return range(self._number - count, self._number)

    # ---- On the wire ----

    def _fire(self, kind: str, shots: Sequence[Shot], numbers: Sequence[int]) -> list[tuple[int, Seen]]:
        """Send, note what went wrong, and give what arrived where it should, each with its place in ``shots``."""
        arrived: dict[int, list[Seen]] = {}
        for begin in range(0, len(shots), BATCH):
            for one in self._batch(shots[begin : begin + BATCH]):
                arrived.setdefault(one.number, []).append(one)
        missing = [shot for shot, number in zip(shots, numbers, strict=True) if shot.arrives and number not in arrived]
        self._missing += [f"{kind} packet of {shot.flow}" for shot in missing]
        self._sent += len(shots)
        self._arrived += sum(map(len, arrived.values()))
        self.kinds[kind] += len(shots)
        self.paths.update(shot.flow.path for shot in shots)
        found: list[tuple[int, Seen]] = []
        for at, (shot, number) in enumerate(zip(shots, numbers, strict=True)):
            became = arrived.get(number, [])
            wrong = self._wrong(shot, became)
            if wrong:
                self.failures.append(Failure(shot.flow, kind, wrong, shot.back))
            elif became:
                found.append((at, became[0]))
        return found

    def _batch(self, shots: Sequence[Shot]) -> Iterator[Seen]:
        ports, wire = self.fabric.ports, self.fabric.wire
        for shot in shots:
            start = ports[shot.start]
            for whole in shot.packets:
                wire.send(start.device, start.frame(whole))
        ways = {shot.way for shot in shots}
        # A fence that takes a shorter way would be there before what it is to follow.
        for leg in range(max(map(len, ways)) - 1):
            legs = sorted({way[leg : leg + 2] for way in ways if leg + 1 < len(way)})
            yield from wire.received([self.fabric.fence(ports[start], ports[end]) for start, end in legs])

    def _wrong(self, shot: Shot, became: Sequence[Seen]) -> str:
        if not became:
            return "dropped, but has to arrive" if shot.arrives else ""
        if len(became) > 1:
            return f"arrived {len(became)} times"
        (one,) = became
        where = self.fabric.wire.names[one.device]
        if not shot.arrives:
            return f"arrived at {where}, but has to be dropped"
        if one.device != self.fabric.ports[shot.end].device:
            return f"arrived at {where} instead of {shot.end}"
        if (one.source, one.destination) != shot.arrives:
            return f"arrived from {one.source.hex()} to {one.destination.hex()}"
        return ""


def _ends(flow: Flow) -> tuple[bytes, bytes] | None:
    """The addresses with which packets have to arrive, if they do."""
    return (flow.source, flow.destination) if flow.allowed else None


def _turned(probe: Probe) -> Probe:
    """A packet from where a probe goes to where it comes from, in the middle of a connection."""
    source, destination, protocol, sport, dport, *_ = probe
    return _from_middle(Probe(destination, source, protocol, dport, sport))


def _from_middle(probe: Probe) -> Probe:
    """A packet in the middle of a connection that nodes may not know."""
    return probe._replace(flags=_MIDDLE.get(probe.protocol, SYN), sequence=77, acknowledged=99)


def _too_big(flow: Flow, number: int) -> bytes:
    """The message that a packet is too big, of a connection that nodes do not know."""
    quoted = packet(Probe(flow.destination, flow.source, UDP, *_UNKNOWN), number)
    return too_big(flow.source, flow.destination, quoted, number)


def _neighbour(flow: Flow, number: int) -> bytes:
    return solicitation(flow.source, flow.destination, number)
