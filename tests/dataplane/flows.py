"""Which flows to send through a topology: between any two of its addresses, to ports where rules begin and end.

This module must not know what a policy means.
"""

from collections.abc import Iterator, Mapping
from random import Random
from typing import Final

from tests.dataplane.conntrack import TRACKS_SCTP
from tests.support.descriptions import Cluster, Traffic

PROBED: Final = ("tcp", "udp", "icmp", *(["sctp"] if TRACKS_SCTP else []))
USUAL: Final = tuple(each for each in (("udp", 53), ("tcp", 80), ("sctp", 80), ("icmp", 0)) if each[0] in PROBED)


def flows(rng: Random, places: Mapping[str, str], cluster: Cluster, count: int) -> list[Traffic]:
    """Up to ``count`` flows, each once, between addresses that have a place."""
    known = services(cluster)
    addresses = sorted(places)
    pairs = [(a, b) for a in addresses for b in addresses if a != b and (":" in a) == (":" in b)]
    rng.shuffle(pairs)
    found: dict[Traffic, None] = {}
    for source, destination in pairs:
        for protocol, port in rng.sample(known, min(len(known), max(2, count // len(pairs)))):
            found[Traffic(source, destination, "new", protocol, port)] = None
        if len(found) >= count:
            break
    return list(found)


def services(cluster: Cluster) -> list[tuple[str, int]]:
    """The protocols and ports to ask about, sorted."""
    return sorted({*USUAL, *_edges(cluster)})


def _edges(cluster: Cluster) -> Iterator[tuple[str, int]]:
    """The protocols and ports where a rule of some policy begins or ends, and their neighbours."""
    for policy in cluster.policies:
        for rule in policy.rules:
            for port in rule.ports or ():
                protocol = str(port.protocol).lower()
                if protocol not in PROBED or port.first is None:
                    continue
                last = port.first if port.last is None else port.last
                for each in (port.first - 1, port.first, last, last + 1):
                    if 0 < each <= 65535:
                        yield protocol, each
