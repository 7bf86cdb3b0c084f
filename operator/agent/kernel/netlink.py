"""Netlink messages of nftables and of its log, built and read, and a socket for questions (linux/netlink.h, nfnetlink.h).

libnftables fetches every element of every set for whatever it lists (1.0.6), so all that is read often is read here. A fault in
what reads cannot open anything: it only sees less.
"""

import errno
import socket
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

NETFILTER: Final = 12
NFTABLES, LOG = 10, 4
"""Subsystems of NETLINK_NETFILTER."""
REQUEST, ACKNOWLEDGE, DUMP = 1, 4, 0x300
INTERRUPTED: Final = 0x10
"""The flag of a list that changed while it was read."""
ERROR, DONE = 2, 3
FAMILIES: Final = {"inet": 1, "ip": 2, "ip6": 10}
_NAMES: Final = {number: name for name, number in FAMILIES.items()}
_HEAD: Final = struct.Struct("=IHHII")
_FAMILY: Final = struct.Struct(">BBH")
_ATTRIBUTE: Final = struct.Struct("=HH")
_BUFFER: Final = 1 << 17
_TRIES: Final = 10


class Message(NamedTuple):
    """A message of a subsystem: its number in there, its family, and its attributes."""

    kind: int
    family: str
    body: bytes


def attribute(kind: int, value: bytes) -> bytes:
    """An attribute."""
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + bytes(-len(value) % 4)


def attributes(body: bytes) -> dict[int, bytes]:
    """The attributes of a message or of an attribute, by number; of several with one number the last."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if length < 4:
            break
        found[kind & 0x3FFF] = body[at + 4 : at + length]
        at += length + 3 & ~3
    return found


def text(value: bytes) -> str:
    """A string as the kernel writes it."""
    return value.rstrip(b"\0").decode("utf-8", "replace")


def messages(data: bytes, subsystem: int) -> Iterator[Message]:
    """The messages of a subsystem in what was received; others are left out."""
    for kind, _, body in _parts(data):
        if kind >> 8 == subsystem:
            yield Message(kind & 0xFF, _NAMES.get(body[0], ""), body[4:])


def received(held: socket.socket, size: int) -> Iterator[bytes | None]:
    """What a socket that does not wait has received, in parts of at most ``size`` bytes; None where the kernel had no room for more.

    Raises OSError.
    """
    while True:
        try:
            yield held.recv(size)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            yield None


class Questions:
    """A socket that asks the kernel of the network namespace where it is made. Not to be shared by threads."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER)
        self._socket.bind((0, 0))
        self._number = 0

    def ask(self, subsystem: int, kind: int, family: str, body: bytes = b"", *, flags: int = 0) -> list[Message]:
        """Ask; all messages of the answer. A list that changes while it is read is read again. Raises OSError."""
        for _ in range(_TRIES):
            found = self._asked(subsystem, kind, family, body, flags)
            if found is not None:
                return found
        raise OSError("what the kernel lists changes faster than it can be read")

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _asked(self, subsystem: int, kind: int, family: str, body: bytes, flags: int) -> list[Message] | None:
        self._number += 1
        payload = _FAMILY.pack(FAMILIES.get(family, 0), 0, 0) + body
        head = _HEAD.pack(16 + len(payload), subsystem << 8 | kind, REQUEST | ACKNOWLEDGE | flags, self._number, 0)
        self._socket.send(head + payload)
        found: list[Message] = []
        interrupted = False
        while True:
            data = self._socket.recv(_BUFFER)
            found += messages(data, subsystem)
            for answered, own, part in _parts(data):
                interrupted = interrupted or bool(own & INTERRUPTED)
                if answered == ERROR:
                    (result,) = struct.unpack_from("=i", part)
                    if result:
                        raise OSError(-result, f"the kernel refuses question {kind} of subsystem {subsystem}")
                if answered in (ERROR, DONE):
                    return None if interrupted else found


def _parts(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The kind, flags and body of each message."""
    at = 0
    while at + 16 <= len(data):
        length, kind, flags, _, _ = _HEAD.unpack_from(data, at)
        if length < 16:
            break
        yield kind, flags, data[at + 16 : at + length]
        at += length + 3 & ~3
