"""Tuples become tables: matches, rules in order, and sets that the agent can install."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqo_connectivity.chains import Layout, assemble, assemble_nft
from tests.support.chain_layouts import layout, one_rule, policy_relations
from tests.support.single_tables import ANY, TO_ANY, elements, from_set, only, rules

# ---- Matches ----


def test_a_rule_for_any_address_on_both_sides_matches_everything() -> None:
    assert rules(only(one_rule(chain_any=ANY))) == ["accept"]


def test_matches_are_alternatives_in_order_and_every_pair_is_a_rule() -> None:
    whole = one_rule(
        chain_cidr=[
            ("milan", 0, "source", "192.168.0.0/16"),
            ("milan", 0, "source", "10.0.0.0/8"),
            ("milan", 0, "source", "9.0.0.0/8"),
            ("milan", 0, "destination", "10.1.0.0/16"),
        ],
        chain_set=[("milan", 0, "destination", "namespace", "web"), ("milan", 0, "source", "group", "a")],
    )
    sources = ["9.0.0.0/8", "10.0.0.0/8", "192.168.0.0/16", "@group.a.0"]
    destinations = ["10.1.0.0/16", "@namespace.web.0"]
    assert rules(only(whole)) == [
        f"ip saddr {one} ip daddr {other} accept" for one in sources for other in destinations
    ]


def test_cidrs_are_written_as_given_neither_merged_nor_dropped() -> None:
    cidrs = ["10.0.0.0/25", "10.0.0.128/25", "10.0.0.0/8"]
    whole = one_rule(chain_any=TO_ANY, chain_cidr=[("milan", 0, "source", cidr) for cidr in cidrs])
    assert rules(only(whole)) == [f"ip saddr {cidr} accept" for cidr in ("10.0.0.0/8", "10.0.0.0/25", "10.0.0.128/25")]


def test_every_shard_is_an_alternative() -> None:
    parts: dict[str, Iterable[tuple[Any, ...]]] = {"chain_any": TO_ANY, "chain_element": elements(4096)}
    whole = one_rule(**parts, chain_set=from_set(("group", "vc-remote")))
    assert rules(only(whole)) == ["ip saddr @group.vc_remote.0 accept", "ip saddr @group.vc_remote.1 accept"]


@pytest.mark.parametrize("said", [[], TO_ANY, [("milan", 0, "source")]])
def test_a_side_that_says_nothing_matches_nothing_and_is_never_widened(said: list[tuple[Any, ...]]) -> None:
    assert rules(only(one_rule(chain_any=said))) == []


def test_a_connection_state_is_matched_alone_or_with_both_sides() -> None:
    states = [("milan", 0, "related"), ("milan", 0, "established")]
    assert rules(only(one_rule(chain_state=states))) == ["ct state established,related accept"]
    cidr = [("milan", 0, "source", "10.0.0.0/8")]
    assert rules(only(one_rule(chain_state=states, chain_cidr=cidr))) == []
    assert rules(only(one_rule(chain_state=states, chain_cidr=cidr, chain_any=TO_ANY))) == [
        "ct state established,related ip saddr 10.0.0.0/8 accept"
    ]


def test_a_rule_for_an_empty_set_is_written() -> None:
    table = only(one_rule(chain_any=TO_ANY, chain_set=from_set(("group", "vc-remote"))))
    assert rules(table) == ["ip saddr @group.vc_remote.0 accept"]
    assert [(held.name, held.elements) for held in table.sets] == [("group.vc_remote.0", ())]


def test_rules_are_ordered_by_number_not_by_text() -> None:
    positions = [10, 9, 2, 100]
    whole = layout(
        base_chain=[("milan", "liqo-tenant-milan", "p")],
        chain_rule=[("milan", position, "rule", position, "drop") for position in positions],
        chain_any=[("milan", position, side) for position in positions for side in ("source", "destination")],
    )
    labels = [rule.name.split("-")[2] for rule in only(whole).chains[0].rules]
    assert labels == ["2", "9", "10", "100"]


# ---- Ports ----

PORTS = [("milan", 0, *port) for port in (("tcp", 443, 443), ("udp", 0, 65535), ("tcp", 80, 90), ("tcp", 85, 95))]


def test_each_range_of_ports_is_a_rule_for_the_agents_and_each_protocol_one_for_nft() -> None:
    cidrs = [("milan", 0, "source", "10.0.0.0/8"), ("milan", 0, "source", "12.0.0.0/8")]
    whole = one_rule(chain_any=TO_ANY, chain_cidr=cidrs, chain_port=PORTS)
    assert rules(only(whole)) == [
        f"ip saddr {cidr} {port} accept"
        for cidr in ("10.0.0.0/8", "12.0.0.0/8")
        for port in ("tcp dport 80-90", "tcp dport 85-95", "tcp dport 443", "meta l4proto udp")
    ]
    ip, _ = assemble_nft(whole)
    assert rules(ip) == [
        "ip saddr { 10.0.0.0/8, 12.0.0.0/8 } tcp dport { 80-95, 443 } accept",
        "ip saddr { 10.0.0.0/8, 12.0.0.0/8 } meta l4proto udp accept",
    ]


def test_all_ports_of_a_protocol_are_no_port_whatever_else_is_given() -> None:
    ports = [("milan", 0, "tcp", 443, 443), ("milan", 0, "tcp", 0, 500), ("milan", 0, "tcp", 501, 65535)]
    ip, _ = assemble_nft(one_rule(chain_any=ANY, chain_port=ports))
    assert rules(ip) == ["meta l4proto tcp accept"]


def test_a_hundred_ports_and_fifty_cidrs_are_one_rule_of_nft_for_each_protocol_and_family() -> None:
    cidrs = [f"10.{2 * number}.0.0/16" for number in range(50)] + [
        f"fd00:{2 * number:x}::/32" for number in range(1, 51)
    ]
    ports = [(protocol, 2 * number, 2 * number) for number in range(50) for protocol in ("tcp", "udp")]
    whole = one_rule(
        chain_any=TO_ANY,
        chain_cidr=[("milan", 0, "source", cidr) for cidr in cidrs],
        chain_port=[("milan", 0, *port) for port in ports],
    )
    for table in assemble_nft(whole):
        held = rules(table)
        assert len(held) == 2
        for rule, protocol in zip(held, ("tcp", "udp"), strict=True):
            assert rule.count("/") == 50
            assert f"{protocol} dport {{ 0, 2, 4," in rule


# ---- Families ----


def test_each_family_has_its_cidrs_elements_and_icmp() -> None:
    whole = one_rule(
        chain_rule=[("milan", -1, "neighbours", 0, "accept"), ("milan", 0, "rule", 0, "drop")],
        chain_icmp6=[("milan", -1, "packet-too-big"), ("milan", -1, "nd-neighbor-solicit")],
        chain_cidr=[("milan", 0, "source", cidr) for cidr in ("10.0.0.0/9", "10.128.0.0/9", "fd00::/8")],
        chain_set=[("milan", 0, "destination", "group", "vc-remote")],
        chain_element=[("milan", "group", "vc-remote", address) for address in ("fd00::b", "10.0.0.1", "fd00::a")],
        chain_port=[("milan", 0, "icmp", 0, 65535)],
    )
    ip, ip6 = assemble_nft(whole)
    assert rules(ip) == ["ip saddr 10.0.0.0/8 ip daddr @group.vc_remote.0 meta l4proto icmp drop"]
    assert rules(ip6) == [
        "icmpv6 type { nd-neighbor-solicit, packet-too-big } accept",
        "ip6 saddr fd00::/8 ip6 daddr @group.vc_remote.0 meta l4proto icmpv6 drop",
    ]
    assert [[str(element) for held in table.sets for element in held.elements] for table in (ip, ip6)] == [
        ["10.0.0.1"],
        ["fd00::a", "fd00::b"],
    ]
    labels = [rule.name.rpartition("-")[0] for rule in ip6.chains[0].rules]
    assert labels == ["r000-neighbours", "r001-rule-0"]


@pytest.mark.parametrize(
    ("rows", "needed"),
    [
        ({"chain_any": ANY}, False),
        ({"chain_any": ANY, "chain_rule": [("milan", 0, "default", 0, "drop")]}, True),
        ({"chain_state": [("milan", 0, "new")], "chain_rule": [("milan", 0, "rule", 0, "drop")]}, True),
        ({"chain_any": TO_ANY, "chain_cidr": [("milan", 0, "source", "10.0.0.0/8")]}, False),
        ({"chain_any": TO_ANY, "chain_cidr": [("milan", 0, "source", "fd00::/8")]}, True),
        ({"chain_set": from_set(("group", "a")), "chain_element": [("milan", "group", "a", "fd00::1")]}, True),
        ({"chain_any": ANY, "chain_element": [("milan", "group", "a", "fd00::1")]}, False),
        ({"chain_icmp6": [("milan", 0, "packet-too-big")]}, False),
    ],
)
def test_the_table_of_ip6_is_empty_where_nothing_is_of_ipv6(rows: Any, needed: bool) -> None:
    ip, ip6 = assemble_nft(one_rule(**rows))
    assert (ip.family, ip6.family) == ("ip", "ip6")
    assert ip.chains
    assert bool(ip6.chains) == needed


# ---- Tables and sets ----


def test_one_table_for_each_peering_sorted() -> None:
    peerings = ["rome-2", "10x", "milan"]
    tables = assemble(layout(base_chain=[(peering, f"ns-{peering}", f"ns-{peering}/p") for peering in peerings]))
    assert [(table.name, table.namespace) for table in tables] == [
        ("connectivity-10x", "ns-10x"),
        ("connectivity-milan", "ns-milan"),
        ("connectivity-rome-2", "ns-rome-2"),
    ]


def test_only_parties_that_a_rule_names_get_a_set() -> None:
    whole = one_rule(
        chain_any=TO_ANY,
        chain_set=from_set(("group", "vc-remote"), ("namespace", "my-app")),
        chain_element=[*elements(1), *elements(1, name="offloaded"), *elements(2, "namespace", "my-app")],
    )
    assert {held.name: len(held.elements) for held in only(whole).sets} == {
        "group.vc_remote.0": 1,
        "namespace.my_app.0": 2,
    }


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(0, [0]), (1, [1]), (4095, [4095]), (4096, [4095, 1]), (5000, [4095, 905]), (8191, [4095, 4095, 1])],
)
def test_no_set_holds_more_than_the_agent_can_install(count: int, sizes: list[int]) -> None:
    table = only(one_rule(chain_any=TO_ANY, chain_set=from_set(("group", "vc-remote")), chain_element=elements(count)))
    assert [len(held.elements) for held in table.sets] == sizes
    assert [held.name for held in table.sets] == [f"group.vc_remote.{shard}" for shard in range(len(sizes))]
    addresses = [str(element) for held in table.sets for element in held.elements]
    assert addresses == [address for _, _, _, address in elements(count)]


def test_elements_are_in_numeric_order_and_once() -> None:
    given_addresses = ["10.0.0.10", "10.0.0.9", "9.255.0.1", "100.0.0.1"]
    relation = policy_relations([("drop", "vc-remote", "any")], {"vc-remote": [*given_addresses, "10.0.0.9"]})
    (group,) = only(Layout.from_relations(relation)).sets
    assert [str(element) for element in group.elements] == ["9.255.0.1", "10.0.0.9", "10.0.0.10", "100.0.0.1"]


def test_a_selection_of_pods_has_a_set_whatever_its_name() -> None:
    selected = ("pods", 'offloaded|shop||app="x; flush ruleset",tier notin (a,b)')
    table = only(one_rule(chain_any=TO_ANY, chain_set=from_set(selected, ("pods", ""))))
    assert {held.name for held in table.sets} == {
        f"pods.{sha256(name.encode()).hexdigest()[:16]}.0" for name in ("", selected[1])
    }


names = st.from_regex(r"[a-z0-9-]{1,63}", fullmatch=True)


@given(st.sets(st.tuples(st.sampled_from(["group", "namespace", "scope"]), names), max_size=6))
def test_two_parties_never_share_a_set_name(parties: set[tuple[str, str]]) -> None:
    more = parties | {(kind, name.replace("-", "0")) for kind, name in parties} | {("scope", "members")}
    table = only(one_rule(chain_any=TO_ANY, chain_set=from_set(*more)))
    assert len({held.name for held in table.sets}) == len(more)
