"""Packets that rules log, as the kernel hands them over (NFLOG, linux/netfilter/nfnetlink_log.h)."""

import socket
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from liqo_connectivity.operator.agent.kernel.netlink import (
    LOG,
    NETFILTER,
    attribute,
    attributes,
    messages,
    received,
    text,
)

_HEAD: Final = struct.Struct("=IHHII")
_PACKET, _CONFIG = 0, 1
_ERROR, _REQUEST, _ACKNOWLEDGE = 2, 1, 4
_COMMAND, _MODE, _TIMEOUT, _THRESHOLD = 1, 2, 4, 5
_BIND, _COPY = 1, 2
_PAYLOAD, _PREFIX = 9, 10
_BUFFER: Final = 1 << 18
SNAPPED: Final = 64
"""Bytes of a packet that are handed over: enough for its addresses and ports."""
_AT_ONCE: Final = 32
_HUNDREDTHS: Final = 10
"""The kernel hands packets over when it has so many, or after so long in hundredths of a second."""


class LoggedPacket(NamedTuple):
    """A packet: the prefix of the rule that logged it, and how it begins, from its IP header on."""

    prefix: str
    packet: bytes


class PacketLog:
    """The packets of one group, in the network namespace where it is made. Ready when ``fileno`` can be read.

    Each group has one reader: of one that another program reads, the kernel refuses it. Raises OSError.
    """

    def __init__(self, group: int) -> None:
        self._group = group
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER)
        self._socket.bind((0, 0))
        self.lost = 0
        """How often the kernel had no room for a packet."""
        try:
            self._configure(attribute(_COMMAND, bytes((_BIND,))))
            self._configure(
                attribute(_MODE, struct.pack(">IBx", SNAPPED, _COPY))
                + attribute(_TIMEOUT, struct.pack(">I", _HUNDREDTHS))
                + attribute(_THRESHOLD, struct.pack(">I", _AT_ONCE))
            )
        except OSError:
            self._socket.close()
            raise
        self._socket.setblocking(False)

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._socket.fileno()

    def waiting(self) -> Iterator[LoggedPacket]:
        """The packets that were handed over, without waiting. Raises OSError."""
        for data in received(self._socket, _BUFFER):
            if data is None:
                self.lost += 1
                continue
            for each in messages(data, LOG):
                held = attributes(each.body)
                if each.kind == _PACKET and _PAYLOAD in held:
                    yield LoggedPacket(text(held.get(_PREFIX, b"")), held[_PAYLOAD])

    def close(self) -> None:
        """Close the socket, and leave the group."""
        self._socket.close()

    def _configure(self, body: bytes) -> None:
        payload = struct.pack(">BBH", socket.AF_UNSPEC, 0, self._group) + body
        head = _HEAD.pack(16 + len(payload), LOG << 8 | _CONFIG, _REQUEST | _ACKNOWLEDGE, 1, 0)
        self._socket.send(head + payload)
        answer = self._socket.recv(_BUFFER)
        kind, result = struct.unpack_from("=H", answer, 4)[0], struct.unpack_from("=i", answer, 16)[0]
        if kind != _ERROR or result:
            raise OSError(-result, f"the kernel does not give the packets of group {self._group}")
