"""Pods that change while their connections live: they move to another node, go, get other labels, or another pod's address.

What follows for connections is computed from where their ends are. This module must not know which packets should pass.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Final

from tests.dataplane.federation import DNS, WORKERS, Federation, Member, RealPod
from tests.dataplane.shots import Connection
from tests.dataplane.topology import Asked, Place, Topology
from tests.support.draws import chance
from tests.support.random_labels import pod_labels

_AT_LEAST: Final = 3
"""So many pods stay in a cluster."""


def churned(rng: Random, whole: Federation) -> Federation:
    """The federation some time later, with the same policies."""
    served = {address for member in whole.members for service in member.services for address in service.endpoints}
    return Federation(tuple(replace(m, pods=tuple(_pods(rng, m, served, whole))) for m in whole.members))


def _pods(rng: Random, member: Member, served: Iterable[str], whole: Federation) -> list[RealPod]:
    pods = list(member.pods)
    at = rng.randrange(len(pods))
    pods[at] = replace(pods[at], labels=pod_labels(rng))
    if chance(rng, 0.5):
        one, other = rng.sample(range(len(pods)), 2)
        # Each has the address that the other had.
        first, second = pods[one], pods[other]
        pods[one] = replace(first, node=second.node, addresses=second.addresses)
        pods[other] = replace(second, node=first.node, addresses=first.addresses)
    for at in rng.sample(range(len(pods)), rng.randint(0, 2)):
        pods[at] = replace(pods[at], node=next(worker for worker in WORKERS if worker != pods[at].node))
    idle = [pod for pod in pods if pod.namespace != DNS and not _known(whole, member, pod) & set(served)]
    if idle and len(pods) > _AT_LEAST and chance(rng, 0.5):
        pods.remove(rng.choice(idle))
    return pods


def _known(whole: Federation, member: Member, pod: RealPod) -> set[str]:
    """All addresses by which some cluster knows a pod."""
    return {whole.known_as(viewer.name, member.name, a) for viewer in whole.members for a in pod.addresses}


def moved(before: Federation, after: Federation) -> Iterator[tuple[Place, str]]:
    """The addresses that are on another worker now, each with its cluster, and which worker that is."""
    for old, new in zip(before.members, after.members, strict=True):
        workers = {address: pod.node for pod in old.pods for address in pod.addresses}
        for pod in new.pods:
            for address in pod.addresses:
                if workers.get(address, pod.node) != pod.node:
                    yield (new.name, address), pod.node


def kept(alive: Sequence[Connection], places: set[Place]) -> list[Connection]:
    """The connections of which no end has moved. What is sent on them goes on to arrive, though a pod has gone."""
    return [each for each in alive if not _ends(each) & places]


def carried(topology: Topology, alive: Sequence[Connection], places: set[Place]) -> Iterator[tuple[Connection, Asked]]:
    """The other connections, each with its flow, if the next packet of it is like the first and has a way without NAT."""
    for each in alive:
        asked = each.flow.name, each.flow.traffic
        if _ends(each) & places and each.flow.traffic.protocol in ("udp", "icmp") and not each.flow.translated:
            try:
                flow = topology.flow(asked)
            except KeyError:
                continue
            if not flow.translated and not each.arrived.is_fragment:
                yield each, asked


def _ends(connection: Connection) -> set[Place]:
    flow = connection.flow
    seen = flow.crossed[-1] if flow.crossed else (flow.name, flow.traffic)
    return {(flow.name, flow.traffic.source), (seen[0], seen[1].destination)}
