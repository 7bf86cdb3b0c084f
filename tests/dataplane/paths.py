"""Which way a packet takes through the nodes of a federation, and with what addresses each chain on it sees it.

Computed from the descriptions alone: from what kube-proxy, a CNI and Liqo do on each node. This module must not know which
packets should pass.
"""

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Final

from tests.dataplane.federation import OUTSIDE, UNKNOWN_AT, WORKERS, Federation, Member
from tests.dataplane.frames import packed
from tests.dataplane.kube_proxy import KubeProxy, inside
from tests.dataplane.shots import Flow
from tests.dataplane.topology import Asked
from tests.support.descriptions import Traffic

REST: Final = "outside"


def port_of(cluster: str, worker: str) -> str:
    """The port behind which are the pods of a worker."""
    return f"{cluster}/{worker}"


def host_of(cluster: str, worker: str) -> str:
    """The processes of a worker."""
    return f"{cluster}/{worker}/host"


def kube_proxy(member: Member, worker: str) -> KubeProxy:
    """kube-proxy on a worker."""
    here = frozenset(address for pod in member.pods if pod.node == worker for address in pod.addresses)
    return KubeProxy(member.services, member.cidrs, member.node_addresses[worker], here)


class Paths:
    """The ways through a federation."""

    def __init__(self, whole: Federation) -> None:
        self.whole = whole
        self._proxies = {(m.name, w): kube_proxy(m, w) for m in whole.members for w in WORKERS}
        self._pods = {(m.name, a): pod.node for m in whole.members for pod in m.pods for a in pod.addresses}
        self._nodes = {(m.name, a): w for m in whole.members for w, own in m.node_addresses.items() for a in own}
        self._reals = {
            (viewer.name, whole.known_as(viewer.name, peer, real)): (peer, real)
            for viewer in whole.members
            for peer in viewer.sees
            for pod in whole.member(peer).pods
            for real in pod.addresses
        }

    def flow(self, asked: Asked) -> Flow:
        """The way of a flow as the cluster sees it in which it begins. Raises KeyError if there is none."""
        name, traffic = asked
        member = self.whole.member(name)
        source, destination, port = traffic.source, traffic.destination, traffic.port
        worker, start = self._begin(name, source, destination)
        way = [REST, port_of(name, worker)] if start == REST else [port_of(name, worker)]
        crossed: dict[Asked, None] = {}
        while True:
            chosen = self._proxies[name, worker].chosen(source, destination, traffic.protocol, port)
            if chosen is not None:
                destination, port = chosen.endpoint, chosen.port
            elif destination in member.node_addresses[worker]:
                end = host_of(name, worker)
                break
            elif inside(destination, *member.service_cidrs):
                raise KeyError(destination)
            crossed[name, Traffic(source, destination, "new", traffic.protocol, port)] = None
            is_pod = inside(source, *member.cidrs)
            own = member.node_addresses[worker][":" in source]
            if (name, destination) in self._reals:
                peer, real = self._reals[name, destination]
                known = self._known(name, peer, source, is_pod=is_pod)
                crossed[peer, Traffic(known, real, "new", traffic.protocol, port)] = None
                source, destination, end = known, real, port_of(peer, self._pods[peer, real])
                way.append(end)
                break
            if (chosen is not None and chosen.masquerade) or (is_pod and not inside(destination, *member.cidrs)):
                source = own
            if destination in OUTSIDE:
                end = REST
                way.append(end)
                break
            there = self._pods.get((name, destination)) or self._nodes[name, destination]
            if there == worker:
                end = port_of(name, worker)
                way.append(end)
                break
            worker = there
            if (name, destination) in self._pods:
                crossed[name, Traffic(source, destination, "new", traffic.protocol, port)] = None
                end = port_of(name, worker)
                way.append(end)
                break
            way.append(port_of(name, worker))
        ends = packed(source), packed(destination)
        # A fence needs two ends, though they may be the same.
        way = way if len(way) > 1 else way * 2
        return Flow(name, traffic, start, end, *ends, tuple(crossed), tuple(way), self._path(name, traffic, end))

    def _begin(self, name: str, source: str, destination: str) -> tuple[str, str]:
        """The worker where a flow enters the cluster, and the port where it begins."""
        if source in OUTSIDE:
            return self._nodes[name, destination], REST
        if (name, source) in self._nodes:
            worker = self._nodes[name, source]
            if (name, destination) in self._nodes and self._nodes[name, destination] == worker:
                raise KeyError(destination)
            return worker, host_of(name, worker)
        worker = self._pods[name, source]
        return worker, port_of(name, worker)

    def _known(self, name: str, peer: str, source: str, *, is_pod: bool) -> str:
        """The address by which a peer knows a sender."""
        if is_pod:
            return self.whole.known_as(peer, name, source)
        if ":" in source:
            raise KeyError(source)
        return str(ip_network(self.whole.member(peer).external[name])[UNKNOWN_AT])

    def _path(self, name: str, traffic: Traffic, end: str) -> str:
        member = self.whole.member(name)
        if any(service.address == traffic.destination for service in member.services):
            return "hairpin" if self._is_hairpin(name, traffic) else "ClusterIP"
        to_node = (name, traffic.destination) in self._nodes
        if to_node and not end.endswith("/host"):
            return "node port"
        if (name, traffic.source) in self._nodes:
            return "node to node" if to_node else "from a node"
        return "to a node" if to_node else "pod"

    def _is_hairpin(self, name: str, traffic: Traffic) -> bool:
        worker, _ = self._begin(name, traffic.source, traffic.destination)
        chosen = self._proxies[name, worker].chosen(*traffic[:2], traffic.protocol, traffic.port)
        return chosen is not None and chosen.endpoint == traffic.source

    # ---- What can be asked about ----

    def pods(self, name: str) -> Iterator[Traffic]:
        """From any pod of a cluster to any other address that it can reach. No port is given."""
        own = [address for cluster, address in self._pods if cluster == name]
        theirs = [address for cluster, address in self._reals if cluster == name]
        yield from _pairs(own, (*own, *theirs, *OUTSIDE))

    def services(self, name: str) -> Iterator[Traffic]:
        """From pods, nodes and others to the Services of a cluster, by their addresses and node ports."""
        member = self.whole.member(name)
        nodes = [address for cluster, address in self._nodes if cluster == name]
        own = [address for cluster, address in self._pods if cluster == name]
        for service in member.services:
            for each in _pairs((*own, *nodes), (service.address,)):
                yield each._replace(protocol=service.protocol, port=service.port)
            for each in _pairs((*own, *nodes, *OUTSIDE), nodes if service.node_port else ()):
                yield each._replace(protocol=service.protocol, port=service.node_port or 0)

    def hosts(self, name: str) -> Iterator[Traffic]:
        """From the nodes of a cluster to all that they can reach, and to them. No port is given."""
        nodes = [address for cluster, address in self._nodes if cluster == name]
        own = [address for cluster, address in self._pods if cluster == name]
        theirs = [address for cluster, address in self._reals if cluster == name]
        yield from _pairs(nodes, (*nodes, *own, *theirs, *OUTSIDE))
        yield from _pairs((*own, *OUTSIDE), nodes)


def _pairs(sources: tuple[str, ...] | list[str], destinations: tuple[str, ...] | list[str]) -> Iterator[Traffic]:
    for source in sources:
        for destination in destinations:
            if source != destination and (":" in source) == (":" in destination):
                yield Traffic(source, destination)
