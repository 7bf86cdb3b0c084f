"""How many bytes Liqo's agent sends to the kernel to install a table: the size of one netlink batch.

Written from google/nftables v0.3.0 (conn.go, table.go, chain.go, rule.go, set.go and expr/), which Liqo v1.2.0 uses. The
batch for a new table is the largest with rules in it: an edit adds no more of them. ``rules/limits.dl`` adds up the same.
"""

from typing import Final, assert_never

from liqo_connectivity.chains.errors import ChainError
from liqo_connectivity.chains.matches import CidrMatch, Icmp6Match, Match, OutsideMatch, PortMatch, SetMatch, StateMatch
from liqo_connectivity.chains.model import Table

TABLE_AND_CHAIN: Final = 176
"""The begin and the end of the batch, and the messages for a table and its base chain."""
CHAIN: Final = 96
"""A message for one more base chain."""
RULE: Final = 128
"""A message for a rule, with its verdict, and room for a name of 31 characters."""
STATE_MATCH: Final = 152
"""The expressions ct, bitwise and cmp."""
CIDR_MATCH: Final = 164
"""The expressions payload, bitwise and cmp."""
RANGE_OF_ADDRESSES: Final = 112
"""The expressions payload and range."""
SET_MATCH: Final = 88
"""The expressions payload and lookup."""
PROTOCOL_MATCH: Final = 80
"""The expressions meta and cmp."""
PORT_MATCH: Final = 96
"""The expressions payload and cmp, for a port beside its protocol."""
RANGE_MATCH: Final = 140
"""The expressions payload, cmp and cmp, for a range of ports beside their protocol."""
SET: Final = 96
"""A message for a set, and one for its elements."""
ELEMENT: Final = 16
"""An element whose key is an IPv4 address."""


def batch_bytes(table: Table) -> int:
    """The most bytes that the agent sends at once to install a table that ``assemble`` made.

    Raises ChainError for a match that the agent does not know.
    """
    name = _attribute(len(table.name))
    further = max(len(table.chains) - 1, 0)
    rules = (rule for chain in table.chains for rule in chain.rules)
    return (
        TABLE_AND_CHAIN
        + 2 * name
        + further * (CHAIN + name)
        + sum(RULE + name + sum(map(_match, rule.matches)) for rule in rules)
        + sum(SET + 2 * (name + _set_name(held.name)) + ELEMENT * len(held.elements) for held in table.sets)
    )


def _match(match: Match) -> int:
    match match:
        case StateMatch():
            return STATE_MATCH
        case CidrMatch():
            return CIDR_MATCH
        case OutsideMatch(_, ranges):
            return len(ranges) * RANGE_OF_ADDRESSES
        case PortMatch(ranges=()):
            return PROTOCOL_MATCH
        case PortMatch(ranges=ranges):
            return PROTOCOL_MATCH + (PORT_MATCH if ranges[0][0] == ranges[0][1] else RANGE_MATCH)
        case Icmp6Match():
            raise ChainError("Liqo's agents match no ICMPv6")
        case SetMatch(set=name):
            return SET_MATCH + _set_name(name)
        case _:
            assert_never(match)


def _set_name(name: str) -> int:
    base, _, _ = name.rpartition(".")
    # As many bytes for every shard of a party: room for two digits.
    return _attribute(len(base) + len(".99"))


def _attribute(length: int) -> int:
    """Bytes of a name as an attribute: a header of four, the name and a zero, filled up to a multiple of four."""
    return 4 + (length + 1 + 3) // 4 * 4
