"""The values that may enter a ruleset: ids, names, addresses and CIDRs, each parsed before it is used.

A quote, a newline, ``};`` or ``include`` breaks out of the nft text grammar, and nft resolves what is not an address
through DNS. So no text of a tenant reaches a writer unless ``ipaddress`` parsed it or it matches a closed pattern. The
caller says in ``where`` which rule or set a value is for; messages begin with it.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network, NetmaskValueError
from typing import Final, Literal, NamedTuple, TypeAlias, TypeVar

from liqo_connectivity.chains.errors import ChainError
from liqo_connectivity.chains.limits import MAX_CLUSTER_ID

T = TypeVar("T")
Network: TypeAlias = IPv4Network | IPv6Network
AddressRange: TypeAlias = tuple[IPv4Address | IPv6Address, IPv4Address | IPv6Address]
"""The first and the last address, of one family."""
Family: TypeAlias = Literal["ip", "ip6"]
"""A family of nftables: ``ip`` is IPv4, ``ip6`` is IPv6."""

IPV6: Final = 1 << 128
"""Added to the numbers of IPv6 addresses, so that all of IPv4 come before them."""

# liqotech/liqo apis/core/v1beta1: the pattern of ClusterID.
_CLUSTER_ID: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
# Kubernetes: the name of a namespace is a DNS-1123 label.
_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
# Wider than a DNS-1123 label on purpose: a name is escaped, never interpreted.
_PARTY_NAME: Final = re.compile(r"[a-z0-9-]{1,63}")


def cluster_id(value: str) -> str:
    """``value``, if it is a Liqo cluster id of at most MAX_CLUSTER_ID characters; raises ChainError otherwise."""
    if len(value) > MAX_CLUSTER_ID or not _CLUSTER_ID.fullmatch(value):
        raise ChainError(
            f"peering {value!r}: not a Liqo cluster id: at most {MAX_CLUSTER_ID} of a-z, 0-9 and -, "
            "not starting or ending with -"
        )
    return value


def namespace_name(where: str, value: str) -> str:
    """``value``, if it is the name of a Kubernetes namespace; raises ChainError otherwise."""
    if not _NAMESPACE.fullmatch(value):
        raise ChainError(f"{where}: {value!r} is not the name of a namespace (a DNS-1123 label)")
    return value


def party_name(where: str, value: str) -> str:
    """``value``, if it is 1 to 63 of ``a-z``, ``0-9`` and ``-``; raises ChainError otherwise.

    Group names and Kubernetes namespaces are. The closed alphabet makes ``-`` → ``_`` in a set name injective.
    """
    if not _PARTY_NAME.fullmatch(value):
        raise ChainError(f"{where}: party name {value!r} cannot name a set: it must be 1 to 63 of a-z, 0-9 and -")
    return value


def word(where: str, column: str, value: str, words: Mapping[str, T]) -> T:
    """The meaning of ``value`` in a closed vocabulary; raises ChainError if it has none."""
    if value not in words:
        raise ChainError(f"{where}: {column} {value!r} is none of {', '.join(words)}")
    return words[value]


class Address(NamedTuple):
    """An IP address, made by ``address``: its number, by which addresses are ordered, and its canonical text.

    All IPv4 addresses come before those of IPv6, whose numbers begin at IPV6. Sets hold ten thousands of them, and
    IPv4Address compares and prints each ten times slower.
    """

    number: int
    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def family(self) -> Family:
        """The family whose packets have such addresses."""
        return "ip6" if self.number >= IPV6 else "ip"


def address(where: str, value: str) -> Address:
    """The IP address written canonically, without a zone and not mapped from IPv4; raises ChainError for anything else."""
    try:
        if ":" not in value:
            parsed = IPv4Address(value)
            return Address(int(parsed), str(parsed))
        longer = IPv6Address(value)
    except AddressValueError as error:
        raise ChainError(f"{where}: {value!r} is not an IP address ({error})") from error
    if longer.scope_id is not None or longer.ipv4_mapped is not None or str(longer) != value:
        raise ChainError(f"{where}: {value!r} is not an IP address in canonical text")
    return Address(IPV6 + int(longer), value)


def cidr(where: str, value: str) -> Network:
    """The CIDR written canonically, without host bits and zone; raises ChainError for anything else.

    Host bits are refused rather than cleared: Liqo's agent compares the masked packet with the unmasked address, so
    ``10.0.0.5/24`` would never match. Clearing them is a decision of the rules, which derive canonical CIDRs.
    """
    try:
        network, canonical = _network(value)
    except (AddressValueError, NetmaskValueError, ValueError) as error:
        raise ChainError(f"{where}: {value!r} is not a CIDR ({error})") from error
    if canonical != value:
        raise ChainError(f"{where}: {value!r} is not canonical; derive {canonical!r}")
    return network


# The same few CIDRs are in every version of a peering's chain.
@lru_cache(maxsize=4096)
def _network(value: str) -> tuple[Network, str]:
    if "%" in value:
        raise ValueError("a CIDR has no zone")
    network = IPv6Network(value) if ":" in value else IPv4Network(value)
    return network, str(network)


def family_of(value: Network | IPv4Address | IPv6Address) -> Family:
    """The family whose packets have an address, or addresses inside a CIDR."""
    return "ip" if value.version == 4 else "ip6"


def ends_of(network: Network) -> AddressRange:
    """The first and the last address of a CIDR."""
    return network.network_address, network.broadcast_address
