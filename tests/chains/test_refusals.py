"""What cannot be written into a chain is refused, and the error names it."""

from bisect import bisect_right
from dataclasses import replace
from typing import Any

import pytest
import yaml

from liqo_connectivity.chains import ChainError, Layout, Table, assemble, firewall_yaml
from liqo_connectivity.chains.batch_size import ELEMENT, batch_bytes
from liqo_connectivity.chains.limits import MAX_BATCH_BYTES
from tests.support.chain_layouts import layout, one_rule, relations
from tests.support.single_tables import TO_ANY, elements, from_set, only, rules

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
def test_what_is_not_a_canonical_cidr_is_refused_by_name(value: str) -> None:
    with pytest.raises(ChainError) as refusal:
        assemble(one_rule(chain_any=TO_ANY, chain_cidr=[("milan", 0, "source", value)]))
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
            "origin 'tail' is none of established, rule",
        ),
        ({"chain_state": [("milan", 0, "closed")]}, "connection state 'closed' is none of"),
        ({"chain_any": [("milan", 0, "src")]}, "side 'src' is none of source, destination"),
        ({"chain_set": from_set(("pod", "web"))}, "party kind 'pod' is none of group, namespace, scope, scoped"),
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


def test_one_bad_peering_can_be_told_from_the_good_ones() -> None:
    relation = relations(base_chain=[("milan", "ns-milan", "p"), ("Rome", "ns-rome", "p")])
    parts = Layout.from_relations(relation).by_peering()
    assert [table.name for table in assemble(parts["milan"])] == ["connectivity-milan"]
    with pytest.raises(ChainError, match="peering 'Rome'"):
        assemble(parts["Rome"])
