"""The ends of a packet, by how it begins: addresses, protocol, and ports where it has some."""

import struct
from ipaddress import ip_address
from typing import Final, NamedTuple

_PROTOCOLS: Final = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp", 132: "sctp"}
_WITH_PORTS: Final = ("tcp", "udp", "sctp")
_FRAGMENT: Final = 44
_EXTENSIONS: Final = (0, 43, 60)
"""Headers of IPv6 that stand between its own and the protocol's: hop by hop, routing, destination."""


class Ends(NamedTuple):
    """Source and destination; ports are None of a protocol without any, and of a fragment that is not the first."""

    source: str
    destination: str
    protocol: str
    source_port: int | None = None
    destination_port: int | None = None


def ends_of(packet: bytes) -> Ends | None:
    """The ends of a packet, from its IP header on; None if it is too short to say."""
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 20:
        at, number = (packet[0] & 15) * 4, packet[9]
        first = not struct.unpack_from(">H", packet, 6)[0] & 0x1FFF
        return _ends(packet, (packet[12:16], packet[16:20]), number, at, first)
    if version == 6 and len(packet) >= 40:
        at, number, first = 40, packet[6], True
        while number in (*_EXTENSIONS, _FRAGMENT) and len(packet) >= at + 8:
            if number == _FRAGMENT:
                first = not struct.unpack_from(">H", packet, at + 2)[0] & 0xFFF8
                number, at = packet[at], at + 8
            else:
                number, at = packet[at], at + (packet[at + 1] + 1) * 8
        return _ends(packet, (packet[8:24], packet[24:40]), number, at, first)
    return None


def _ends(packet: bytes, addresses: tuple[bytes, bytes], number: int, at: int, first: bool) -> Ends:
    source, destination = (str(ip_address(each)) for each in addresses)
    protocol = _PROTOCOLS.get(number, str(number))
    if protocol not in _WITH_PORTS or not first or len(packet) < at + 4:
        return Ends(source, destination, protocol)
    source_port, destination_port = struct.unpack_from(">HH", packet, at)
    return Ends(source, destination, protocol, source_port, destination_port)
