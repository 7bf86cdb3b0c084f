"""What cannot be written into a chain is refused, and the error names it."""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import pytest
import yaml

from liqo_connectivity.chains import (
    ChainError,
    Layout,
    Table,
    assemble,
    assemble_nft,
    batch_size,
    firewall_object,
    firewall_yaml,
    nft_script,
)
from liqo_connectivity.chains.batch_size import ELEMENT, batch_bytes
from liqo_connectivity.chains.limits import MAX_BATCH_BYTES
from tests.support import netlink_agent, nft
from tests.support.chain_layouts import layout, one_rule, relations
from tests.support.single_tables import ANY, TO_ANY, elements, from_set, only, rules

Encoding: TypeAlias = Callable[[Layout], tuple[Table, ...]]

# ---- Refusals ----

HOSTILE = [
    'x"; accept comment "y',
    "10.0.0.1\n",
    "10.0.0.1 }; flush ruleset",
    'include "/etc/passwd"',
    "localhost",
    "",
    "fd00::1 accept",
    "FD00::1",
    "fd00:0::1",
    "fe80::1%eth0",
    "fe80::1%};flush ruleset",
    "::ffff:10.0.0.1",
    "::ffff:a00:1",
    "10.0.0.300",
    "010.0.0.1",
    "10.0.0.1-10.0.0.9",
    "@group.vc_remote.0",
    "١٠.0.0.1",
]


ENCODINGS = (assemble, assemble_nft)


@pytest.mark.parametrize("encode", ENCODINGS)
@pytest.mark.parametrize("value", [*HOSTILE, "10.0.0.0/24", "fd00::/64"])
def test_what_is_not_an_address_is_refused_by_name(value: str, encode: Encoding) -> None:
    whole = one_rule(
        chain_any=TO_ANY,
        chain_set=from_set(("group", "vc-remote")),
        chain_element=[("milan", "group", "vc-remote", value)],
    )
    with pytest.raises(ChainError) as refusal:
        encode(whole)
    assert f"peering milan, party 'group/vc-remote': {value!r} is not an IP address" in str(refusal.value)


WRONG_CIDRS = [
    "10.0.0.5/24",
    "10.0.0.0/255.0.0.0",
    "10.0.0.1",
    "10.0.0.0/33",
    "fd00::1",
    "fd00::1/64",
    "FD00::/8",
    "fd00:0::/8",
    "fe80::%eth0/64",
    "fe80::%1/64",
    "fd00::/129",
]


@pytest.mark.parametrize("encode", ENCODINGS)
@pytest.mark.parametrize("value", [*HOSTILE, *WRONG_CIDRS])
def test_what_is_not_a_canonical_cidr_is_refused_by_name(value: str, encode: Encoding) -> None:
    with pytest.raises(ChainError) as refusal:
        encode(one_rule(chain_any=TO_ANY, chain_cidr=[("milan", 0, "source", value)]))
    assert str(refusal.value).startswith(f"peering milan, rule 0 at position 0, source: {value!r} is not ")


LIQO_CANNOT: dict[str, tuple[dict[str, Any], str]] = {
    "an IPv6 CIDR": ({"chain_cidr": [("milan", 0, "source", "fd00::/8")]}, "'fd00::/8' is not an IPv4 CIDR"),
    "an IPv6 element": (
        {
            "chain_set": from_set(("group", "vc-remote")),
            "chain_element": [*elements(1), ("milan", "group", "vc-remote", "fd00::1")],
        },
        "party 'group/vc-remote': 'fd00::1' is not an IPv4 address",
    ),
    "SCTP": ({"chain_any": ANY, "chain_port": [("milan", 0, "sctp", 80, 80)]}, "protocol sctp is none of tcp, udp"),
    "ICMP": ({"chain_any": ANY, "chain_port": [("milan", 0, "icmp", 0, 65535)]}, "protocol icmp is none of tcp, udp"),
    "neighbours": ({"chain_icmp6": [("milan", 0, "nd-redirect")]}, "it matches ICMPv6"),
}


@pytest.mark.parametrize("what", LIQO_CANNOT)
def test_what_the_agents_of_liqo_cannot_match_is_refused_for_them_only(what: str) -> None:
    rows, message = LIQO_CANNOT[what]
    whole = one_rule(**({"chain_any": TO_ANY} | rows if what != "neighbours" else rows))
    with pytest.raises(ChainError, match=message) as refusal:
        assemble(whole)
    assert str(refusal.value).startswith("peering milan")
    for table in assemble_nft(whole):
        assert nft_script([table])
        if table.family == "ip6" or what in ("SCTP", "ICMP"):
            with pytest.raises(ChainError, match="Liqo's agents"):
                firewall_yaml([table])


def test_several_cidrs_or_ports_of_one_rule_are_refused_for_the_agents_of_liqo() -> None:
    for rows in (
        {"chain_cidr": [("milan", 0, "source", "10.0.0.0/8"), ("milan", 0, "source", "12.0.0.0/8")]},
        {"chain_any": ANY, "chain_port": [("milan", 0, "tcp", 80, 80), ("milan", 0, "tcp", 443, 443)]},
    ):
        table, _ = assemble_nft(one_rule(**({"chain_any": TO_ANY} | rows)))
        with pytest.raises(ChainError, match=r"rule r000-rule-0-\w+: Liqo's agents cannot match"):
            firewall_yaml([table])


@pytest.mark.parametrize("name", ["", "a.b", "a_b", "Web", "x" * 64, "web\n", "};", "@a", "é", 'a"b'])
def test_a_party_that_cannot_name_a_set_is_refused(name: str) -> None:
    with pytest.raises(ChainError, match=r"peering milan, party 'namespace/.*cannot name a set") as refusal:
        assemble(one_rule(chain_any=TO_ANY, chain_set=from_set(("namespace", name))))
    assert repr(name) in str(refusal.value)


@pytest.mark.parametrize(
    "peering", ["", "-milan", "milan-", "Milan", "mi.lan", "mi lan", "milan\n", "x" * 52, "a;b", "é"]
)
def test_a_peering_that_is_not_a_cluster_id_is_refused(peering: str) -> None:
    with pytest.raises(ChainError, match="not a Liqo cluster id"):
        assemble(layout(base_chain=[(peering, "liqo-tenant-milan", "p")]))


def test_a_namespace_that_cannot_exist_is_refused() -> None:
    with pytest.raises(ChainError, match=r"peering milan: 'Tenant\\n' is not the name of a namespace"):
        assemble(layout(base_chain=[("milan", "Tenant\n", "p")]))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"chain_rule": [("milan", 0, "rule", 0, "reject")]}, "verdict 'reject' is none of accept, drop"),
        (
            {"chain_rule": [("milan", 0, "tail", 0, "drop")]},
            "origin 'tail' is none of established, neighbours, guard, rule, default",
        ),
        ({"chain_state": [("milan", 0, "closed")]}, "connection state 'closed' is none of"),
        ({"chain_any": [("milan", 0, "src")]}, "side 'src' is none of source, destination"),
        (
            {"chain_set": from_set(("pod", "web"))},
            "party kind 'pod' is none of block, gathered, group, namespace, pods, scope, scoped",
        ),
        ({"chain_port": [("milan", 0, "TCP", 80, 80)]}, "protocol 'TCP' is none of icmp, sctp, tcp, udp"),
        ({"chain_port": [("milan", 0, "tcp", 80, 79)]}, "tcp has no ports 80 to 79"),
        ({"chain_port": [("milan", 0, "tcp", -1, 79)]}, "tcp has no ports -1 to 79"),
        ({"chain_port": [("milan", 0, "udp", 80, 65536)]}, "udp has no ports 80 to 65536"),
        ({"chain_port": [("milan", 0, "icmp", 0, 80)]}, "icmp has no ports 0 to 80"),
        (
            {"chain_port": [("milan", 7, "tcp", 80, 80)]},
            "chain_port has a tuple for position 7, where there is no rule",
        ),
        ({"chain_icmp6": [("milan", 7, "nd-redirect")]}, "chain_icmp6 has a tuple for position 7"),
        ({"chain_icmp6": [("milan", 0, "133 accept")]}, "ICMPv6 type '133 accept' is none of destination-unreachable"),
        ({"chain_any": [("milan", 7, "source")]}, "chain_any has a tuple for position 7, where there is no rule"),
        (
            {"chain_rule": [("milan", 0, "rule", 0, "drop"), ("milan", 0, "rule", 0, "accept")]},
            "more than one rule at position 0",
        ),
        ({"base_chain": [("milan", "ns", "ns/a"), ("milan", "ns", "ns/b")]}, "more than one base chain"),
    ],
)
def test_tuples_that_contradict_the_declarations_are_refused(rows: Any, message: str) -> None:
    for encode in ENCODINGS:
        with pytest.raises(ChainError, match=message) as refusal:
            encode(one_rule(**rows))
        assert str(refusal.value).startswith("peering milan")


def test_a_chain_above_the_limit_is_refused_before_it_is_built() -> None:
    def product(sources: int, destinations: int) -> Layout:
        return one_rule(
            chain_cidr=[("milan", 0, "source", f"10.{i}.0.0/16") for i in range(sources)]
            + [("milan", 0, "destination", f"11.{i}.0.0/16") for i in range(destinations)]
        )

    assert len(rules(only(product(50, 20)))) == 1000
    full = product(50, 20)
    one_more = replace(
        full,
        chain_rule=(*full.chain_rule, ("milan", 1, "rule", 1, "drop")),
        chain_any=(("milan", 1, "destination"), ("milan", 1, "source")),
    )
    with pytest.raises(ChainError, match=r"rule 1 at position 1: .* bring the chain to 1001 rules"):
        assemble(one_more)
    with pytest.raises(ChainError, match="its 91 sources by 11 destinations bring the chain to 1001 rules"):
        assemble(product(91, 11))
    ports = [("milan", 0, "tcp", 2 * number, 2 * number) for number in range(11)]
    with pytest.raises(ChainError, match="its 13 sources by 7 destinations by 11 ports bring the chain to 1001 rules"):
        assemble(replace(product(13, 7), chain_port=tuple(ports)))


def test_a_batch_that_the_agent_cannot_send_is_refused_not_truncated() -> None:
    def members(count: int) -> Table:
        held = one_rule(chain_any=TO_ANY, chain_set=from_set(("group", "vc-remote")), chain_element=elements(count))
        return only(held)

    sizes = range(1, 20_000)
    most = sizes[bisect_right(sizes, MAX_BATCH_BYTES, key=lambda count: batch_bytes(members(count))) - 1]
    assert MAX_BATCH_BYTES - batch_bytes(members(most)) < ELEMENT
    (made,) = yaml.load_all(firewall_yaml([members(most)]), Loader=yaml.CSafeLoader)
    assert sum(len(held["elements"]) for held in made["spec"]["table"]["sets"]) == most
    with pytest.raises(ChainError, match=r"FirewallConfiguration \S+/milan-connectivity takes .* more than the 212960"):
        firewall_yaml([members(most + 1)])


@pytest.mark.parametrize(("width", "each"), [(0, batch_size.PORT_MATCH), (1, batch_size.RANGE_MATCH)])
def test_as_many_ports_as_fit_are_installed_and_one_more_is_refused(width: int, each: int) -> None:
    def ports(count: int) -> Table:
        held = [("milan", 0, "tcp", 3 * number, 3 * number + width) for number in range(count)]
        return only(one_rule(chain_any=ANY, chain_port=held))

    sizes = range(1, 1_000)
    most = sizes[bisect_right(sizes, MAX_BATCH_BYTES, key=lambda count: batch_bytes(ports(count))) - 1]
    name = 4 + len("connectivity-milan") + 2
    assert MAX_BATCH_BYTES - batch_bytes(ports(most)) < batch_size.RULE + name + batch_size.PROTOCOL_MATCH + each
    spec = firewall_object(ports(most))["spec"]
    sent = netlink_agent.installed(spec["table"])
    assert len(sent) <= batch_bytes(ports(most))
    (outcome,) = netlink_agent.applied([spec])
    assert outcome["errors"] == ["", ""]
    assert len(nft.objects(outcome["listing"], "rule")) == most
    with pytest.raises(ChainError, match=r"takes .* more than the 212960"):
        firewall_object(ports(most + 1))


def test_one_bad_peering_can_be_told_from_the_good_ones() -> None:
    relation = relations(base_chain=[("milan", "ns-milan", "p"), ("Rome", "ns-rome", "p")])
    parts = Layout.from_relations(relation).by_peering()
    assert [table.name for table in assemble(parts["milan"])] == ["connectivity-milan"]
    with pytest.raises(ChainError, match="peering 'Rome'"):
        assemble(parts["Rome"])
