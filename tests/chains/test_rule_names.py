"""The names of rules: an index, where the rule comes from, and a hash of the rules before it."""

from collections.abc import Iterable
from typing import Any

import pytest

from liqo_connectivity.chains import Layout
from tests.support.chain_layouts import one_rule, policy_relations
from tests.support.single_tables import ANY, elements, only

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
        "r001-rule-0",
        "r002-rule-1",
        "r003-rule-1",
        "r004-rule-1",
    ]
    assert all(len(name.rpartition("-")[2]) == 12 for name in found)


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ([A, B], [C, A, B], 1),
        ([A, B], [A, C, B], 2),
        ([A, B], [A, B, C], 3),
        ([A, B, C], [B, C], 1),
        ([A, B], [B, A], 1),
        ([A, C, B], [A, ("drop", "vc-remote", "offloaded"), B], 2),
        ([A, B], [("accept", *A[1:]), B], 1),
        # a rule that is not written moves the label of A, and so must rename B behind it
        ([NOTHING, A, B], [A, NOTHING, B], 1),
    ],
)
def test_from_the_first_difference_on_every_name_is_new(before: Any, after: Any, kept: int) -> None:
    one, other = policy_names(*before), policy_names(*after)
    assert one[:kept] == other[:kept]
    assert not set(one[kept:]) & set(other[kept:])


def test_repeated_rules_have_different_names() -> None:
    found = policy_names(A, A, A)
    assert len(set(found)) == 4


def test_a_new_member_renames_nothing_and_a_new_shard_does() -> None:
    many = [address for _, _, _, address in elements(4095)]
    assert policy_names(A) == policy_names(A, members=["10.71.0.9", "10.71.0.10"]) == policy_names(A, members=many)
    assert policy_names(A) != policy_names(A, members=[*many, "11.0.0.1"])


def test_a_rule_that_differs_by_its_ports_has_another_name() -> None:
    found: set[str] = set()
    for ports in ([], [("tcp", 80, 80)], [("tcp", 80, 81)], [("udp", 80, 80)], [("tcp", 0, 65535)]):
        table = only(one_rule(chain_any=ANY, chain_port=[("milan", 0, *port) for port in ports]))
        found |= {rule.name for rule in table.chains[0].rules}
    assert len(found) == 5


def test_the_default_action_has_a_name_without_a_number() -> None:
    (rule,) = only(one_rule(chain_rule=[("milan", 0, "default", 0, "drop")], chain_any=ANY)).chains[0].rules
    assert rule.name.rpartition("-")[0] == "r000-default"
