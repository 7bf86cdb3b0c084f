"""The names of rules: an index, where the rule comes from, and a hash of the rules before it."""

from collections.abc import Iterable
from typing import Any

import pytest

from liqo_connectivity.chains import Layout
from tests.support.chain_layouts import policy_relations
from tests.support.single_tables import elements, only

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
