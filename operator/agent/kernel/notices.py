"""Who changed which tables of the kernel, as it tells: notices may be lost, so the generation decides, and they say whose it was.

The process of a notice is named by the number that it has in the kernel's first namespace of processes, which is not the one
that it has in a Pod. An agent knows its own change by the generation after it.
"""

import socket
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from liqo_connectivity.operator.agent.kernel.netlink import NETFILTER, NFTABLES, attributes, messages, received, text

_GROUP: Final = 7
"""NFNLGRP_NFTABLES of linux/netfilter/nfnetlink.h."""
_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1
_NEW_GENERATION: Final = 15
_GENERATION_ID, _PROCESS_NAME = 1, 3
_TABLE: Final = 1
"""The attribute that names the table, in a notice of whatever is in one."""
_BUFFER: Final = 1 << 20


class Change(NamedTuple):
    """A transaction of somebody: the generation after it, the tables that it touched by family and name, and the process.

    ``is_whole`` is False if the kernel had no room for some notices: then it touched these tables and maybe others.
    """

    generation: int
    tables: frozenset[tuple[str, str]]
    process: str
    is_whole: bool


class Notices:
    """The changes in the network namespace where it is made, from then on. Ready when ``fileno`` can be read."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER)
        self._socket.bind((0, 0))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _GROUP)
        self._socket.setblocking(False)
        self._tables: set[tuple[str, str]] = set()
        self._is_whole = True

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._socket.fileno()

    def waiting(self) -> Iterator[Change]:
        """The changes that are complete, without waiting. Raises OSError."""
        for data in received(self._socket, _BUFFER):
            if data is None:
                self._is_whole = False
                continue
            for each in messages(data, NFTABLES):
                held = attributes(each.body)
                if each.kind != _NEW_GENERATION:
                    self._tables.add((each.family, text(held.get(_TABLE, b""))))
                    continue
                (generation,) = struct.unpack(">I", held[_GENERATION_ID])
                yield Change(
                    int(generation), frozenset(self._tables), text(held.get(_PROCESS_NAME, b"")), self._is_whole
                )
                self._tables, self._is_whole = set(), True

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
