"""The processes of a node: what they send goes through the node's output hook, and what they get has passed its input hook.

They send through raw sockets. What reaches them is taken behind the last chain of the input hook, where the connection is
known already, by the kernel's log of packets; then it is dropped, so no kernel answers in their place. This module must not
know which packets should pass.
"""

import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from tests.dataplane.frames import Seen, seen
from tests.support.namespaces import inside

# linux/netlink.h, linux/netfilter/nfnetlink.h, linux/netfilter/nfnetlink_log.h
_NETFILTER, _ERROR, _REQUEST, _ACKNOWLEDGE = 12, 2, 1, 4
_PACKET, _CONFIG = 4 << 8, 4 << 8 | 1
_COMMAND, _MODE, _BUFFER, _THRESHOLD, _PAYLOAD = 1, 2, 3, 5, 9
_BIND, _COPY = 1, 2
_NO_ADDRESS: Final = bytes(14)
"""In place of the link addresses of a frame."""
_GROUP: Final = 1
TUNNEL: Final = 6081
"""The port of the tunnels that end at nodes."""
RULES: Final = f"""
add chain inet harness own {{ type filter hook input priority 2147483647; }}
add rule inet harness own udp dport {TUNNEL} accept
add rule inet harness own icmpv6 type {{ 130-137, 143 }} accept
add rule inet harness own log group {_GROUP}
add rule inet harness own drop
"""
"""To be loaded before all rules that need connections: then the kernel has noted a connection when it comes here."""


class Host:
    """The processes of the node that has a network namespace. ``number`` stands for the device of what they get."""

    def __init__(self, namespace: int, number: int) -> None:
        self.number = number
        with inside(namespace):
            self._raw = {
                4: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW),
                6: socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW),
            }
            self._log = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER)
        self._log.bind((0, 0))
        self._log.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        self._ask(_attribute(_COMMAND, bytes((_BIND,))))
        # One message for each packet, in a buffer that is not larger than it has to be.
        self._ask(
            _attribute(_MODE, struct.pack(">IBx", 0xFFFF, _COPY))
            + _attribute(_BUFFER, struct.pack(">I", 512))
            + _attribute(_THRESHOLD, struct.pack(">I", 1))
        )
        self._log.setblocking(False)

    def send(self, whole: bytes) -> None:
        """Send an IP packet. One that a chain drops is sent too, though the kernel tells the sender."""
        six = whole[0] >> 4 == 6
        to = socket.inet_ntop(socket.AF_INET6, whole[24:40]) if six else socket.inet_ntoa(whole[16:20])
        with suppress(PermissionError):
            self._raw[6 if six else 4].sendto(whole, (to, 0))

    def received(self) -> Iterator[Seen]:
        """The probes that have arrived since the last call. Raises OSError if the kernel had no room for one."""
        while True:
            try:
                messages = self._log.recv(1 << 16)
            except BlockingIOError:
                return
            while messages:
                length, kind = struct.unpack_from("=IH", messages)
                if kind == _PACKET:
                    one = seen(self.number, _NO_ADDRESS + _payload(messages[20:length]))
                    if one is not None:
                        yield one
                messages = messages[length + 3 & ~3 :]

    def close(self) -> None:
        """Give everything back."""
        for each in (*self._raw.values(), self._log):
            each.close()

    def _ask(self, attributes: bytes) -> None:
        body = struct.pack(">BBH", socket.AF_UNSPEC, 0, _GROUP) + attributes
        self._log.send(struct.pack("=IHHII", 16 + len(body), _CONFIG, _REQUEST | _ACKNOWLEDGE, 1, 0) + body)
        answer = self._log.recv(4096)
        kind, result = struct.unpack_from("=H", answer, 4)[0], struct.unpack_from("=i", answer, 16)[0]
        if kind != _ERROR or result:
            raise OSError(-result, "the kernel does not log packets")


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _payload(attributes: bytes) -> bytes:
    """The packet of a message, or nothing."""
    while len(attributes) >= 4:
        length, kind = struct.unpack_from("=HH", attributes)
        if kind & 0x3FFF == _PAYLOAD:
            return attributes[4:length]
        attributes = attributes[length + 3 & ~3 :]
    return b""
