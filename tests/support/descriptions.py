"""A cluster as plain values, apart from how Kubernetes writes it down.

The random clusters are made of these values, and the interpreter reads them directly, so that it shares nothing with
the way from objects to facts. This module must not know what a policy means.
"""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Pod:
    """``addresses`` are podIP and then the further podIPs, as written; ``shadow`` and ``origin`` are values of Liqo's labels.

    ``labels`` are all other labels, a key and a value each.
    """

    namespace: str
    name: str
    node: str | None = None
    phase: str = "Running"
    addresses: tuple[str, ...] = ()
    host_network: bool = False
    shadow: str | None = None
    origin: str | None = None
    malformed: bool = False
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Namespace:
    """``managed_by`` is the map, namespace/name, that Liqo's annotation names."""

    name: str
    cluster: str | None = None
    tenant: bool = False
    managed_by: str | None = None
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Node:
    """``cluster`` is the label of Liqo; ``virtual`` says that it has Liqo's other label, ``tainted`` the taint."""

    name: str
    virtual: bool = False
    cluster: str | None = None
    addresses: tuple[str, ...] = ()
    tainted: bool = False
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Service:
    """``addresses`` are its cluster IPs and external IPs, ``endpoints`` what its EndpointSlice lists.

    ``target`` is the port of the endpoints, if the EndpointSlice names one; ``local`` says that nodes give outside traffic to
    their own pods only (externalTrafficPolicy).
    """

    namespace: str
    name: str
    addresses: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    node_port: int | None = None
    protocol: str = "TCP"
    port: int = 80
    target: int | None = None
    local: bool = False


@dataclass(frozen=True)
class Slice:
    """An EndpointSlice without a Service; ``dns`` says that it has the label of the cluster's DNS."""

    namespace: str
    name: str
    addresses: tuple[str, ...] = ()
    dns: bool = True


@dataclass(frozen=True)
class VirtualNode:
    namespace: str
    name: str
    cluster: str
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Network:
    """A Network of a remote ``cluster``, or of this one when that is None; ``kind`` is its type label."""

    namespace: str
    name: str
    cluster: str | None
    kind: str
    spec: str
    status: str | None
    terminating: bool = False


@dataclass(frozen=True)
class Configuration:
    """The CIDRs that the remote cluster named, by type: pod and external; and those that Liqo uses for it."""

    namespace: str
    name: str
    cluster: str
    cidrs: tuple[tuple[str, str], ...]
    used: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class NamespaceMap:
    """``ours``: this cluster offloads by it; ``origin``: that cluster offloads to this one by it.

    Entries are the consumer's namespace, the provider's, and the phase.
    """

    namespace: str
    name: str
    cluster: str
    ours: bool
    origin: str | None
    entries: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Requirement:
    """A requirement of a NodeSelector or a label selector; ``field`` says that the key is a field of the node, and no label."""

    key: str
    operator: str
    values: tuple[str, ...] = ()
    field: bool = False


@dataclass(frozen=True)
class Offloading:
    """A NamespaceOffloading with the terms of its clusterSelector; ``required``: what Liqo says for each cluster."""

    namespace: str
    terms: tuple[tuple[Requirement, ...], ...] = ()
    required: tuple[tuple[str, bool], ...] = ()
    terminating: bool = False


@dataclass(frozen=True)
class ForeignCluster:
    """``tenant`` is the tenant namespace that Liqo's status names."""

    cluster: str
    role: str
    tenant: str | None = None


@dataclass(frozen=True)
class Selector:
    """A label selector: ``equal`` are its matchLabels, a key and a value each."""

    equal: tuple[tuple[str, str], ...] = ()
    expressions: tuple[Requirement, ...] = ()


@dataclass(frozen=True)
class Party:
    """``namespaces`` and ``pods`` are its namespaceSelector and podSelector, ``cidr`` and ``excepts`` its CIDRs."""

    group: str | None = None
    namespace: str | None = None
    namespaces: Selector | None = None
    pods: Selector | None = None
    cidr: str | None = None
    excepts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Port:
    """An entry of ``ports``, as written: ``last`` is its endPort."""

    protocol: str | None
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True)
class Rule:
    """A party that is None is left out of the object, and so are ports that are None."""

    action: str | None
    source: Party | None
    destination: Party | None
    ports: tuple[Port, ...] | None = None
    name: str | None = None


@dataclass(frozen=True)
class Policy:
    """``created`` is in seconds since 1970, ``default`` the defaultAction."""

    namespace: str
    name: str
    created: int | None
    rules: tuple[Rule, ...]
    terminating: bool = False
    malformed: bool = False
    default: str | None = None


@dataclass(frozen=True)
class Malformed:
    """An object of which nothing is known but its kind and name."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True)
class Cluster:
    """``malformed_offloadings`` are the namespaces with a NamespaceOffloading that cannot be read.

    ``firewall_fields`` are those of the installed CRD that chains need; None when the CRD is not among the objects.
    """

    namespaces: tuple[Namespace, ...] = ()
    nodes: tuple[Node, ...] = ()
    virtual_nodes: tuple[VirtualNode, ...] = ()
    networks: tuple[Network, ...] = ()
    configurations: tuple[Configuration, ...] = ()
    maps: tuple[NamespaceMap, ...] = ()
    offloadings: tuple[Offloading, ...] = ()
    malformed_offloadings: tuple[str, ...] = ()
    foreign_clusters: tuple[ForeignCluster, ...] = ()
    pods: tuple[Pod, ...] = ()
    policies: tuple[Policy, ...] = ()
    malformed: tuple[Malformed, ...] = ()
    firewall_fields: frozenset[str] | None = None
    services: tuple[Service, ...] = ()
    slices: tuple[Slice, ...] = ()


class Traffic(NamedTuple):
    """A flow to ask about: its addresses, the state of its connection, and its protocol and port.

    ``state`` is new or established, ``protocol`` tcp, udp, sctp, icmp or other; empty for all traffic between the two.
    """

    source: str
    destination: str
    state: str = "new"
    protocol: str = ""
    port: int = 0
