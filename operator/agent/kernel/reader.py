"""What the kernel has, read without its sets: the generation of its rules, whose tables there are, and named counters."""

import struct
from typing import Final, NamedTuple

from liqo_connectivity.operator.agent.kernel.netlink import DUMP, NFTABLES, Questions, attribute, attributes, text

# linux/netfilter/nf_tables.h
_GET_TABLE, _GET_GENERATION, _GET_OBJECT = 1, 16, 19
_TABLE_NAME, _TABLE_USERDATA = 1, 6
_GENERATION_ID: Final = 1
_OBJECT_TABLE, _OBJECT_NAME, _OBJECT_TYPE, _OBJECT_DATA = 1, 2, 3, 4
_COUNTER: Final = 1
_BYTES, _PACKETS = 1, 2
_COMMENT: Final = 0
"""Of the entries of user data, which nft writes, that of a comment (libnftnl/udata.h)."""


class HeldTable(NamedTuple):
    """A table in the kernel; ``comment`` is empty if it has none."""

    family: str
    name: str
    comment: str


class Counted(NamedTuple):
    """What a counter has counted."""

    packets: int
    bytes: int


class Reader:
    """Reads the kernel of the network namespace where it is made. Raises OSError where the kernel refuses."""

    def __init__(self) -> None:
        self._questions = Questions()

    def generation(self) -> int:
        """The number of the last change of any table, by anyone. It begins again after its largest, 2**32 - 1."""
        (found,) = self._questions.ask(NFTABLES, _GET_GENERATION, "")
        (number,) = struct.unpack(">I", attributes(found.body)[_GENERATION_ID])
        return int(number)

    def tables(self) -> list[HeldTable]:
        """All tables of the families that agents may have, by family and name."""
        found: list[HeldTable] = []
        for each in self._questions.ask(NFTABLES, _GET_TABLE, "", flags=DUMP):
            held = attributes(each.body)
            if each.family:
                found.append(HeldTable(each.family, text(held[_TABLE_NAME]), _comment(held.get(_TABLE_USERDATA, b""))))
        return sorted(found)

    def counters(self, family: str, table: str) -> dict[str, Counted]:
        """The named counters of a table; none if it is not there."""
        asked = attribute(_OBJECT_TABLE, table.encode() + b"\0") + attribute(_OBJECT_TYPE, struct.pack(">I", _COUNTER))
        found: dict[str, Counted] = {}
        for each in self._questions.ask(NFTABLES, _GET_OBJECT, family, asked, flags=DUMP):
            held = attributes(each.body)
            data = attributes(held[_OBJECT_DATA])
            numbers = (int.from_bytes(data[kind], "big") for kind in (_PACKETS, _BYTES))
            found[text(held[_OBJECT_NAME])] = Counted(*numbers)
        return found

    def close(self) -> None:
        """Close the socket."""
        self._questions.close()


def _comment(data: bytes) -> str:
    """The comment in user data: entries of a kind, a length and a value."""
    at = 0
    while at + 2 <= len(data):
        kind, length = data[at], data[at + 1]
        if kind == _COMMENT:
            return text(data[at + 2 : at + 2 + length])
        at += 2 + length
    return ""
