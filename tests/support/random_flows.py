"""Random flows to ask about in a described cluster, between addresses that it knows and a few that it does not."""

from random import Random

from tests.support.descriptions import Cluster, Traffic
from tests.support.draws import address_inside, canonical_address, chance, is_cidr
from tests.support.random_policies import PORTS

ELSEWHERE = (
    *("8.8.8.8", "192.168.1.9", "172.16.4.4", "203.0.113.5", "10.99.0.1", "100.64.9.9", "198.18.0.1", "224.0.0.9"),
    *("2001:db8::9", "2001:db8:99::5", "fd00:5::5", "64:ff9b::808:808", "fe80::1"),
)


def flows(rng: Random, described: Cluster, count: int) -> list[Traffic]:
    """Some flows between addresses that the cluster knows, and a few that it does not, most of them with a port."""
    addresses = [*known_addresses(rng, described), *rng.sample(ELSEWHERE, 3)]
    found: list[Traffic] = []
    while len(found) < count:
        source = rng.choice(addresses)
        destination = rng.choice([address for address in addresses if (":" in address) == (":" in source)])
        state = "established" if chance(rng, 0.08) else "new"
        found.append(Traffic(source, destination, state, *_service(rng)))
    return found


def _service(rng: Random) -> tuple[str, int]:
    """The protocol and port of a flow, or none of both."""
    protocol = rng.choice(("tcp", "tcp", "tcp", "udp", "sctp", "icmp", "other", ""))
    if protocol not in ("tcp", "udp", "sctp"):
        return protocol, 0
    port = rng.choice(PORTS) + rng.choice((-1, 0, 0, 0, 1))
    return protocol, min(max(port, 1), 65535)


def known_addresses(rng: Random, described: Cluster) -> list[str]:
    """Addresses that objects of a cluster have or may have."""
    addresses = [canonical_address(address) for pod in described.pods for address in pod.addresses]
    for network in described.networks:
        for written in (network.spec, network.status):
            addresses += [address_inside(rng, written)] if written and is_cidr(written) else []
    addresses += [address for node in described.nodes for address in node.addresses]
    addresses += [address for service in described.services for address in service.addresses]
    addresses += [canonical_address(address) for one in described.slices for address in one.addresses]
    return addresses
