"""Packets as bytes: what a probe is on the wire, with a number at its end that no node rewrites.

Nodes translate addresses and ports, so a probe is known by its last eight bytes. Checksums are right: conntrack takes no
packet whose checksum is wrong for one of a connection. This module must not know which packets should pass.
"""

import struct
from functools import cache
from ipaddress import ip_address
from typing import Final, NamedTuple

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
SYN, SYN_ACK, PUSH_ACK = 2, 18, 24
MARK: Final = b"\xa5LCE"
TAIL: Final = 8
_PORTS = struct.Struct(">HH")
_UDP = struct.Struct(">HHHH")
_TCP = struct.Struct(">HHIIBBHHH")
_ECHO = struct.Struct(">BBHHH")
_IPV4 = struct.Struct(">BBHHHBBH")
_IPV6 = struct.Struct(">IHBB")


class Probe(NamedTuple):
    """A packet: packed addresses, the protocol's number in its family, and ports.

    For ICMP echo the source port is the identifier, and the destination port 8 for a request or 0 for a reply, as
    conntrack counts them.
    """

    source: bytes
    destination: bytes
    protocol: int
    sport: int
    dport: int
    flags: int = SYN
    sequence: int = 0
    acknowledged: int = 0


def tail(number: int) -> bytes:
    """The end of a probe."""
    return MARK + number.to_bytes(4, "big")


def number_of(frame: bytes) -> int | None:
    """The number of a probe, or None for a packet that is none."""
    return int.from_bytes(frame[-4:], "big") if frame[-TAIL:-4] == MARK else None


@cache
def packed(address: str) -> bytes:
    """The bytes of an address."""
    return ip_address(address).packed


def packet(probe: Probe, number: int, filler: bytes = b"") -> bytes:
    """A probe with its IP header, and an even number of bytes more if it is of UDP."""
    if probe.protocol == UDP:
        head = _UDP.pack(probe.sport, probe.dport, 8 + len(filler) + TAIL, 0) + filler
        at = 6
    elif probe.protocol == TCP:
        head = _TCP.pack(probe.sport, probe.dport, probe.sequence, probe.acknowledged, 5 << 4, probe.flags, 64240, 0, 0)
        at = 16
    else:
        kind = (8 if probe.dport else 0) if probe.protocol == ICMP else (128 if probe.dport else 129)
        head = _ECHO.pack(kind, 0, 0, probe.sport, 1)
        at = 2
    body = _with_checksum(probe, head + tail(number), at)
    return _over_ip(probe.source, probe.destination, probe.protocol, body, number)


def unreachable(source: bytes, destination: bytes, quoted: bytes, number: int) -> bytes:
    """The message that a port is unreachable, about a packet: related to its connection."""
    protocol = ICMP if len(source) == 4 else ICMP6
    head = struct.pack(">BBHI", 3, 3, 0, 0) if protocol == ICMP else struct.pack(">BBHI", 1, 4, 0, 0)
    ends = Probe(source, destination, protocol, 0, 0)
    body = _with_checksum(ends, head + quoted + tail(number), 2)
    return _over_ip(source, destination, protocol, body, number)


def fragments(whole: bytes, size: int) -> list[bytes]:
    """An IPv4 packet in fragments of ``size`` bytes of its body, a multiple of 8."""
    body, found = whole[20:], list[bytes]()
    for at in range(0, len(body), size):
        more = 0x2000 if at + size < len(body) else 0
        part = body[at : at + size]
        head = whole[:2] + _PORTS.pack(20 + len(part), whole[4] << 8 | whole[5]) + _PORTS.pack(more | at // 8, 0)
        head = head[:8] + whole[8:10] + bytes(2) + whole[12:20]
        found.append(head[:10] + _PORTS.pack(checksum(head), 0)[:2] + head[12:] + part)
    return found


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of an even number of bytes."""
    return 0xFFFF - int.from_bytes(data, "big") % 0xFFFF


def _with_checksum(ends: Probe, body: bytes, at: int) -> bytes:
    """The body with the checksum in its place: in ICMP over the body, else over the pseudo-header too."""
    total = int.from_bytes(body + bytes(len(body) & 1), "big")
    if ends.protocol != ICMP:
        # Of the pseudo-headers of both families only the addresses, the protocol and the length count.
        total += int.from_bytes(ends.source + ends.destination, "big") + ends.protocol + len(body)
    return body[:at] + (0xFFFF - total % 0xFFFF).to_bytes(2, "big") + body[at + 2 :]


def _over_ip(source: bytes, destination: bytes, protocol: int, body: bytes, number: int) -> bytes:
    if len(source) == 16:
        return _IPV6.pack(6 << 28, len(body), protocol, 64) + source + destination + body
    head = _IPV4.pack(0x45, 0, 20 + len(body), number & 0xFFFF, 0, 64, protocol, 0) + source + destination
    return head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + body


class Seen(NamedTuple):
    """A probe that arrived: on which device, with what addresses, and its IP packet."""

    device: int
    number: int
    source: bytes
    destination: bytes
    packet: bytes

    @property
    def is_fragment(self) -> bool:
        """Whether it is a later part of a packet, without ports."""
        return len(self.source) == 4 and (self.packet[6] & 0x1F or self.packet[7]) != 0

    def answer(self, flags: int = SYN_ACK) -> Probe:
        """What its receiver answers: from where it arrived to where it came from."""
        at = 20 if len(self.source) == 4 else 40
        protocol = self.packet[9 if at == 20 else 6]
        if protocol in (ICMP, ICMP6):
            (identifier,) = struct.unpack_from(">H", self.packet, at + 4)
            return Probe(self.destination, self.source, protocol, identifier, 0)
        sport, dport = _PORTS.unpack_from(self.packet, at)
        if protocol == UDP:
            return Probe(self.destination, self.source, protocol, dport, sport)
        sequence, acknowledged = struct.unpack_from(">II", self.packet, at + 4)
        # The tail is the data of each segment; a SYN counts as one more.
        held = len(self.packet) - at - 20 + (1 if self.packet[at + 13] & SYN else 0)
        return Probe(
            *(self.destination, self.source, protocol, dport, sport, flags),
            sequence=acknowledged,
            acknowledged=(sequence + held) & 0xFFFFFFFF,
        )


def seen(device: int, frame: bytes) -> Seen | None:
    """A frame that arrived, if it holds a probe."""
    number = number_of(frame)
    if number is None:
        return None
    whole = frame[14:]
    if whole[0] >> 4 == 4:
        return Seen(device, number, whole[12:16], whole[16:20], whole)
    return Seen(device, number, whole[8:24], whole[24:40], whole)
