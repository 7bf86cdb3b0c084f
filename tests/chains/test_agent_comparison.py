"""The chains of an agent are the same as rendered and as a kernel lists them, and nothing else is the same."""

import json
from random import Random

import pytest

from liqo_connectivity.chains import (
    AGENT_PREFIX,
    agent_script,
    agent_transaction_json,
    assemble_agent,
    differences,
    view_listing,
    view_table,
)
from liqo_connectivity.rules.relations import Enforcer
from tests.support import nft
from tests.support.chain_layouts import one_rule
from tests.support.clusters import RENDERED, base_of, layout, solve
from tests.support.manifests import objects
from tests.support.random_clusters import cluster
from tests.support.seeds import examples

TABLES = 20
"""How many clusters are drawn whose chains are loaded into a kernel."""


@pytest.mark.parametrize("first", range(0, examples(TABLES), 5))
def test_a_kernel_with_the_chains_of_an_agent_differs_in_nothing(first: int) -> None:
    for seed in range(first, first + 5):
        model = solve(base_of(objects(cluster(Random(seed)))), RENDERED, [Enforcer("agent")])
        tables = [table for table in assemble_agent(layout(model)) if not table.is_empty]
        for loaded in (
            nft.load_script(agent_script(tables)),
            nft.load_transaction(agent_transaction_json(tables)),
        ):
            listed = view_listing(json.dumps({"nftables": loaded}), AGENT_PREFIX)
            assert {view.key: differences(view, listed.get(view.key, view)) for view in map(view_table, tables)} == {
                view.key: [] for view in map(view_table, tables)
            }
            assert len(listed) == len(tables)


PORTS = [("milan", 0, "tcp", 80, 80), ("milan", 0, "tcp", 443, 450), ("milan", 0, "udp", 53, 53)]
AGENT = agent_script(
    assemble_agent(
        one_rule(
            chain_rule=[("milan", 0, "rule", 0, "drop")],
            chain_port=PORTS,
            chain_cidr=[("milan", 0, "source", "10.71.0.0/16"), ("milan", 0, "destination", "10.1.0.0/16")],
        )
    )
)
"""Chains of an agent with every kind of a match of a connection."""


@pytest.mark.parametrize(
    ("what", "in_its_place", "part"),
    [
        ("ct original ip saddr 10.71.0.0/16", "ip saddr 10.71.0.0/16", "rule"),
        ("ct original ip saddr 10.71.0.0/16", "ct reply ip saddr 10.71.0.0/16", "rule"),
        ("ct original ip saddr 10.71.0.0/16", "ct original ip daddr 10.71.0.0/16", "rule"),
        ("ct reply ip saddr 10.1.0.0/16", "", "rule"),
        ("ct protocol udp ct reply proto-src 53", "ct protocol udp", "rule"),
        ("ct protocol udp ct reply proto-src 53", "ct protocol udp ct original proto-dst 53", "rule"),
        ("ct protocol udp ct reply proto-src 53", "ct protocol udp ct reply proto-src 54", "rule"),
        ("ct state invalid,untracked goto packet", "ct state invalid goto packet", "rule"),
        ("ct state invalid,untracked goto packet", "ct state invalid,untracked goto connection", "rule"),
        ("\t\tgoto connection", "\t\taccept", "rule"),
        ("\t\t\t443-450,", "\t\t\t443-449,", "element"),
        ("hook input priority 0", "hook input priority 1", "chain"),
        ("hook input priority 0", "hook forward priority 0", "chain"),
        ("\tchain packet {", "\tchain packet {\n\t\taccept", "rule"),
        ("\tchain packet {", "\tcounter other {\n\t}\n\tchain packet {", "table"),
    ],
)
def test_a_change_of_the_chains_of_an_agent_is_seen(what: str, in_its_place: str, part: str) -> None:
    assert AGENT.count(what) >= 1
    wanted, found = (
        view_listing(json.dumps({"nftables": nft.load_script(script)}), AGENT_PREFIX)["ip", "lce-milan"]
        for script in (AGENT, AGENT.replace(what, in_its_place, 1))
    )
    assert differences(wanted, wanted) == []
    assert {each.part for each in differences(wanted, found)} == {part}
