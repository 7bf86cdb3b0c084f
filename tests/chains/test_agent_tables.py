"""Chains in the form of an agent: a packet of a connection has the verdict of its first packet, any other its own."""

import json
from dataclasses import replace
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liqo_connectivity.chains import (
    AGENT_PREFIX,
    AgentTable,
    Layout,
    agent_repair,
    agent_script,
    agent_trace,
    agent_transaction_json,
    agent_update,
    assemble_agent,
    view_listing,
    view_table,
)
from tests.support import nft
from tests.support.agent_verdict import agent_verdicts
from tests.support.chain_layouts import Relations, any_packets, policy_relations, random_relations
from tests.support.chain_verdict import Packet, layout_verdict
from tests.support.clusters import RENDERED, VERDICTS, base_of, layout, questions, shown, solve
from tests.support.manifests import objects
from tests.support.random_clusters import cluster
from tests.support.random_flows import flows
from tests.support.seeds import examples

VERDICT = {"allowed": "accept", "denied": "drop"}
CONNTRACK = {"packet-too-big": "invalid", "nd-neighbor-solicit": "untracked"}
"""What conntrack makes of a first packet of such a type: it tracks no neighbour discovery, and an error needs a cause."""


def tables_of(made: Relations) -> tuple[AgentTable, ...]:
    return assemble_agent(Layout.from_relations(made))


def expected(made: Relations, packet: Packet, connection: Packet | None) -> str:
    """The verdict of the tuples on a packet, or on the first packet of its connection."""
    if connection is None:
        return layout_verdict(made, replace(packet, state="untracked"))
    return layout_verdict(made, replace(connection, state=packet.state, icmp6=packet.icmp6))


def of_one_family(packet: Packet, connection: Packet) -> bool:
    return packet.ipv6 == connection.ipv6 and packet.state in ("new", "established", "related")


@settings(max_examples=examples(200), deadline=None)
@given(
    made=random_relations(nft=True),
    probes=st.lists(st.tuples(any_packets(), any_packets()), min_size=1, max_size=25),
)
def test_writers_agree_with_the_tuples(made: Relations, probes: list[tuple[Packet, Packet]]) -> None:
    transaction = json.loads(agent_transaction_json(tables_of(made)))["nftables"]
    for packet, connection in probes:
        assert agent_verdicts(transaction, packet, None) == {expected(made, packet, None)}
        if of_one_family(packet, connection):
            assert agent_verdicts(transaction, packet, connection) == {expected(made, packet, connection)}


@settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    made=random_relations(nft=True),
    probes=st.lists(st.tuples(any_packets(), any_packets()), min_size=1, max_size=50),
)
def test_the_kernel_holds_the_same_verdicts_after_loading_text_or_json(
    made: Relations, probes: list[tuple[Packet, Packet]]
) -> None:
    tables = tables_of(made)
    by_text = nft.load_script(agent_script(tables), agent_script(tables))
    by_json = nft.load_transaction(agent_transaction_json(tables))
    for packet, connection in probes:
        for listing in (by_text, by_json):
            assert agent_verdicts(listing, packet, None) == {expected(made, packet, None)}
            if of_one_family(packet, connection):
                assert agent_verdicts(listing, packet, connection) == {expected(made, packet, connection)}


@settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made=random_relations(nft=True), probes=st.lists(any_packets(), min_size=30, max_size=100))
def test_real_packets_of_every_protocol_meet_the_verdicts_of_the_tuples(made: Relations, probes: list[Packet]) -> None:
    first = [replace(packet, state=CONNTRACK.get(packet.icmp6, "new")) for packet in probes]
    answers = nft.send_first(agent_script(tables_of(made)), first)
    assert list(zip(first, answers, strict=True)) == [(packet, layout_verdict(made, packet)) for packet in first]


@settings(max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made=random_relations(nft=True))
def test_what_nft_lists_loads_again_and_is_the_same(made: Relations) -> None:
    """A node may keep its rules in a file that nft listed: one that does not load leaves the node without any."""
    # It prints a range with braces or without them, so the text may differ, and what it means may not.
    first, second = (
        view_listing(json.dumps({"nftables": listing}), AGENT_PREFIX)
        for listing in nft.listed_twice(agent_script(tables_of(made)))
    )
    assert first == second
    assert len(first) == sum(not table.is_empty for table in tables_of(made))


@settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(before=random_relations(nft=True), after=random_relations(nft=True))
def test_an_update_leads_to_the_same_as_the_whole_table(before: Relations, after: Relations) -> None:
    old, new = ({(each.family, each.name): each for each in tables_of(made)} for made in (before, after))
    updates = [script for key in old.keys() & new.keys() for script in agent_update(old[key], new[key])]
    updated = nft.load_script(agent_script(old.values()), *updates)
    wanted = {key: new.get(key, table) for key, table in old.items()}
    whole = nft.load_script(agent_script(wanted.values()))
    assert view_listing(json.dumps({"nftables": updated}), AGENT_PREFIX) == view_listing(
        json.dumps({"nftables": whole}), AGENT_PREFIX
    )


@settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(before=random_relations(nft=True), after=random_relations(nft=True))
def test_what_is_found_is_repaired_in_place(before: Relations, after: Relations) -> None:
    """Whatever is there by the name of a table; and no rule ever names a set of ports that is not there yet."""
    old, new = ({(each.family, each.name): each for each in tables_of(made)} for made in (before, after))
    keys = [key for key in old.keys() & new.keys() if not old[key].is_empty]
    repairs = {key: agent_repair(view_table(old[key]), new[key]) for key in keys}
    updated = nft.load_script(agent_script(old.values()), *(script for each in repairs.values() for script in each))
    whole = nft.load_script(agent_script({**old, **{key: new[key] for key in keys}}.values()))
    assert view_listing(json.dumps({"nftables": updated}), AGENT_PREFIX) == view_listing(
        json.dumps({"nftables": whole}), AGENT_PREFIX
    )
    assert not any("flags interval" in repairs[key][-1] for key in keys if not new[key].is_empty)


@settings(max_examples=examples(10), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made=random_relations(nft=True))
def test_a_trace_loads_and_drops_nothing(made: Relations) -> None:
    # A table with an owner goes with the process that loads it, so nothing could be listed.
    script = "".join(agent_trace(table, 64, denied=True) for table in tables_of(made)).replace("\tflags owner;\n", "")
    listed = nft.load_script(script)
    assert "drop" not in [name for rule in nft.objects(listed, "rule") for part in rule["expr"] for name in part]
    logs = [rule for rule in nft.objects(listed, "rule") if any("log" in part for part in rule["expr"])]
    assert len(logs) == 2 * sum(rule.verdict == "drop" for table in tables_of(made) for rule in table.rules)
    assert all(any("limit" in part for part in rule["expr"]) for rule in logs)


def test_other_tables_stay_and_an_emptied_table_goes() -> None:
    foreign = "table ip connectivity-milan {\n\tchain c {\n\t}\n}\n"
    made = tables_of(policy_relations([("drop", "vc-remote", "any")], {"vc-remote": ["10.71.0.9"]}))
    emptied = tuple(replace(each, table=replace(each.table, chains=(), sets=())) for each in made)
    for listing in (
        nft.load_script(foreign + agent_script(made), agent_script(emptied)),
        nft.load(("-f", foreign + agent_script(made)), ("-jf", agent_transaction_json(emptied))),
    ):
        assert [table["name"] for table in nft.objects(listing, "table")] == ["connectivity-milan"]


@settings(max_examples=examples(40), deadline=None)
@given(st.randoms(use_true_random=False))
def test_chains_do_what_the_verdicts_say(rng: Random) -> None:
    described = cluster(rng)
    asked = [flow for flow in flows(rng, described, 10) if flow.protocol]
    model = solve(base_of(objects(described)), (*VERDICTS, *RENDERED), questions(asked, agent=True))
    said = {(str(at), int(str(flow))): str(verdict) for at, flow, verdict in model.rows("peering_verdict")}
    for peering, part in layout(model).by_peering().items():
        transaction = json.loads(agent_transaction_json(assemble_agent(part)))["nftables"]
        for number, flow in enumerate(asked):
            verdict = said.get((peering, number), "allowed")
            first = Packet(flow.source, flow.destination, flow.state, flow.protocol, flow.port)
            reply = replace(first, source=first.destination, destination=first.source)
            if verdict != "unknown":
                for packet, connection in ((first, first), (reply, first), (first, None)):
                    told = agent_verdicts(transaction, packet, connection)
                    assert told == {VERDICT[verdict]}, f"{packet} of {connection}\n{shown(described)}"


def counters(made: Relations) -> list[str]:
    return sorted({name for table in tables_of(made) for name in table.counter_names})


def test_a_counter_keeps_its_name_while_its_rule_says_the_same() -> None:
    policy = [("accept", "vc-remote", "private-subnets"), ("drop", "any", "offloaded")]
    before = counters(policy_relations(policy, {"vc-remote": ["10.71.0.9"], "offloaded": []}))
    assert len(before) == 3 * 3, "two rules, and the one for established connections that a layout for nft has"
    assert counters(policy_relations(policy, {"vc-remote": [], "offloaded": ["10.1.0.9"]})) == before
    longer = counters(policy_relations([*policy, ("drop", "vc-local", "any")], {}))
    assert set(before) < set(longer)
    changed = counters(policy_relations([("drop", *policy[0][1:]), policy[1]], {}))
    assert len(set(before) - set(changed)) == 3, "another verdict is another rule"


def test_both_families_of_a_rule_have_counters_of_one_name() -> None:
    made = policy_relations([("drop", "vc-remote", "any")], {"vc-remote": ["10.71.0.9", "fd00:71::9"]})
    four, six = tables_of(made)
    assert four.counter_names == six.counter_names != []
