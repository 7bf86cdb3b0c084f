"""The functors: total on any text, and about addresses what the standard library says."""

import sys
import unicodedata
from inspect import signature
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqo_connectivity.engine.syntax.functors import (
    BUILTIN,
    address_canonical,
    address_family,
    cidr_canonical,
    cidr_contains,
    cidr_covers,
    cidr_family,
    cidr_lower,
    cidr_upper,
    text_join,
    text_length,
    text_of,
)

MAPPED = ip_network("::ffff:0:0/96")
"""The IPv4 addresses as IPv6 writes them, which the standard library does not take for IPv4."""

addresses = st.ip_addresses().filter(lambda address: address not in MAPPED)
# Any address with any length of prefix: host bits stay set.
cidrs = st.one_of(
    st.builds("{}/{}".format, st.ip_addresses(v=4), st.integers(0, 32)),
    st.builds("{}/{}".format, st.ip_addresses(v=6), st.integers(0, 128)).filter(
        lambda cidr: not MAPPED.overlaps(ip_network(cidr, strict=False))
    ),
)
texts = st.text(max_size=30) | st.from_regex(r"[0-9a-fA-F.:/%]{0,20}", fullmatch=True) | cidrs | addresses.map(str)


@given(st.data())
@pytest.mark.parametrize("name", BUILTIN)
def test_a_functor_gives_a_value_for_any_text(name: str, data: st.DataObject) -> None:
    made = signature(BUILTIN[name])
    drawn = {str: texts, int: st.integers(-(2**31), 2**31 - 1)}
    value = BUILTIN[name](*[data.draw(drawn[parameter.annotation]) for parameter in made.parameters.values()])
    assert type(value) is made.return_annotation


@given(cidrs, addresses)
def test_containment_is_that_of_the_standard_library(cidr: str, address: object) -> None:
    assert cidr_contains(cidr, str(address)) == int(address in ip_network(cidr, strict=False))


@given(cidrs, st.integers(0, 2**128 - 1))
def test_every_address_of_a_cidr_is_inside_it(cidr: str, number: int) -> None:
    network = ip_network(cidr, strict=False)
    assert cidr_contains(cidr, str(network[number % network.num_addresses])) == 1


@given(cidrs)
def test_the_halves_of_a_cidr_are_its_two_subnets(cidr: str) -> None:
    network = ip_network(cidr, strict=False)
    halves = [str(half) for half in network.subnets()] if network.num_addresses > 1 else ["", ""]
    assert [cidr_lower(cidr), cidr_upper(cidr)] == halves


@given(cidrs, cidrs)
def test_a_cidr_covers_another_if_it_contains_its_ends(outer: str, inner: str) -> None:
    network = ip_network(inner, strict=False)
    ends = [cidr_contains(outer, str(network[position])) for position in (0, -1)]
    assert cidr_covers(outer, inner) == min(ends)
    assert cidr_covers(inner, inner) == 1


@given(cidrs)
def test_host_bits_do_not_matter(cidr: str) -> None:
    canonical = cidr_canonical(cidr)
    assert ip_network(canonical) == ip_interface(cidr).network
    assert cidr_canonical(canonical) == canonical
    assert cidr_covers(canonical, cidr) == cidr_covers(cidr, canonical) == 1
    assert cidr_family(cidr) == ip_network(canonical).version


@given(addresses)
def test_families_are_never_mixed(address: object) -> None:
    other = "::/0" if ip_address(str(address)).version == 4 else "0.0.0.0/0"
    assert cidr_contains(other, str(address)) == 0
    assert cidr_covers(other, f"{address}/1") == 0


@given(addresses)
def test_an_address_has_one_canonical_text(address: IPv4Address | IPv6Address) -> None:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    assert address_canonical(str(address)) == address_canonical(address.exploded.upper()) == str(mapped or address)


ZEROS = [char for char in map(chr, range(sys.maxunicode)) if unicodedata.decimal(char, None) == 0 and char != "0"]
"""The zero of every script but our own; the other nine digits follow it."""


@pytest.mark.parametrize("zero", ZEROS)
def test_digits_of_other_scripts_are_no_digits(zero: str) -> None:
    one, eight = chr(ord(zero) + 1), chr(ord(zero) + 8)
    for cidr in (f"10.0.0.0/{eight}", f"10.0.0.{zero}/8", f"{one}{zero}.0.0.0/8", f"fd00::/{eight}", f"fd0{zero}::/8"):
        assert (cidr_canonical(cidr), cidr_family(cidr)) == ("", 0)
        assert (cidr_contains(cidr, "10.0.0.1"), cidr_covers(cidr, "10.0.0.0/8")) == (0, 0)
    for address in (f"10.0.0.{one}", f"{one}.0.0.1", f"fd00::{one}", f"::ffff:10.0.0.{one}"):
        assert (address_canonical(address), address_family(address)) == ("", 0)


@pytest.mark.parametrize(
    "text", ["", "10.0.0.1", "10.0.0.0/33", "10.0.0/8", "010.0.0.0/8", " 10.0.0.0/8", "::/129", "a/8", "10.0.0.0/8/8"]
)
def test_text_that_is_no_cidr(text: str) -> None:
    assert (cidr_family(text), cidr_canonical(text), cidr_contains(text, "10.0.0.1")) == (0, "", 0)
    assert cidr_covers(text, "10.0.0.0/32") == cidr_covers("0.0.0.0/0", text) == 0


@pytest.mark.parametrize(
    "text", ["", "10.0.0.1/32", "10.0.0", "10.0.0.01", "10.0.0.256", "٣.0.0.1", ":::", "1" * 10_000]
)
def test_text_that_is_no_address(text: str) -> None:
    assert (address_family(text), cidr_contains("0.0.0.0/0", text), cidr_contains("::/0", text)) == (0, 0, 0)


def test_an_ipv4_mapped_ipv6_address_is_the_ipv4_address() -> None:
    assert [address_family(text) for text in ("::ffff:10.0.0.1", "::FFFF:a00:1", "::fffe:10.0.0.1")] == [4, 4, 6]
    assert cidr_contains("10.0.0.0/8", "::ffff:10.0.0.1") == cidr_contains("::ffff:10.0.0.0/104", "10.9.9.9") == 1
    assert cidr_contains("::/0", "::ffff:10.0.0.1") == cidr_contains("::ffff:0:0/90", "10.0.0.1") == 0
    assert (cidr_canonical("::ffff:10.1.2.3/104"), cidr_family("::ffff:10.1.2.3/104")) == ("10.0.0.0/8", 4)
    assert (cidr_canonical("::ffff:10.1.2.3/96"), cidr_canonical("::ffff:10.1.2.3/95")) == (
        "0.0.0.0/0",
        "::fffe:0:0/95",
    )
    assert cidr_covers("::ffff:10.0.0.0/104", "10.1.0.0/16") == 1


@pytest.mark.parametrize(
    "text", ["fe80::%a b; }\n/64", "fd00::1%eth0/64", "10.0.0.0/255.0.0.0", "10.0.0.0/0.0.0.255", "10.0.0.0/8\n"]
)
def test_only_an_address_with_a_prefix_length_is_a_cidr(text: str) -> None:
    assert (cidr_canonical(text), cidr_family(text)) == ("", 0)


def test_a_zone_makes_an_address_other_text() -> None:
    assert address_family("fe80::1%}; drop") == 0


@given(texts, texts, st.integers(-(2**31), 2**31 - 1))
def test_texts_are_joined_counted_and_made_of_numbers(left: str, right: str, number: int) -> None:
    joined = text_join(left, right)
    assert joined.startswith(left)
    assert joined.endswith(right)
    assert text_length(joined) == text_length(left) + text_length(right)
    assert int(text_of(number)) == number
