"""What a rule of a layout becomes: alternatives, exclusions, sets, shards and names, and what is refused."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqo_connectivity.chains import ChainError, Layout, Table, assemble, firewall_yaml, nft_script
from tests.support.chain_layouts import layout, one_rule, policy_relations, relations

ANY = [("milan", 0, "source"), ("milan", 0, "destination")]
TO_ANY = [("milan", 0, "destination")]


def rules(table: Table) -> list[str]:
    """The rules as nft text, without their names."""
    lines = nft_script([table]).splitlines()
    return [line.strip().rpartition(" comment ")[0] for line in lines if " comment " in line]


def only(whole: Layout) -> Table:
    (table,) = assemble(whole)
    return table


def elements(count: int, kind: str = "group", name: str = "vc-remote") -> list[tuple[str, str, str, str]]:
    return [("milan", kind, name, f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}") for i in range(count)]


def from_set(*parties: tuple[str, str], operator: str = "eq") -> list[tuple[Any, ...]]:
    return [("milan", 0, "source", operator, kind, name) for kind, name in parties]


# ---- Matches ----


def test_a_rule_for_any_address_on_both_sides_matches_everything() -> None:
    assert rules(only(one_rule(chain_any=ANY))) == ["accept"]


def test_equals_are_alternatives_in_order_and_every_pair_is_a_rule() -> None:
    whole = one_rule(
        chain_cidr=[
            ("milan", 0, "source", "eq", "192.168.0.0/16"),
            ("milan", 0, "source", "eq", "10.0.0.0/8"),
            ("milan", 0, "source", "eq", "9.0.0.0/8"),
            ("milan", 0, "destination", "eq", "10.1.0.0/16"),
        ],
        chain_set=[("milan", 0, "destination", "eq", "namespace", "web"), ("milan", 0, "source", "eq", "group", "a")],
    )
    sources = ["9.0.0.0/8", "10.0.0.0/8", "192.168.0.0/16", "@group.a.0"]
    destinations = ["10.1.0.0/16", "@namespace.web.0"]
    assert rules(only(whole)) == [
        f"ip saddr {one} ip daddr {other} accept" for one in sources for other in destinations
    ]


def test_cidrs_are_written_as_given_neither_merged_nor_dropped() -> None:
    cidrs = ["10.0.0.0/25", "10.0.0.128/25", "10.0.0.0/8"]
    whole = one_rule(chain_any=TO_ANY, chain_cidr=[("milan", 0, "source", "eq", cidr) for cidr in cidrs])
    assert rules(only(whole)) == [f"ip saddr {cidr} accept" for cidr in ("10.0.0.0/8", "10.0.0.0/25", "10.0.0.128/25")]


def test_unequals_must_all_hold() -> None:
    sides = ("source", "destination")
    whole = one_rule(
        chain_cidr=[("milan", 0, side, "neq", cidr) for side in sides for cidr in ("10.72.0.0/16", "10.71.0.0/16")],
        chain_set=[("milan", 0, side, "neq", "scope", "members") for side in sides],
        chain_element=[("milan", "scope", "members", "10.1.0.7")],
    )
    (rule,) = rules(only(whole))
    assert rule == (
        "ip saddr != 10.71.0.0/16 ip saddr != 10.72.0.0/16 ip saddr != @scope.members.0 "
        "ip daddr != 10.71.0.0/16 ip daddr != 10.72.0.0/16 ip daddr != @scope.members.0 accept"
    )


def test_every_shard_is_an_alternative_for_equal_and_a_condition_for_unequal() -> None:
    parts: dict[str, Iterable[tuple[Any, ...]]] = {"chain_any": TO_ANY, "chain_element": elements(4096)}
    equal = one_rule(**parts, chain_set=from_set(("group", "vc-remote")))
    assert rules(only(equal)) == ["ip saddr @group.vc_remote.0 accept", "ip saddr @group.vc_remote.1 accept"]
    unequal = one_rule(**parts, chain_set=from_set(("group", "vc-remote"), operator="neq"))
    assert rules(only(unequal)) == ["ip saddr != @group.vc_remote.0 ip saddr != @group.vc_remote.1 accept"]


@pytest.mark.parametrize("said", [[], TO_ANY, [("milan", 0, "source")]])
def test_a_side_that_says_nothing_matches_nothing_and_is_never_widened(said: list[tuple[Any, ...]]) -> None:
    assert rules(only(one_rule(chain_any=said))) == []


def test_a_connection_state_is_matched_alone_or_with_both_sides() -> None:
    states = [("milan", 0, "related"), ("milan", 0, "established")]
    assert rules(only(one_rule(chain_state=states))) == ["ct state established,related accept"]
    cidr = [("milan", 0, "source", "eq", "10.0.0.0/8")]
    assert rules(only(one_rule(chain_state=states, chain_cidr=cidr))) == []
    assert rules(only(one_rule(chain_state=states, chain_cidr=cidr, chain_any=TO_ANY))) == [
        "ct state established,related ip saddr 10.0.0.0/8 accept"
    ]


def test_a_rule_for_an_empty_set_is_written_and_one_for_all_but_its_elements_is_not() -> None:
    table = only(one_rule(chain_any=TO_ANY, chain_set=from_set(("group", "vc-remote"))))
    assert rules(table) == ["ip saddr @group.vc_remote.0 accept"]
    assert [(held.name, held.elements) for held in table.sets] == [("group.vc_remote.0", ())]
    outside = one_rule(
        chain_set=from_set(("scope", "members"), operator="neq"),
        chain_cidr=[("milan", 0, side, "neq", "10.71.0.0/16") for side in ("source", "destination")],
    )
    assert rules(only(outside)) == ["ip saddr != 10.71.0.0/16 ip daddr != 10.71.0.0/16 accept"]


def test_a_rule_that_only_excludes_empty_sets_is_refused_because_it_would_match_everything() -> None:
    sets = [("milan", 0, side, "neq", "scope", "members") for side in ("source", "destination")]
    with pytest.raises(ChainError, match="milan, rule 0 at position 0: it is for all but the elements of empty sets"):
        assemble(one_rule(chain_set=sets))


def test_rules_are_ordered_by_number_not_by_text() -> None:
    positions = [10, 9, 2, 100]
    whole = layout(
        base_chain=[("milan", "liqo-tenant-milan", "p")],
        chain_rule=[("milan", position, "rule", position, "drop") for position in positions],
        chain_any=[("milan", position, side) for position in positions for side in ("source", "destination")],
    )
    labels = [rule.name.split("-")[2] for rule in only(whole).chains[0].rules]
    assert labels == ["2", "9", "10", "100"]


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
    (group, scope) = only(Layout.from_relations(relation)).sets
    assert [str(element) for element in group.elements] == ["9.255.0.1", "10.0.0.9", "10.0.0.10", "100.0.0.1"]
    assert scope.elements == group.elements


names = st.from_regex(r"[a-z0-9-]{1,63}", fullmatch=True)


@given(st.sets(st.tuples(st.sampled_from(["group", "namespace", "scope"]), names), max_size=6))
def test_two_parties_never_share_a_set_name(parties: set[tuple[str, str]]) -> None:
    more = parties | {(kind, name.replace("-", "0")) for kind, name in parties} | {("scope", "members")}
    table = only(one_rule(chain_any=TO_ANY, chain_set=from_set(*more)))
    assert len({held.name for held in table.sets}) == len(more)


# ---- Names ----


def policy_names(*policy: tuple[str, str, str], members: Iterable[str] = ("10.71.0.9",)) -> list[str]:
    table = only(Layout.from_relations(policy_relations(policy, {"vc-remote": members, "offloaded": members})))
    return [rule.name for rule in table.chains[0].rules]


A, B, C = ("drop", "vc-remote", "any"), ("accept", "any", "local-cluster"), ("drop", "offloaded", "vc-remote")
NOTHING = ("drop", "nowhere", "any")


def test_names_say_index_origin_and_hash() -> None:
    found = policy_names(A, ("drop", "private-subnets", "any"))
    assert [name.rpartition("-")[0] for name in found] == [
        "r000-established",
        "r001-outside-scope",
        "r002-rule-0",
        "r003-rule-1",
        "r004-rule-1",
        "r005-rule-1",
    ]
    assert all(len(name.rpartition("-")[2]) == 12 for name in found)


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ([A, B], [C, A, B], 2),
        ([A, B], [A, C, B], 3),
        ([A, B], [A, B, C], 4),
        ([A, B, C], [B, C], 2),
        ([A, B], [B, A], 2),
        ([A, C, B], [A, ("drop", "vc-remote", "offloaded"), B], 3),
        ([A, B], [("accept", *A[1:]), B], 2),
        # a rule that is not written moves the label of A, and so must rename B behind it
        ([NOTHING, A, B], [A, NOTHING, B], 2),
    ],
)
def test_from_the_first_difference_on_every_name_is_new(before: Any, after: Any, kept: int) -> None:
    one, other = policy_names(*before), policy_names(*after)
    assert one[:kept] == other[:kept]
    assert not set(one[kept:]) & set(other[kept:])


def test_repeated_rules_have_different_names() -> None:
    found = policy_names(A, A, A)
    assert len(set(found)) == 5


def test_a_new_member_renames_nothing_and_a_new_shard_does() -> None:
    many = [address for _, _, _, address in elements(4095)]
    assert policy_names(A) == policy_names(A, members=["10.71.0.9", "10.71.0.10"]) == policy_names(A, members=many)
    assert policy_names(A) != policy_names(A, members=[*many, "11.0.0.1"])


# ---- Refusals ----

HOSTILE = [
    'x"; accept comment "y',
    "10.0.0.1\n",
    "10.0.0.1 }; flush ruleset",
    'include "/etc/passwd"',
    "localhost",
    "",
    "fd00::1",
    "::ffff:10.0.0.1",
    "10.0.0.300",
    "010.0.0.1",
    "10.0.0.1-10.0.0.9",
    "@group.vc_remote.0",
    "١٠.0.0.1",
]


@pytest.mark.parametrize("value", [*HOSTILE, "10.0.0.0/24"])
def test_what_is_not_an_address_is_refused_by_name(value: str) -> None:
    whole = one_rule(
        chain_any=TO_ANY,
        chain_set=from_set(("group", "vc-remote")),
        chain_element=[("milan", "group", "vc-remote", value)],
    )
    with pytest.raises(ChainError) as refusal:
        assemble(whole)
    assert f"peering milan, party 'group/vc-remote': {value!r} is not an IPv4 address" in str(refusal.value)


@pytest.mark.parametrize(
    "value", [*HOSTILE, "fd00::/8", "10.0.0.5/24", "10.0.0.0/255.0.0.0", "10.0.0.1", "10.0.0.0/33"]
)
@pytest.mark.parametrize("operator", ["eq", "neq"])
def test_what_is_not_a_canonical_cidr_is_refused_by_name(value: str, operator: str) -> None:
    with pytest.raises(ChainError) as refusal:
        assemble(one_rule(chain_any=TO_ANY, chain_cidr=[("milan", 0, "source", operator, value)]))
    assert str(refusal.value).startswith(f"peering milan, rule 0 at position 0, source: {value!r} is not ")


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
            "origin 'tail' is none of established, outside-scope, rule",
        ),
        ({"chain_state": [("milan", 0, "closed")]}, "connection state 'closed' is none of"),
        ({"chain_any": [("milan", 0, "src")]}, "side 'src' is none of source, destination"),
        ({"chain_set": from_set(("pod", "web"))}, "party kind 'pod' is none of group, namespace, scope"),
        ({"chain_set": from_set(("group", "web"), operator="=")}, "operator '=' is none of eq, neq"),
        ({"chain_any": [("milan", 7, "source")]}, "chain_any has a tuple for position 7, where there is no rule"),
        (
            {"chain_rule": [("milan", 0, "rule", 0, "drop"), ("milan", 0, "rule", 0, "accept")]},
            "more than one rule at position 0",
        ),
        ({"base_chain": [("milan", "ns", "ns/a"), ("milan", "ns", "ns/b")]}, "more than one base chain"),
    ],
)
def test_tuples_that_contradict_the_declarations_are_refused(rows: Any, message: str) -> None:
    with pytest.raises(ChainError, match=message) as refusal:
        assemble(one_rule(**rows))
    assert str(refusal.value).startswith("peering milan")


def test_a_chain_above_the_limit_is_refused_before_it_is_built() -> None:
    def product(sources: int, destinations: int) -> Layout:
        return one_rule(
            chain_cidr=[("milan", 0, "source", "eq", f"10.{i}.0.0/16") for i in range(sources)]
            + [("milan", 0, "destination", "eq", f"11.{i}.0.0/16") for i in range(destinations)]
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


def test_more_elements_than_an_object_holds_are_refused_not_truncated() -> None:
    def members(count: int) -> Layout:
        return one_rule(chain_any=TO_ANY, chain_set=from_set(("group", "vc-remote")), chain_element=elements(count))

    assert sum(len(held.elements) for held in only(members(60_000)).sets) == 60_000
    with pytest.raises(ChainError, match="peering milan: 60001 set elements, more than the 60000"):
        assemble(members(60_001))


def test_an_object_larger_than_can_be_stored_is_refused() -> None:
    large = [f"110.{100 + (i >> 14)}.{100 + (i >> 7 & 127)}.{100 + (i & 127)}" for i in range(58_000)]
    held = [("milan", "group", "vc-remote", address) for address in large]
    tables = assemble(one_rule(chain_any=TO_ANY, chain_set=from_set(("group", "vc-remote")), chain_element=held))
    with pytest.raises(
        ChainError, match=r"FirewallConfiguration \S+/milan-connectivity has .* bytes, more than the 1500000"
    ):
        firewall_yaml(tables)


def test_one_bad_peering_can_be_told_from_the_good_ones() -> None:
    relation = relations(base_chain=[("milan", "ns-milan", "p"), ("Rome", "ns-rome", "p")])
    parts = Layout.from_relations(relation).by_peering()
    assert [table.name for table in assemble(parts["milan"])] == ["connectivity-milan"]
    with pytest.raises(ChainError, match="peering 'Rome'"):
        assemble(parts["Rome"])
