"""200 namespaces and 60 CIDRs of the remote cluster, in the forms that policies have, fit into parts and load."""

import json
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from liqo_connectivity import chains
from tests.support import netlink_agent, nft
from tests.support.chain_verdict import Packet, configuration_verdict
from tests.support.clusters import RENDERED, VERDICTS, base_of, questions, solve, tables, verdicts
from tests.support.descriptions import Cluster, Party, Pod, Rule, Traffic
from tests.support.fitting import fit
from tests.support.large_clusters import large
from tests.support.manifests import objects

REMOTE, ANY = Party("remote-cluster"), None
NUMBERS = range(200)
INTO = [(REMOTE, Party(namespace=f"ns{number}")) for number in NUMBERS]
OUT_OF = [(party, remote) for remote, party in INTO]


def policy(ends: Sequence[tuple[Party | None, Party | None]], *actions: str, last: Rule | None = None) -> list[Rule]:
    """A rule for each pair of ends, with the actions in turn."""
    rules = [Rule(actions[number % len(actions)], *pair) for number, pair in enumerate(ends)]
    return rules if last is None else [*rules, last]


# Both directions: half of the namespaces may be reached, the others may reach the remote cluster.
BOTH = [(INTO if number % 4 < 2 else OUT_OF)[number] for number in NUMBERS]

FORMS: dict[str, tuple[list[Rule], str, dict[str, int]]] = {
    "allowed into namespaces": (policy(INTO, "allow", last=Rule("deny", REMOTE, ANY)), "allow", {"from-1": 6}),
    "allowed out of namespaces": (policy(OUT_OF, "allow", last=Rule("deny", ANY, REMOTE)), "allow", {"to-1": 6}),
    "denied into namespaces": (policy(INTO, "deny"), "allow", {"from-1": 5}),
    "denied into some, and the rest by default": (policy(INTO, "allow", "deny"), "deny", {"from-0": 66, "from-1": 6}),
    "out of namespaces, and the rest denied by default": (
        policy(OUT_OF, "allow"),
        "deny",
        {"to-0": 66, "to-1": 6},
    ),
    "allowed in both directions, and the rest denied by default": (
        policy(BOTH, "allow"),
        "deny",
        {"from-0-to-0": 9, "from-0-to-1": 9, "from-1-to-0": 9, "from-1-to-1": 10},
    ),
    "allowed and denied in both directions": (
        policy(BOTH, "allow", "deny"),
        "deny",
        {"from-0-to-0": 9, "from-0-to-1": 9, "from-1-to-0": 9, "from-1-to-1": 207},
    ),
}


def form(name: str, pods: int = 3) -> Cluster:
    """A cluster with the policy of a form, and ``pods`` pods in each namespace, one of them at the remote cluster."""
    rules, default, _ = FORMS[name]
    made = large(rules, len(NUMBERS), cidrs=60)
    more = [
        Pod(
            f"ns{number}",
            f"web-{pod}",
            "worker" if pod else "milan",
            addresses=(f"10.8.{100 + pod}.{number}" if pod else f"10.64.1.{number}",),
            shadow=None if pod else "true",
        )
        for number in NUMBERS
        for pod in range(pods - 1)
    ]
    return replace(made, pods=(*made.pods, *more), policies=(replace(made.policies[0], default=default),))


@pytest.mark.parametrize("name", FORMS)
def test_200_namespaces_and_60_cidrs_load(name: str) -> None:
    described = form(name)
    found = fit(described)
    assert found.wrong == ()
    assert (found.loaded, found.refused, found.split) == (1, 0, 1)
    rng = Random(name)
    places = ["10.64.0.9", "10.64.3.255", "10.64.236.7", "10.64.240.1", "172.18.0.11", "10.8.200.1"]
    places += [f"10.{place}.{rng.randrange(200)}" for place in ("8.0", "8.101", "64.1") for _ in range(12)]
    asked = [Traffic(rng.choice(places), rng.choice(places), "new") for _ in range(300)]
    model = solve(base_of(objects(described)), (*VERDICTS, *RENDERED), questions(asked))
    (table,) = tables(model)
    assert {chain.name: len(chain.rules) for chain in table.chains} == FORMS[name][2]
    written = [chains.firewall_object(table)]
    told = verdicts(model)
    for flow, verdict in zip(asked, told, strict=True):
        judged = configuration_verdict(written, Packet(flow.source, flow.destination))
        assert (verdict, judged) in (("allowed", "accept"), ("denied", "drop")), flow
    assert {"allowed", "denied"} == set(told)


def test_a_new_pod_changes_elements_only() -> None:
    """So the agents rewrite no rule."""
    before, after = (
        tables(solve(base_of(objects(form("denied into namespaces", pods))), RENDERED))[0] for pods in (2, 3)
    )
    assert before.chains == after.chains
    assert [held.name for held in before.sets] == [held.name for held in after.sets]
    assert before != after


def test_nothing_differs_from_what_a_kernel_or_the_api_server_has() -> None:
    """So ``drift`` reads back every match of a part, as the agent writes it and as nft does."""
    described = form("denied into some, and the rest by default")
    (table,) = tables(solve(base_of(objects(described)), RENDERED))
    spec = json.loads(chains.firewall_json([table]))["items"][0]["spec"]
    assert chains.differences(chains.view_table(table), chains.view_spec(spec)) == []
    (outcome,) = netlink_agent.applied([spec])
    for listing in (outcome["listing"], nft.load_script(chains.nft_script([table]))):
        (view,) = chains.view_listing(listed(listing)).values()
        assert chains.differences(chains.view_table(table), view) == []


def test_an_edit_into_parts_and_back_leaves_what_a_fresh_node_has() -> None:
    """Liqo's agent knows chains by their names: one that is no longer there goes, with its rules."""
    versions = [
        large(policy(INTO[:3], "allow"), 3, cidrs=60),
        form("denied into some, and the rest by default"),
        form("allowed in both directions, and the rest denied by default"),
        form("allowed into namespaces"),
        large(policy(OUT_OF[:3], "deny"), 3, cidrs=60),
    ]
    specs = [
        json.loads(chains.firewall_json(tables(solve(base_of(objects(each)), RENDERED))))["items"][0]["spec"]
        for each in versions
    ]
    assert [len(spec["table"]["chains"]) for spec in specs] == [1, 2, 4, 1, 1]
    for spec, outcome in zip(specs, netlink_agent.applied(specs), strict=True):
        assert outcome["errors"] == ["", ""]
        (alone,) = netlink_agent.applied([spec])
        left, fresh = (chains.view_listing(listed(each["listing"])) for each in (outcome, alone))
        assert left.keys() == fresh.keys()
        assert [chains.differences(view, left[place]) for place, view in fresh.items()] == [[]]


def listed(listing: nft.Listing) -> str:
    return json.dumps({"nftables": [{"metainfo": {}}, *without(listing)]})


def without(listing: nft.Listing) -> list[Any]:
    return [each for each in listing if "metainfo" not in each]
