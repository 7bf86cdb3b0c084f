"""Every writer gives every packet the verdict of the layout's tuples, judged by evaluators that share no code with it."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import liqo_connectivity.chains.sets as chain_sets
from liqo_connectivity.chains import (
    Layout,
    Table,
    assemble,
    assemble_nft,
    firewall_object,
    firewall_yaml,
    nft_script,
    nft_transaction_json,
)
from liqo_connectivity.chains.batch_size import batch_bytes
from tests.support import netlink_agent, nft
from tests.support.chain_layouts import ADDRESSES, Relations, any_packets, packets, random_relations, relations
from tests.support.chain_verdict import Packet, configuration_verdict, layout_verdict, nft_verdict
from tests.support.liqo_webhook import admit
from tests.support.seeds import examples


def tables_of(made: Relations) -> tuple[Table, ...]:
    return assemble(Layout.from_relations(made))


def nft_tables_of(made: Relations) -> tuple[Table, ...]:
    return assemble_nft(Layout.from_relations(made))


@pytest.mark.parametrize("shard", [4095, 2])
@settings(max_examples=examples(300), deadline=None)
@given(made=random_relations(), probes=st.lists(packets, min_size=1, max_size=25))
def test_writers_agree_with_the_tuples(shard: int, made: Relations, probes: list[Packet]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        # small shards, so that a group of the small universe needs several
        patch.setattr(chain_sets, "MAX_SET_ELEMENTS", shard)
        tables, compact = tables_of(made), nft_tables_of(made)
    configurations = list(yaml.load_all(firewall_yaml(tables), Loader=yaml.CSafeLoader))
    transactions = [json.loads(nft_transaction_json(each))["nftables"] for each in (tables, compact)]
    for configuration in configurations:
        admit(configuration, configurations)
    for packet in probes:
        expected = layout_verdict(made, packet)
        assert configuration_verdict(configurations, packet) == expected
        assert [nft_verdict(transaction, packet) for transaction in transactions] == [expected] * 2


@pytest.mark.parametrize("shard", [4095, 2])
@settings(max_examples=examples(150), deadline=None)
@given(made=random_relations(nft=True), probes=st.lists(any_packets(), min_size=1, max_size=25))
def test_writers_for_nft_agree_with_the_tuples(shard: int, made: Relations, probes: list[Packet]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain_sets, "MAX_SET_ELEMENTS", shard)
        transaction = json.loads(nft_transaction_json(nft_tables_of(made)))["nftables"]
    for packet in probes:
        assert nft_verdict(transaction, packet) == layout_verdict(made, packet)


@pytest.mark.parametrize("shard", [4095, 2])
@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made=random_relations(nft=True), probes=st.lists(any_packets(), min_size=1, max_size=50))
def test_the_kernel_holds_the_same_verdicts_after_loading_text_or_json(
    shard: int, made: Relations, probes: list[Packet]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain_sets, "MAX_SET_ELEMENTS", shard)
        tables = nft_tables_of(made)
    by_text = nft.load_script(nft_script(tables))
    by_json = nft.load_transaction(nft_transaction_json(tables))
    for packet in probes:
        expected = layout_verdict(made, packet)
        assert nft_verdict(by_text, packet) == expected
        assert nft_verdict(by_json, packet) == expected


@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    made=random_relations(),
    probes=st.lists(any_packets(families=1), min_size=1, max_size=50),
    flows=st.lists(st.tuples(st.sampled_from(ADDRESSES), st.sampled_from(ADDRESSES)), min_size=20, max_size=60),
)
def test_what_the_agent_installs_and_replies_meet_the_verdicts_of_the_tuples(
    made: Relations, probes: list[Packet], flows: Sequence[tuple[str, str]]
) -> None:
    script = nft_script(tables_of(made))
    by_nft = nft.load_script(script)
    by_agent: nft.Listing = []
    for table in tables_of(made):
        spec = firewall_object(table)["spec"]
        assert len(netlink_agent.installed(spec["table"])) <= batch_bytes(table)
        (outcome,) = netlink_agent.applied([spec])
        assert outcome["errors"] == ["", ""]
        by_agent += outcome["listing"]
    for packet in probes:
        expected = layout_verdict(made, packet)
        assert [nft_verdict(listing, packet) for listing in (by_nft, by_agent)] == [expected] * 2
    answers = nft.send(script, flows)
    for number, ((source, destination), (first, reply)) in enumerate(zip(flows, answers, strict=True)):
        assert first == layout_verdict(made, Packet(source, destination, "new", "udp", 40000 + number))
        if reply is not None:
            assert reply == layout_verdict(made, Packet(destination, source, "established", "udp", 20000 + number))


CONNTRACK = {"packet-too-big": "invalid", "nd-neighbor-solicit": "untracked"}
"""What conntrack makes of a first packet of such a type: it tracks no neighbour discovery, and an error needs a cause."""


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made=random_relations(nft=True), probes=st.lists(any_packets(), min_size=30, max_size=100))
def test_real_packets_of_every_protocol_meet_the_verdicts_of_the_tuples(made: Relations, probes: list[Packet]) -> None:
    first = [replace(packet, state=CONNTRACK.get(packet.icmp6, "new")) for packet in probes]
    answers = nft.send_first(nft_script(nft_tables_of(made)), first)
    assert list(zip(first, answers, strict=True)) == [(packet, layout_verdict(made, packet)) for packet in first]


def test_the_evaluators_tell_a_wider_rule_from_the_right_one() -> None:
    """The property is worth something only if its judges see the mistakes that matter."""
    made = relations(
        base_chain=[("milan", "liqo-tenant-milan", "p")],
        chain_rule=[("milan", 0, "rule", 0, "drop")],
        chain_cidr=[("milan", 0, "source", "10.0.0.0/28"), ("milan", 0, "destination", "192.0.2.0/24")],
    )
    narrow, reverse = Packet("10.0.0.1", "192.0.2.1"), Packet("192.0.2.1", "10.0.0.1")
    assert (layout_verdict(made, narrow), layout_verdict(made, reverse)) == ("drop", "accept")
    (document,) = yaml.load_all(firewall_yaml(tables_of(made)), Loader=yaml.CSafeLoader)
    (rule,) = document["spec"]["table"]["chains"][0]["rules"]["filterRules"]
    for damage in (rule["match"].clear, lambda: rule.update(action="accept")):
        damage()
        verdicts = (configuration_verdict([document], narrow), configuration_verdict([document], reverse))
        assert verdicts != ("drop", "accept")
