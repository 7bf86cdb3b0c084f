"""Denies that could match what no peering owns: real packets of the scope are dropped, and no others."""

from dataclasses import replace
from functools import cache

import pytest

from liqo_connectivity import chains
from liqo_connectivity.engine import Program, evaluate
from liqo_connectivity.rules.program import load
from tests.support import nft
from tests.support.clusters import RENDERED, VERDICTS, base_of, facts_with, questions, tables, verdicts
from tests.support.descriptions import Network, Party, Pod, Policy, Rule
from tests.support.large_clusters import large
from tests.support.manifests import objects

OWN_GROUPS = """
// Pods of one namespace, some of which the peering owns, and single addresses.
member(Peering, "own-pods", Address) :- peering(Peering), pod(Pod, "ns1"), live_local(Pod, Address).
member(Peering, "own-pods", "10.8.0.0") :- peering(Peering).
member(Peering, "own-pods", "10.64.0.1") :- peering(Peering).
member(Peering, "own-pods", "fd00::1") :- peering(Peering).
// CIDRs around, inside and beside the remote ones.
member_cidr(Peering, "own-cidrs", "10.64.0.0/14"),
member_cidr(Peering, "own-cidrs", "10.8.0.0/31"),
member_cidr(Peering, "own-cidrs", "172.18.0.0/16") :- peering(Peering).
member_cidr(Peering, "inside", "10.64.1.0/24") :- peering(Peering).
// Both kinds of members.
member(Peering, "both", "172.18.0.11") :- peering(Peering).
member_cidr(Peering, "both", "10.64.0.0/23") :- peering(Peering).
"""
NODES, DNS, SERVICE, HOST, THIRD = ("172.18.0.11", "172.18.0.12"), "10.8.9.9", "10.96.0.10", "192.0.2.7", "10.64.8.1"
ADDRESSES = (
    *NODES, DNS, SERVICE, HOST, THIRD,
    # ns0 is offloaded to the peering, ns1 and ns2 are not; a shadow pod, and a remote address without a pod
    "10.8.0.0", "10.8.0.1", "10.8.0.2", "10.64.0.1", "10.64.1.77", "10.200.0.5",
)  # fmt: skip
"""Of the peering are the remote CIDRs 10.64.0.0/22, 10.64.4.0/22 and 10.200.0.0/24, and the pod of ns0."""
OWNED = {"10.8.0.0", "10.64.0.1", "10.64.1.77", "10.200.0.5"}
PARTIES = ("any", "local-cluster", "private-subnets", "own-pods", "own-cidrs", "inside", "both")


def party(name: str) -> Party | None:
    return None if name == "any" else Party(group=name)


@cache
def program() -> Program:
    return load({"own.dl": OWN_GROUPS}).slice((*VERDICTS, *RENDERED))


def told(rules: list[Rule]) -> tuple[list[str], list[str], set[str]]:
    """The verdicts of the rules and of the kernel on all pairs of addresses, and the sets of the chain."""
    cluster = large(rules, 3, cidrs=2)
    external = Network("liqo-tenant-milan", "external", "milan", "external", "10.70.0.0/16", "10.200.0.0/24")
    shadow = Pod("away", "there", "milan", addresses=("10.64.0.1",), shadow="true")
    policy = Policy("liqo-tenant-milan", "policy", None, tuple(rules))
    cluster = replace(cluster, networks=(*cluster.networks, external), pods=(*cluster.pods, shadow), policies=(policy,))
    flows = [(one, other) for one in ADDRESSES for other in ADDRESSES if one != other]
    facts = facts_with(base_of(objects(cluster)), questions([(*flow, "new") for flow in flows]))
    model = evaluate(program(), facts)
    found = tables(model)
    said = ["drop" if verdict == "denied" else "accept" for verdict in verdicts(model)]
    sent = [first for first, _ in nft.send(chains.nft_script(found), flows)]
    named = {rule.destination.namespace for rule in rules if rule.destination}
    owned = OWNED | ({"10.8.0.2"} if "ns2" in named else set())
    outside = [verdict for (one, other), verdict in zip(flows, said, strict=True) if not owned & {one, other}]
    assert set(outside) == {"accept"}
    return said, sent, {held.name for table in found for held in table.sets}


@pytest.mark.parametrize("source", PARTIES)
def test_what_a_deny_drops_is_what_the_verdict_denies(source: str) -> None:
    dropped = 0
    for destination in PARTIES:
        said, sent, _ = told([Rule("deny", party(source), party(destination))])
        assert sent == said, (source, destination)
        dropped += said.count("drop")
    assert dropped > 20


def test_order_among_allows_and_anchored_denies_is_kept() -> None:
    rules = [
        Rule("deny", party("inside"), None),
        Rule("allow", party("private-subnets"), party("own-pods")),
        Rule("deny", party("private-subnets"), party("own-cidrs")),
        Rule("allow", None, Party(namespace="ns2")),
        Rule("deny", None, None),
    ]
    for start in range(len(rules)):
        said, sent, _ = told(rules[start:] + rules[:start])
        assert sent == said
        assert {"drop", "accept"} == set(said)


def test_a_deny_inside_the_scope_needs_no_anchor() -> None:
    for inside in (Party("remote-cluster"), Party("vc-local"), Party("inside"), Party(namespace="ns2")):
        said, sent, sets = told([Rule("deny", party("private-subnets"), inside)])
        assert sent == said
        assert "drop" in said
        assert not {name for name in sets if name.startswith("scope")}
