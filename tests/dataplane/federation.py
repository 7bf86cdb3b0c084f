"""Random federations of peered clusters: who is where, and the addresses by which each cluster knows the pods of the others.

Unlike ``tests/support/random_clusters.py``, which draws what one cluster's API may hold, right or wrong, all that is here is
consistent, so that packets can really go from each pod to each other. Everything is drawn from the generator that is
passed in, so a seed names a federation. This module must not know what a policy means.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from ipaddress import ip_address, ip_network
from random import Random
from typing import Final

from tests.support.descriptions import Policy
from tests.support.draws import chance
from tests.support.random_labels import pod_labels
from tests.support.random_policies import FIRST, PORTS, random_rules

NAMES: Final = ("rome", "milan", "naples")
NAMESPACES: Final = ("shop", "batch", "infra")
WORKERS: Final = ("worker-1", "worker-2")
DNS: Final = "kube-system"
_EQUAL: Final = ("10.244.0.0/16",) * 3
_APART: Final = ("10.244.0.0/16", "10.245.0.0/16", "172.20.0.0/16")
_ASSIGNED: Final = ("10.71.0.0/16", "10.72.0.0/16", "100.64.0.0/16")
_EXTERNAL: Final = ("10.81.0.0/16", "10.82.0.0/16", "10.83.0.0/16")
_SIX: Final = ("fd00:1::/64", "fd00:2::/64", "2001:db8:3::/64")
OUTSIDE: Final = ("203.0.113.5", "192.168.1.9", "10.99.0.1", "2001:db8:99::5", "fd00:5::5")
"""Addresses of no cluster: of the internet and of private networks."""
OWN_EXTERNAL: Final = "10.70.0.0/16"
"""The external CIDR of each cluster, as itself knows it."""
UNKNOWN_AT: Final = 1
"""Where in its external CIDR the address is by which a node sends to a peer what comes from no pod of the cluster."""
_NODE_PORTS: Final = (30080, 31000, 31001, 31002)


@dataclass(frozen=True)
class RealPod:
    """A pod where it runs. ``origin`` is the cluster that offloaded it, ``home`` its namespace there."""

    namespace: str
    name: str
    node: str
    addresses: tuple[str, ...]
    labels: tuple[tuple[str, str], ...] = ()
    origin: str | None = None
    home: str = ""


@dataclass(frozen=True)
class RealService:
    """A Service of one family: what goes to ``port`` at its address is for ``target`` at an endpoint.

    So is what goes to ``node_port`` at a node. ``endpoints`` are addresses as the cluster knows them, at most two; ``local`` is
    its externalTrafficPolicy.
    """

    name: str
    address: str
    protocol: str
    port: int
    target: int
    endpoints: tuple[str, ...]
    node_port: int | None = None
    local: bool = False


@dataclass(frozen=True)
class Member:
    """A cluster. ``sees`` are the CIDRs by which it knows the pods of each peer, IPv4 and IPv6; ``labels`` its namespaces'.

    ``offloads`` are its namespaces, each with the peers to which it is offloaded.
    """

    name: str
    number: int
    cidrs: tuple[str, str]
    sees: Mapping[str, tuple[str, str]]
    offloads: Mapping[str, tuple[str, ...]]
    pods: tuple[RealPod, ...]
    labels: Mapping[str, tuple[tuple[str, str], ...]]
    policies: tuple[Policy, ...] = ()
    services: tuple[RealService, ...] = ()
    bridged: bool = False
    """Whether the pods of its first worker are on a bridge, where the harness has only that worker."""

    @property
    def service_cidrs(self) -> tuple[str, str]:
        """Of IPv4 and IPv6."""
        return f"10.96.{self.number}.0/24", f"fd00:96:{self.number}::/64"

    @cached_property
    def node_addresses(self) -> dict[str, tuple[str, ...]]:
        """Of each worker, outside all pod CIDRs."""
        return {
            worker: (f"172.18.{self.number}.{11 + at}", str(ip_address(f"fd00:18:{self.number}::{11 + at}")))
            for at, worker in enumerate(WORKERS)
        }

    @property
    def external(self) -> Mapping[str, str]:
        """The external CIDR that it knows each peer by."""
        return {peer: _EXTERNAL[NAMES.index(peer)] for peer in self.sees}


@dataclass(frozen=True)
class Federation:
    """Clusters that are all peered with each other."""

    members: tuple[Member, ...]

    @cached_property
    def _by_name(self) -> dict[str, Member]:
        return {member.name: member for member in self.members}

    def member(self, name: str) -> Member:
        return self._by_name[name]

    def known_as(self, viewer: str, owner: str, address: str) -> str:
        """The address by which a cluster knows a pod address of another, or its own."""
        if viewer == owner:
            return address
        six = int(":" in address)
        return _moved(address, self.member(owner).cidrs[six], self.member(viewer).sees[owner][six])


@cache
def _moved(address: str, real: str, seen: str) -> str:
    """The address at the same place in another CIDR of the same size."""
    offset = int(ip_address(address)) - int(ip_network(real).network_address)
    return str(ip_network(seen)[offset])


def federation(rng: Random, size: int | None = None) -> Federation:
    """A federation of two or three clusters, each with its own policies."""
    names = NAMES[: size or rng.choice((2, 2, 3))]
    equal = chance(rng, 0.5)
    remapped = equal or chance(rng, 0.3)
    four = _EQUAL if equal else _APART
    members: list[Member] = []
    for number, name in enumerate(names):
        peers = [other for other in names if other != name]
        sees = {p: ((_ASSIGNED if remapped else four)[NAMES.index(p)], _SIX[NAMES.index(p)]) for p in peers}
        offloads = {ns: tuple(p for p in peers if chance(rng, 0.5)) for ns in NAMESPACES if chance(rng, 0.6)}
        spaces = [*NAMESPACES, DNS, *(f"{ns}-{peer}" for peer in peers for ns in NAMESPACES)]
        labels = {namespace: pod_labels(rng) for namespace in spaces}
        members.append(Member(name, number, (four[number], _SIX[number]), sees, offloads, (), labels))
    placed = Federation(tuple(members))
    made = Federation(tuple(_with_pods(rng, placed, member) for member in members))
    served = tuple(
        replace(member, services=tuple(_services(rng, made, member)), bridged=chance(rng, 0.5))
        for member in made.members
    )
    return with_policies(rng, Federation(served))


def with_policies(rng: Random, placed: Federation) -> Federation:
    """The federation with other policies."""
    return Federation(tuple(replace(m, policies=tuple(_policies(rng, placed, m))) for m in placed.members))


def _with_pods(rng: Random, placed: Federation, member: Member) -> Member:
    hosts = iter(rng.sample(range(2, 60), 40))
    own = [_pod(rng, member, rng.choice(NAMESPACES), f"pod-{n}", hosts) for n in range(rng.randint(3, 5))]
    pods = [_pod(rng, member, DNS, "dns", hosts, both=True), *own]
    for consumer in placed.members:
        for namespace, providers in consumer.offloads.items():
            if member.name in providers:
                for number in range(rng.randint(1, 2)):
                    guest = _pod(rng, member, f"{namespace}-{consumer.name}", f"guest-{namespace}-{number}", hosts)
                    pods.append(replace(guest, origin=consumer.name, home=namespace))
    return replace(member, pods=tuple(pods))


def _pod(rng: Random, member: Member, namespace: str, name: str, hosts: Iterator[int], both: bool = False) -> RealPod:
    host = next(hosts)
    addresses = [str(ip_network(cidr)[host]) for cidr in member.cidrs]
    kept = addresses if both or chance(rng, 0.5) else addresses[:1]
    return RealPod(namespace, name, rng.choice(WORKERS), tuple(kept), pod_labels(rng))


def _services(rng: Random, made: Federation, member: Member) -> Iterator[RealService]:
    """Services with endpoints among the pods that are here, those that the cluster offloaded, other pods of peers, and others."""
    own = [address for pod in member.pods for address in pod.addresses]
    away = [(pod, peer) for peer in member.sees for pod in made.member(peer).pods]
    known = [(pod, made.known_as(member.name, peer, a)) for pod, peer in away for a in pod.addresses]
    shadows = [address for pod, address in known if pod.origin == member.name]
    others = [address for pod, address in known if pod.origin != member.name]
    for number, node_port in enumerate(_NODE_PORTS[: rng.randint(2, 4)]):
        six = chance(rng, 0.3)
        found: dict[str, None] = {}
        for _ in range(2):
            kinds = (own, own, shadows, shadows, others, OUTSIDE)
            taken = [address for address in rng.choice(kinds) if (":" in address) == six]
            found |= dict.fromkeys(rng.sample(taken, min(len(taken), 1)))
        yield RealService(
            f"service-{number}",
            str(ip_network(member.service_cidrs[six])[10 + number]),
            rng.choice(("tcp", "tcp", "udp")),
            rng.choice((53, 80, 443, 8080)),
            rng.choice(PORTS),
            tuple(found),
            rng.choice((None, node_port, node_port)),
            chance(rng, 0.4),
        )


def _policies(rng: Random, placed: Federation, member: Member) -> Iterator[Policy]:
    namespaces = [*member.labels]
    known = [*OUTSIDE, *(address for pod in member.pods for address in pod.addresses)]
    for other in placed.members:
        if other.name != member.name:
            known += [placed.known_as(member.name, other.name, a) for pod in other.pods for a in pod.addresses]
    for peer in member.sees:
        if not chance(rng, 0.1):
            rules = random_rules(rng, namespaces, known, rng.randint(0, 12), plain=chance(rng, 0.5))
            default = rng.choice((None, "allow", "deny", "deny"))
            yield Policy(f"liqo-tenant-{peer}", peer, FIRST, tuple(rules), default=default)
