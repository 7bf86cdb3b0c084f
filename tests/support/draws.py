"""What random clusters are drawn with: chances and addresses from a generator that is passed in."""

from ipaddress import ip_address, ip_network
from random import Random


def chance(rng: Random, probability: float) -> bool:
    return rng.random() > 1 - probability


def address_inside(rng: Random, cidr: str) -> str:
    """One of few addresses of a CIDR, so that pods and flows often meet."""
    network = ip_network(cidr, strict=False)
    last = min(network.num_addresses - 1, 2**33)
    return str(network[rng.choice((0, 1, 2, 3, 4, 5, 6, last))])


def is_cidr(written: str) -> bool:
    try:
        ip_network(written, strict=False)
    except ValueError:
        return False
    return written.partition("/")[2].isdecimal()


def canonical_address(address: str) -> str:
    parsed = ip_address(address)
    mapped = parsed.ipv4_mapped if parsed.version == 6 else None
    return str(mapped or parsed)
