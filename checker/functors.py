"""The functions that rules call: 32-bit arithmetic, and IP addresses and CIDRs.

Written from docs/dialect.md, not from the engine.
"""

import re
import socket
from collections.abc import Callable, Mapping
from typing import Final

from liqo_connectivity.checker.patterns import PatternError, is_match
from liqo_connectivity.checker.syntax import Value


class UndefinedError(Exception):
    """A term has no value: a division by zero, or more than 32 bits."""


def arithmetic(operator: str, left: int, right: int) -> int:
    """Compute; quotients are cut off towards zero. Raises UndefinedError."""
    if operator in "/%" and right == 0:
        raise UndefinedError
    quotient = 0
    if operator in "/%":
        quotient = abs(left) // abs(right)
        quotient = quotient if (left >= 0) == (right > 0) else -quotient
    results = {"+": left + right, "-": left - right, "*": left * right, "/": quotient, "%": left - quotient * right}
    if not -(2**31) <= results[operator] < 2**31:
        raise UndefinedError
    return results[operator]


def bits(text: str) -> tuple[int, int] | None:
    """Give the width and the bits of an address, of ::ffff:a.b.c.d those of a.b.c.d; ``None`` for any other text."""
    found = _written_bits(text)
    return (32, found[1] & 0xFFFFFFFF) if found is not None and _is_mapped(*found) else found


def canonical_address(text: str) -> str:
    """Give the one text of an address that facts use; the empty text for any other text."""
    found = bits(text)
    return _written(*found) if found is not None else ""


def _is_mapped(width: int, number: int) -> bool:
    return width == 128 and number >> 32 == 0xFFFF


def _written_bits(text: str) -> tuple[int, int] | None:
    if re.fullmatch(r"(0|[1-9][0-9]{0,2})(\.(0|[1-9][0-9]{0,2})){3}", text, re.ASCII):
        octets = [int(part) for part in text.split(".")]
        return (32, int.from_bytes(octets)) if max(octets) < 256 else None
    if ":" not in text or not re.fullmatch(r"[0-9A-Fa-f:.]+", text):
        return None
    try:
        return 128, int.from_bytes(socket.inet_pton(socket.AF_INET6, text))
    except OSError:
        return None


def _network(text: str) -> tuple[int, int, int] | None:
    """Give width, prefix length and first address of a CIDR; ``None`` for any other text."""
    address, slash, digits = text.partition("/")
    found = _written_bits(address)
    if not slash or found is None or not re.fullmatch(r"[0-9]{1,3}", digits) or int(digits) > found[0]:
        return None
    width, number = found
    host = width - int(digits)
    if _is_mapped(width, number) and host <= 32:
        width, number = 32, number & 0xFFFFFFFF
    return width, width - host, number >> host << host


def _written(width: int, number: int) -> str:
    if width == 32:
        return ".".join(map(str, number.to_bytes(4)))
    groups = [f"{number >> shift & 0xFFFF:x}" for shift in range(112, -16, -16)]
    # RFC 5952: the first of the longest runs of two or more zero groups is written as "::".
    length, start = max((_zeros(groups[place:]), -place) for place in range(8))
    if length < 2:
        return ":".join(groups)
    return f"{':'.join(groups[:-start])}::{':'.join(groups[length - start :])}"


def _zeros(groups: list[str]) -> int:
    return next((place for place, group in enumerate(groups) if group != "0"), len(groups))


_FAMILY: Final = {32: 4, 128: 6}


def address_family(address: Value) -> Value:
    """Give 4 or 6, or 0 for what is no address."""
    found = bits(str(address))
    return _FAMILY[found[0]] if found else 0


def address_canonical(address: Value) -> Value:
    """Give the one text of an address that facts use, or the empty symbol for what is no address."""
    return canonical_address(str(address))


def cidr_family(cidr: Value) -> Value:
    """Give 4 or 6, or 0 for what is no CIDR."""
    found = _network(str(cidr))
    return _FAMILY[found[0]] if found else 0


def cidr_canonical(cidr: Value) -> Value:
    """Give a CIDR with its host bits cleared, or the empty symbol for what is none."""
    found = _network(str(cidr))
    return f"{_written(found[0], found[2])}/{found[1]}" if found else ""


def cidr_contains(cidr: Value, address: Value) -> Value:
    """Give 1 if an address is inside a CIDR, else 0."""
    network, found = _network(str(cidr)), bits(str(address))
    if network is None or found is None or network[0] != found[0]:
        return 0
    host = network[0] - network[1]
    return int(found[1] >> host == network[2] >> host)


def cidr_covers(outer: Value, inner: Value) -> Value:
    """Give 1 if a CIDR is inside another, else 0."""
    wide, narrow = _network(str(outer)), _network(str(inner))
    if wide is None or narrow is None or wide[0] != narrow[0] or wide[1] > narrow[1]:
        return 0
    host = wide[0] - wide[1]
    return int(narrow[2] >> host == wide[2] >> host)


def cidr_lower(cidr: Value) -> Value:
    """Give the half of a CIDR with the smaller addresses, or the empty symbol for what has none."""
    return _half(str(cidr), 0)


def cidr_upper(cidr: Value) -> Value:
    """Give the half of a CIDR with the larger addresses, or the empty symbol for what has none."""
    return _half(str(cidr), 1)


def _half(cidr: str, bit: int) -> Value:
    found = _network(cidr)
    if found is None or found[0] == found[1]:
        return ""
    width, length, number = found
    return f"{_written(width, number | bit << (width - length - 1))}/{length + 1}"


def text_length(text: Value) -> Value:
    """Give the number of characters."""
    return len(str(text))


def text_of(number: Value) -> Value:
    """Give a number as decimal digits."""
    return str(number)


def text_join(left: Value, right: Value) -> Value:
    """Give two texts as one."""
    return f"{left}{right}"


def integer_order(left: Value, right: Value) -> Value:
    """Give 1, 2 or 3 as the left integer is less than, equal to or greater than the right one; 0 for other texts."""
    one, other = _signed(str(left)), _signed(str(right))
    return 0 if one is None or other is None else 2 + (one > other) - (one < other)


def _signed(text: str) -> int | None:
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not digits or any(character not in "0123456789" for character in digits):
        return None
    digits = digits.lstrip("0") or "0"
    number = int(digits) if len(digits) < 20 else 2**64
    number = -number if text.startswith("-") else number
    return number if -(2**63) <= number <= 2**63 - 1 else None


def match(pattern: Value, text: Value) -> Value:
    """Give 1 if the whole text matches a pattern, else 0. Raises UndefinedError for what is no pattern."""
    try:
        return int(is_match(str(pattern), str(text)))
    except PatternError:
        raise UndefinedError from None


def contains(needle: Value, text: Value) -> Value:
    """Give 1 if a text is a part of another, else 0."""
    return int(str(needle) in str(text))


FUNCTORS: Final[Mapping[str, Callable[..., Value]]] = {
    "@address_family": address_family,
    "@address_canonical": address_canonical,
    "@cidr_family": cidr_family,
    "@cidr_canonical": cidr_canonical,
    "@cidr_contains": cidr_contains,
    "@cidr_covers": cidr_covers,
    "@cidr_lower": cidr_lower,
    "@cidr_upper": cidr_upper,
    "@text_length": text_length,
    "@text_of": text_of,
    "@text_join": text_join,
    "@integer_order": integer_order,
    "@match": match,
    "@contains": contains,
}
"""The functors by name, as rules write them."""
