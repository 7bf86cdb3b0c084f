"""Packets as bytes: what a probe is on the wire, with a number at its end that no node rewrites.

Nodes translate addresses and ports, so a probe is known by its last eight bytes. Checksums are right: conntrack takes no
packet whose checksum is wrong for one of a connection. This module must not know which packets should pass.
"""

import struct
from functools import cache, lru_cache
from ipaddress import ip_address
from typing import Final, NamedTuple

TCP, UDP, SCTP, ICMP, ICMP6 = 6, 17, 132, 1, 58
SYN, SYN_ACK, PUSH_ACK = 2, 18, 24
DATA, INIT, INIT_ACK, HEARTBEAT, HEARTBEAT_ACK = 0, 1, 2, 4, 5
"""Chunks of SCTP (RFC 9260), which stand where TCP has its flags."""
TAG: Final = 0x4C4345
"""The verification tag of both sides of an association."""
MARK: Final = b"\xa5LCE"
TAIL: Final = 8
_MARK: Final = int.from_bytes(MARK, "big")
_PORTS = struct.Struct(">HH")
_UDP = struct.Struct(">HHHH")
_TCP = struct.Struct(">HHIIBBHHH")
_ECHO = struct.Struct(">BBHHH")
_IPV4 = struct.Struct(">BBHHHBBH")
_IPV6 = struct.Struct(">IHBB")
_WINDOW: Final = 64240
_FRAGMENT: Final = 44
"""The number of IPv6's header of fragments."""


class Probe(NamedTuple):
    """A packet: packed addresses, the protocol's number in its family, and ports.

    For ICMP echo the source port is the identifier, and the destination port 8 for a request or 0 for a reply, as
    conntrack counts them. ``flags`` are those of TCP, or the chunk of SCTP.
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
    """A probe with its IP header; ``filler`` are an even number of zeros more, if it is of UDP."""
    source, destination, protocol, sport, dport, flags, sequence, acknowledged = probe
    # An Internet checksum is a sum modulo 0xFFFF, in which a number counts like its 16-bit words.
    if protocol == UDP:
        length = 8 + len(filler) + TAIL
        head, total = _over_ip(source, destination, protocol, length)
        total += sport + dport + length + _MARK + number
        return head + _UDP.pack(sport, dport, length, 0xFFFF - total % 0xFFFF) + filler + tail(number)
    if protocol == TCP:
        head, total = _over_ip(source, destination, protocol, 20 + TAIL)
        total += sport + dport + sequence + acknowledged + (0x5000 | flags) + _WINDOW + _MARK + number
        body = _TCP.pack(sport, dport, sequence, acknowledged, 0x50, flags, _WINDOW, 0xFFFF - total % 0xFFFF, 0)
        return head + body + tail(number)
    if protocol == SCTP:
        body = _association(sport, dport, flags, tail(number))
        return _over_ip(source, destination, protocol, len(body))[0] + body
    kind = (8 if dport else 0) if protocol == ICMP else (128 if dport else 129)
    head, total = _over_ip(source, destination, protocol, 8 + TAIL)
    total += (kind << 8) + sport + 1 + _MARK + number
    return head + _ECHO.pack(kind, 0, 0xFFFF - total % 0xFFFF, sport, 1) + tail(number)


def unreachable(source: bytes, destination: bytes, quoted: bytes, number: int) -> bytes:
    """The message that a port is unreachable, about a packet: related to its connection."""
    kind, code = (3, 3) if len(source) == 4 else (1, 4)
    return _error(source, destination, struct.pack(">BBHI", kind, code, 0, 0), quoted, number)


def too_big(source: bytes, destination: bytes, quoted: bytes, number: int) -> bytes:
    """The message of IPv6 that a packet is too big for a way, about that packet."""
    return _error(source, destination, struct.pack(">BBHI", 2, 0, 0, 1280), quoted, number)


def solicitation(source: bytes, destination: bytes, number: int) -> bytes:
    """The question of IPv6 for the link address of a neighbour (RFC 4861), as it is sent to one that was known before."""
    nonce = b"\x0e\x02" + bytes(6)
    return _error(source, destination, struct.pack(">BBHI", 135, 0, 0, 0), destination + nonce, number)


def _error(source: bytes, destination: bytes, head: bytes, quoted: bytes, number: int) -> bytes:
    body = head + quoted + tail(number)
    over, total = _over_ip(source, destination, ICMP if len(source) == 4 else ICMP6, len(body))
    total += int.from_bytes(body + bytes(len(body) & 1), "big")
    return over + body[:2] + (0xFFFF - total % 0xFFFF).to_bytes(2, "big") + body[4:]


def fragments(whole: bytes, size: int, number: int) -> list[bytes]:
    """A packet in fragments of ``size`` bytes of its body, a multiple of 8; the number tells them from those of others."""
    found = list[bytes]()
    at_body = 20 if whole[0] >> 4 == 4 else 40
    body = whole[at_body:]
    for at in range(0, len(body), size):
        part, more = body[at : at + size], at + size < len(body)
        if at_body == 20:
            place = _PORTS.pack(number & 0xFFFF, more << 13 | at // 8)
            head = whole[:2] + (20 + len(part)).to_bytes(2, "big") + place + whole[8:10] + bytes(2) + whole[12:20]
            found.append(head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + part)
        else:
            head = whole[:4] + (8 + len(part)).to_bytes(2, "big") + bytes((_FRAGMENT,)) + whole[7:40]
            found.append(head + struct.pack(">BBHI", whole[6], 0, at | more, number) + part)
    return found


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of an even number of bytes."""
    return 0xFFFF - int.from_bytes(data, "big") % 0xFFFF


@lru_cache(maxsize=1 << 16)
def _over_ip(source: bytes, destination: bytes, protocol: int, length: int) -> tuple[bytes, int]:
    """The IP header over a body of some bytes, and what it adds to the sum of the body: in ICMP nothing."""
    ends = source + destination
    # Of the pseudo-headers of both families only the addresses, the protocol and the length count.
    total = 0 if protocol == ICMP else int.from_bytes(ends, "big") % 0xFFFF + protocol + length
    if len(source) == 16:
        return _IPV6.pack(6 << 28, length, protocol, 64) + ends, total
    head = _IPV4.pack(0x45, 0, 20 + length, 0, 0, 64, protocol, 0) + ends
    return head[:10] + checksum(head).to_bytes(2, "big") + head[12:], total


def _association(sport: int, dport: int, chunk: int, end: bytes) -> bytes:
    """A packet of SCTP with one chunk, whose last bytes are the data, or a parameter that a receiver ignores."""
    if chunk in (INIT, INIT_ACK):
        held = struct.pack(">BBHIIHHIHH", chunk, 0, 20 + 4 + TAIL, TAG, 1 << 16, 1, 1, 1, 0xBFFF, 4 + TAIL)
    elif chunk in (HEARTBEAT, HEARTBEAT_ACK):
        held = struct.pack(">BBHHH", chunk, 0, 8 + TAIL, 1, 4 + TAIL)
    else:
        held = struct.pack(">BBHIHHI", DATA, 3, 16 + TAIL, 1, 0, 0, 0)
    head, body = struct.pack(">HHI", sport, dport, 0 if chunk == INIT else TAG), held + end
    return head + struct.pack("<I", crc32c(head + bytes(4) + body)) + body


def crc32c(data: bytes) -> int:
    """The checksum of SCTP (RFC 9260, appendix A)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _of_byte(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value


_CRC: Final = tuple(map(_of_byte, range(256)))


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
        if len(self.source) == 16:
            return self.packet[6] == _FRAGMENT
        return (self.packet[6] & 0x1F or self.packet[7]) != 0

    def answer(self) -> Probe:
        """What its receiver sends next: from where it arrived to where it came from."""
        at = 20 if len(self.source) == 4 else 40
        protocol = self.packet[9 if at == 20 else 6]
        if protocol in (ICMP, ICMP6):
            (identifier,) = struct.unpack_from(">H", self.packet, at + 4)
            return Probe(self.destination, self.source, protocol, identifier, 0)
        sport, dport = _PORTS.unpack_from(self.packet, at)
        if protocol == UDP:
            return Probe(self.destination, self.source, protocol, dport, sport)
        if protocol == SCTP:
            chunk = _ANSWERS.get(self.packet[at + 12], DATA)
            return Probe(self.destination, self.source, protocol, dport, sport, chunk)
        sequence, acknowledged = struct.unpack_from(">II", self.packet, at + 4)
        flags = self.packet[at + 13]
        # The tail is the data of each segment; a SYN counts as one more.
        held = len(self.packet) - at - 20 + (1 if flags & SYN else 0)
        return Probe(
            *(self.destination, self.source, protocol, dport, sport, SYN_ACK if flags == SYN else PUSH_ACK),
            sequence=acknowledged,
            acknowledged=(sequence + held) & 0xFFFFFFFF,
        )


_ANSWERS: Final = {INIT: INIT_ACK, HEARTBEAT: HEARTBEAT_ACK}


def seen(device: int, frame: bytes) -> Seen | None:
    """A frame that arrived, if it holds a probe."""
    if frame[-TAIL:-4] != MARK:
        return None
    number, whole = int.from_bytes(frame[-4:], "big"), frame[14:]
    if whole[0] >> 4 == 4:
        return Seen(device, number, whole[12:16], whole[16:20], whole)
    return Seen(device, number, whole[8:24], whole[24:40], whole)
