"""Functors: pure functions that rules call as ``@name(...)``.

They are few on purpose: about IP addresses, the text of a message, and integers that are written as text. An IPv4-mapped IPv6 address is the IPv4 address.
They never raise: for text that is not an address or CIDR they return the empty symbol or 0, and rules decide what that
means. A program declares the functors it uses (``.functor``), as in Soufflé. The constraints ``match`` and ``contains``
are functions too, without a declaration; only ``match`` raises, for a text that is no pattern.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from socket import AF_INET, inet_pton
from struct import Struct
from typing import Final

from liqo_connectivity.engine.syntax.arithmetic import EvaluationError
from liqo_connectivity.engine.syntax.nodes import Value

Functor = Callable[..., Value]
"""A function of symbols and numbers, with the arity and types of its ``.functor`` declaration."""


# Narrower than ipaddress, which accepts any text as an IPv6 zone, and a mask in place of a prefix length.
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]+")
_CIDR = re.compile(r"[0-9A-Fa-f:.]+/[0-9]{1,3}")
_INTEGER = re.compile(r"([+-]?)0*([0-9]{1,19})", re.ASCII)
_NUMBER: Final = Struct("!I")
"""An IPv4 address as four bytes."""
_SHOWN: Final = 80
"""How many characters of a pattern an error quotes."""
_MAPPED_LENGTH: Final = 96
"""The prefix length of ::ffff:0:0, whose addresses are IPv4 addresses in another notation (RFC 4291, 2.5.5.2)."""


@lru_cache(maxsize=4096)
def _network(cidr: str) -> IPv4Network | IPv6Network | None:
    try:
        network = ip_network(cidr, strict=False) if _CIDR.fullmatch(cidr) else None
    except ValueError:
        return None
    if isinstance(network, IPv6Network) and network.prefixlen >= _MAPPED_LENGTH:
        mapped = network.network_address.ipv4_mapped
        return IPv4Network((mapped, network.prefixlen - _MAPPED_LENGTH)) if mapped is not None else network
    return network


@lru_cache(maxsize=4096)
def _masked(cidr: str) -> tuple[int, int, int] | None:
    """Return the family, mask and network address of a CIDR."""
    network = _network(cidr)
    return (network.version, int(network.netmask), int(network.network_address)) if network else None


# inet_pton accepts the same IPv4 text as ipaddress, thirty times as fast. Every Pod's address is parsed here, more than once.
def _is_ipv4(address: str) -> bool:
    try:
        inet_pton(AF_INET, address)
    except (OSError, ValueError):
        return False
    return True


@lru_cache(maxsize=65536)
def _other_address(address: str) -> tuple[int, int] | None:
    """Return the family and the numeric value of an address that is not written as an IPv4 address."""
    try:
        parsed = ip_address(address) if _ADDRESS.fullmatch(address) else None
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return (parsed.version, int(parsed)) if parsed else None


def address_family(address: str) -> int:
    """Return 4 or 6 for an IP address, 0 for any other text."""
    if _is_ipv4(address):
        return 4
    parsed = _other_address(address)
    return parsed[0] if parsed else 0


def address_canonical(address: str) -> str:
    """Return the one text of an address that facts use (``FD00:0::1`` → ``fd00::1``), ``""`` for any other text."""
    if _is_ipv4(address):
        return address
    parsed = _other_address(address)
    if parsed is None:
        return ""
    family, number = parsed
    return str(IPv6Address(number) if family == 6 else IPv4Address(number))


def cidr_family(cidr: str) -> int:
    """Return 4 or 6 for a CIDR, 0 for any other text."""
    network = _network(cidr)
    return network.version if network else 0


def cidr_canonical(cidr: str) -> str:
    """Return a CIDR with its host bits cleared (``10.71.0.5/16`` → ``10.71.0.0/16``), ``""`` for any other text."""
    network = _network(cidr)
    return str(network) if network else ""


def cidr_contains(cidr: str, address: str) -> int:
    """Return 1 if the CIDR contains the address; 0 if not, if the families differ, or if either text is invalid."""
    network = _masked(cidr)
    if network is None:
        return 0
    family, mask, start = network
    try:
        (number,) = _NUMBER.unpack(inet_pton(AF_INET, address))
    except (OSError, ValueError):
        parsed = _other_address(address)
        return int(parsed is not None and parsed[0] == family and parsed[1] & mask == start)
    return int(family == 4 and number & mask == start)


def cidr_covers(outer: str, inner: str) -> int:
    """Return 1 if the outer CIDR contains every address of the inner one, 0 otherwise."""
    wide, narrow = _masked(outer), _masked(inner)
    if wide is None or narrow is None or wide[0] != narrow[0]:
        return 0
    # The mask of the inner one is at least as long, and their addresses are equal under that of the outer one.
    return int(narrow[1] & wide[1] == wide[1] and narrow[2] & wide[1] == wide[2])


def cidr_lower(cidr: str) -> str:
    """Return the half of a CIDR with the smaller addresses, ``""`` for a single address and for any other text."""
    return _half(cidr, 0)


def cidr_upper(cidr: str) -> str:
    """Return the half of a CIDR with the larger addresses, ``""`` for a single address and for any other text."""
    return _half(cidr, 1)


def _half(cidr: str, place: int) -> str:
    network = _network(cidr)
    if network is None or network.prefixlen == network.max_prefixlen:
        return ""
    return str(list(network.subnets())[place])


def text_length(text: str) -> int:
    """Return the number of characters."""
    return len(text)


def text_of(number: int) -> str:
    """Return a number as decimal digits, with a minus sign if it is negative."""
    return str(number)


def text_join(left: str, right: str) -> str:
    """Return two texts as one."""
    return left + right


def integer_order(left: str, right: str) -> int:
    """Return 1, 2 or 3 if the left integer is less than, equal to or greater than the right one.

    Return 0 if either text is no integer of 64 bits in decimal, as Go parses it for the operators Gt and Lt of Kubernetes.
    """
    one, other = _integer(left), _integer(right)
    if one is None or other is None:
        return 0
    return 1 if one < other else 3 if one > other else 2


def _integer(text: str) -> int | None:
    found = _INTEGER.fullmatch(text)
    value = int(found[1] + found[2]) if found else None
    return value if value is not None and -(2**63) <= value < 2**63 else None


def match(pattern: str, text: str) -> int:
    """Return 1 if the whole text matches the pattern. Raises EvaluationError for what is no pattern."""
    return int(_matcher(pattern)(text))


@lru_cache(maxsize=128)
def _matcher(pattern: str) -> Callable[[str], bool]:
    # Few programs match texts, and the others start faster without the automata.
    from liqo_connectivity.engine.syntax.automaton import automaton_of
    from liqo_connectivity.engine.syntax.patterns import PatternError

    try:
        return automaton_of(pattern).matches
    except PatternError as error:
        shown = pattern if len(pattern) <= _SHOWN else f"{pattern[:_SHOWN]}…"
        raise EvaluationError(f"match has no value, because {shown!r} is no pattern: {error}") from None


def contains(needle: str, text: str) -> int:
    """Return 1 if the needle is a part of the text."""
    return int(needle in text)


BUILTIN: Final[Mapping[str, Functor]] = {
    function.__name__: function
    for function in (
        address_family,
        address_canonical,
        cidr_family,
        cidr_canonical,
        cidr_contains,
        cidr_covers,
        cidr_lower,
        cidr_upper,
        text_length,
        text_of,
        text_join,
        integer_order,
    )
}
"""The functors that a program may declare."""

CONSTRAINTS: Final[Mapping[str, Functor]] = {function.__name__: function for function in (match, contains)}
"""Soufflé's constraints: a body holds them like atoms, and no program declares them. They are 1 if they hold, else 0."""

INTRINSIC: Final = ("cat", "ord", "strlen", "substr", "to_number", "to_string", "as", "autoinc")
"""Soufflé's functors that the dialect lacks."""
