"""What is not known is never guessed: a verdict that is known does not change once the missing becomes known.

Every network without a usable CIDR gets one, every object that could not be read becomes readable, every wrong policy
right, in a way that is drawn; whatever was allowed or denied before has to stay so.
"""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from random import Random

import pytest

from tests.support.addresses import Cidr, is_cidr, parsed, usable_cidr
from tests.support.clusters import base_of, example, questions, shown, solve, verdicts
from tests.support.descriptions import (
    Cluster,
    ForeignCluster,
    Malformed,
    Namespace,
    Network,
    Node,
    Offloading,
    Party,
    Pod,
    Policy,
    Requirement,
    Rule,
    VirtualNode,
)
from tests.support.draws import chance
from tests.support.interpreter import Meaning
from tests.support.manifests import objects
from tests.support.node_selectors import is_readable
from tests.support.policy_checks import beyond_liqo, is_unclear, is_valid
from tests.support.random_clusters import ASSIGNED, PEERINGS
from tests.support.random_labels import pod_labels
from tests.support.random_selectors import random_term

CLUSTERS, FLOWS, COMPLETIONS = 90, 30, 2
FREE = (*ASSIGNED, "203.0.113.0/24", "10.99.0.0/16", "8.8.8.0/24", "10.98.0.0/24", "10.97.0.0/24", "10.96.0.0/24")
LOCAL = "10.246.0.0/16"
PARTIES = (None, Party("offloaded"), Party("vc-remote"), Party("local-cluster"), Party(namespace="batch"))


def completed(rng: Random, described: Cluster, *, nft: bool) -> Cluster:
    """The cluster after all that was missing has become known, in one of the ways that are possible."""
    sound = [n for n in described.networks if not n.terminating and is_cidr(n.status)]
    kept: list[Network] = []
    taken: list[Cidr] = []
    for network in sorted(sound, key=lambda n: n.cluster is not None):
        cidr = usable_cidr(network.status)
        clashes = cidr is not None and any(cidr.overlaps(other) for other in taken)
        if not clashes:
            kept.append(network)
            taken += [cidr] if cidr else []
    names_internet = any(p and p.group == "internet" for p in _all_parties(described))
    free = [cidr for cidr in FREE if not any(ip_network(cidr).overlaps(other) for other in taken)]
    # That an address of the internet becomes a cluster's is news, and nothing that was missing.
    free = [cidr for cidr in free if not names_internet or not ip_network(cidr).is_global]
    rng.shuffle(free)
    missing = [network for network in described.networks if network not in kept]
    made = [replace(n, status=free.pop() if n.cluster else _local(n), terminating=False) for n in missing]
    networks = [*kept, *made]
    for one in described.malformed:
        owner = Meaning(described).places.get(one.namespace)
        if one.kind == "Network" and owner is not None:
            networks.append(Network(one.namespace, one.name, owner, "pod", "10.59.0.0/16", free.pop()))
    for configuration in described.configurations:
        for kind, asked in configuration.cidrs:
            if not any((n.cluster, n.kind, n.spec) == (configuration.cluster, kind, asked) for n in networks):
                name = f"n-{len(networks)}"
                networks.append(Network(configuration.namespace, name, configuration.cluster, kind, asked, free.pop()))
    for peering in (*PEERINGS, "nobody"):
        usable = [usable_cidr(n.status) for n in networks if n.cluster == peering and n.kind == "pod"]
        if free and not any(cidr and (nft or cidr.version == 4) for cidr in usable):
            place = next((n for n, p in Meaning(described).places.items() if p == peering), "later")
            networks.append(Network(place, f"n-{len(networks)}", peering, "pod", "10.244.0.0/16", free.pop()))
    nodes, pods = _placed(rng, described)
    return replace(
        described,
        namespaces=(*described.namespaces, *_namespaces_read(rng, described)),
        nodes=tuple(nodes),
        networks=tuple(networks),
        foreign_clusters=tuple(_settled(rng, described, foreign) for foreign in described.foreign_clusters),
        offloadings=tuple(_decided(rng, offloading) for offloading in _offloadings_read(rng, described)),
        malformed_offloadings=(),
        malformed=(),
        pods=tuple(pods),
        policies=tuple(_corrected(rng, policy, nft=nft) for policy in described.policies),
        firewall_fields=None,
    )


def _placed(rng: Random, described: Cluster) -> tuple[list[Node], list[Pod]]:
    """The nodes and pods once every node is known, as a physical or a virtual one."""
    nodes, meaning = list(described.nodes), Meaning(described)
    pods = [replace(pod, node=pod.node or "late", malformed=False) for pod in described.pods]
    named = {pod.node for pod in pods if pod.node} | {one.name for one in described.malformed if one.kind == "Node"}
    for name in sorted(named - {node.name for node in nodes}):
        if not meaning.clusters_of(Pod("", "", name)):
            owner = rng.choice((None, *PEERINGS))
            nodes.append(Node(name, owner is not None, owner))
    return nodes, pods


def _namespaces_read(rng: Random, described: Cluster) -> list[Namespace]:
    """The namespaces that could not be read: each may be anything that its name and content do not rule out."""
    meaning = Meaning(described)
    known = {namespace.name for namespace in described.namespaces} | {one.name for one in described.malformed}
    unlisted = sorted({pod.namespace for pod in described.pods} - known)
    found = [Namespace(name, labels=pod_labels(rng)) for name in unlisted]
    for one in described.malformed:
        if one.kind == "Namespace":
            claims = {None, meaning.places.get(one.name)} - meaning.given.keys()
            peering = rng.choice(sorted(claims, key=str))
            is_tenant = one.name in meaning.places and peering is not None
            found.append(Namespace(one.name, peering, tenant=is_tenant, labels=pod_labels(rng)))
    return found


def _settled(rng: Random, described: Cluster, foreign: ForeignCluster) -> ForeignCluster:
    """The ForeignCluster once it says which of several namespaces is the tenant's."""
    meaning = Meaning(described)
    if foreign.cluster not in meaning.contested:
        return foreign
    return replace(foreign, tenant=rng.choice(sorted(n for n, p in meaning.places.items() if p == foreign.cluster)))


def _offloadings_read(rng: Random, described: Cluster) -> list[Offloading]:
    unread = [
        Offloading(name, tuple(random_term(rng) for _ in range(rng.randint(0, 2))))
        for name in described.malformed_offloadings
    ]
    return [*described.offloadings, *unread]


def _decided(rng: Random, offloading: Offloading) -> Offloading:
    """The offloading once its user has corrected the terms that Kubernetes refuses."""
    bad = [term for term in offloading.terms if not is_readable(term)]
    kept = [term for term in offloading.terms if is_readable(term)]
    clusters = [Requirement("liqo.io/remote-cluster-id", "In", (rng.choice(PEERINGS),)) for _ in bad]
    return replace(offloading, terms=(*kept, *((one,) for one in clusters)))


def _local(network: Network) -> str:
    """The CIDR of this cluster once Liqo has taken it over."""
    return LOCAL if network.kind == "pod-cidr" else network.spec


def _all_parties(described: Cluster) -> Iterator[Party | None]:
    for policy in described.policies:
        for rule in policy.rules:
            yield from (rule.source, rule.destination)


def _corrected(rng: Random, policy: Policy, *, nft: bool) -> Policy:
    """The policy once it is right, and such that those who enforce it can match all of it."""

    def is_right(*rules: Rule) -> bool:
        corrected = replace(policy, rules=rules, malformed=False, default=None)
        return is_valid(corrected) and (nft or not beyond_liqo(corrected))

    if not policy.malformed and is_right(*policy.rules) and is_valid(policy):
        return policy
    rules = [replace(rule, name=None) for rule in policy.rules if is_right(rule) and not policy.malformed]
    if policy.malformed or chance(rng, 0.5):
        # What names a namespace widens the scope, so it can only have been meant where the scope is not known.
        parties = PARTIES if policy.malformed or is_unclear(policy) else PARTIES[:-1]
        rules.insert(0, Rule("deny", rng.choice(parties), rng.choice(parties)))
    return replace(policy, malformed=False, rules=tuple(rules), default=rng.choice((None, "deny")))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(2))
def test_a_known_verdict_stays_once_the_missing_is_known(part: int) -> None:
    known = changed = 0
    for seed in range(part, CLUSTERS, 2):
        described, asked = example(10_000 + seed, FLOWS)
        # What ports decide without a port stays unknown.
        asked = [flow for flow in asked if flow.protocol]
        put = questions(asked, nft=(nft := seed % 4 < 2))
        before = verdicts(solve(base_of(objects(described)), ["flow_verdict"], put))
        for number in range(COMPLETIONS):
            later = completed(Random(f"{seed} {number}"), described, nft=nft)
            model = solve(base_of(objects(later)), ["flow_verdict", "too_large", "peering", "network_ready"], put)
            # The Networks of a peering count only in its tenant namespace, and some clusters have them elsewhere.
            if model.rows("too_large") or len(model.rows("network_ready")) < len(model.rows("peering")):
                continue
            after = verdicts(model)
            meaning = Meaning(later, nft=nft)
            for flow, first, then in zip(asked, before, after, strict=True):
                unseen = meaning.is_out_of_sight(flow) or meaning.is_node_port(flow)
                if unseen or not meaning.is_written(parsed(flow.source)):
                    # Of what nodes do before any chain, and of what no chain matches, no object says more.
                    continue
                assert then != "unknown", f"seed {seed}, completion {number}, {flow}\n{shown(later)}"
                known += first != "unknown"
                changed += first == "unknown" and then != "allowed"
                told = f"seed {seed}, completion {number}, {flow}: {first}, then {then}"
                assert first in ("unknown", then), f"{told}\n{shown(described)}\n--- later\n{shown(later)}"
    # The property would hold of rules that know nothing, and says little where what was unknown is always allowed.
    assert known > 1000
    assert changed > 20


def test_a_shadow_pod_of_a_cluster_with_an_unreadable_network_may_be_a_member() -> None:
    """Its address may lie in the CIDR that could not be read: it is not known to be stale."""
    namespaces = [Namespace("shop"), *(Namespace(f"{p}-tenant", p, tenant=True) for p in ("milan", "naples"))]
    described = Cluster(
        namespaces=tuple(namespaces),
        virtual_nodes=(VirtualNode("naples-tenant", "naples", "naples"),),
        networks=(
            Network("liqo", "pod-cidr", None, "pod-cidr", "10.244.0.0/16", "10.244.0.0/16"),
            Network("milan-tenant", "pod", "milan", "pod", "10.244.0.0/16", "10.71.0.0/16"),
            Network("naples-tenant", "pod", "naples", "pod", "10.244.0.0/16", "10.72.0.0/16"),
        ),
        pods=(Pod("shop", "web-0", "naples", addresses=("10.73.0.7",), shadow="true"),),
        policies=(Policy("milan-tenant", "milan", None, (Rule("deny", Party(namespace="shop"), None),)),),
    )
    asked = [("10.73.0.7", "10.71.0.1", "new"), ("10.73.0.7", "10.244.0.1", "new")]

    def told(found: Cluster) -> list[str]:
        return verdicts(solve(base_of(objects(found)), ["flow_verdict"], questions(asked)))

    assert told(described) == ["allowed", "allowed"], "all Networks are known: the address is stale"
    network = Network("naples-tenant", "pod-2", "naples", "pod", "10.60.0.0/16", "10.73.0.0/16")
    assert told(replace(described, networks=(*described.networks, network))) == ["denied", "denied"]
    unread = Malformed("Network", "naples-tenant", "pod-2")
    assert told(replace(described, malformed=(unread,))) == ["unknown", "unknown"]
