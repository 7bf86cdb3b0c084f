"""A change of what is published: one slice for one address, and no mixture of versions for any node at any moment."""

from collections.abc import Mapping, Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liqo_connectivity.chains import (
    AgentTable,
    ChainError,
    Incomplete,
    Layout,
    Publication,
    PublishedChain,
    PublishedObjects,
    SetSlice,
    assemble_agent,
    publication,
)
from liqo_connectivity.chains.limits import MAX_SLICE_ADDRESSES
from tests.support.chain_layouts import GROUPS, PolicyRule, policy_relations
from tests.support.seeds import examples

Pair = tuple[AgentTable, AgentTable]
Members = dict[str, set[str]]
POLICY: Sequence[PolicyRule] = [
    ("accept", "vc-remote", "vc-local"),
    ("drop", "offloaded", "any"),
    ("drop", "any", "vc-remote"),
]
UNIVERSE = [f"10.71.{at >> 8}.{at & 255}" for at in range(700)] + [f"fd00:71::{at:x}" for at in range(1, 100)]


def tables(policy: Sequence[PolicyRule], members: Mapping[str, set[str]]) -> Pair:
    four, six = assemble_agent(Layout.from_relations(policy_relations(policy, members)))
    return four, six


def shown(publication: Publication) -> object:
    """The tables that a node makes of all that is published."""
    return seen(publication.chain, publication.slices)


def seen(chain: PublishedChain, slices: Sequence[SetSlice]) -> object:
    key = chain.namespace, chain.peering
    held = {(each.namespace, each.name): each for each in slices}
    return PublishedObjects({key: chain}, held).tables(key)


def edited(rng: Random, members: Members) -> Members:
    """Members after an event: of one pod mostly, sometimes of many."""
    made = {group: set(held) for group, held in members.items()}
    for address in rng.sample(UNIVERSE, rng.choice((1, 1, 1, 2, 5, 60, 300))):
        wanted = rng.sample(GROUPS, rng.choice((0, 1, 1, 2, 3)))
        for group in GROUPS:
            (made[group].add if group in wanted else made[group].discard)(address)
    return made


def check_no_mixture(before: Publication, after: Publication) -> None:
    """A node sees the writes to slices in their order, and those to chains in theirs; how far with each is any mixture of both."""
    old = {each.name: each for each in before.slices}
    new = {each.name: each for each in after.slices}
    written = [name for name in new if old.get(name) != new[name]]
    gone = [name for name in old if name not in new]
    good = (shown(before), shown(after))
    held = dict(old)
    for write in [None, *written, *gone]:
        if write is not None and write in new:
            held[write] = new[write]
        elif write is not None:
            del held[write]
        for chain in (before.chain, after.chain):
            found = seen(chain, list(held.values()))
            assert isinstance(found, Incomplete) or found in good
    assert seen(after.chain, list(held.values())) == good[1]


@settings(max_examples=examples(60), deadline=None)
@given(st.randoms(use_true_random=False))
def test_no_node_sees_a_mixture_of_two_publications(rng: Random) -> None:
    policy = POLICY
    members: Members = {group: set() for group in GROUPS}
    last = publication(tables(policy, members), 1)
    for revision in range(2, 12):
        members = edited(rng, members)
        if rng.random() < 0.2:
            policy = rng.sample(POLICY, rng.randint(1, 3))
        wanted = tables(policy, members)
        made = publication(wanted, revision, last)
        assert shown(made) == wanted
        assert all(len(each.members) <= MAX_SLICE_ADDRESSES for each in made.slices)
        addresses = [address for each in made.slices for address in each.members]
        assert len(addresses) == len(set(addresses))
        assert [each.reference.name for each in made.slices] == [each.name for each in made.chain.slices]
        check_no_mixture(last, made)
        assert publication(wanted, revision + 1, made) is made, "nothing is written again"
        last = made


@settings(max_examples=examples(60), deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_change_of_one_address_is_one_write_of_one_slice(rng: Random) -> None:
    members: Members = {group: set(rng.sample(UNIVERSE, rng.randint(20, 400))) for group in GROUPS}
    last = publication(tables(POLICY, members), 1)
    for revision in range(2, 22):
        address = rng.choice(UNIVERSE)
        for group in GROUPS:
            (members[group].add if rng.random() < 0.5 else members[group].discard)(address)
        made = publication(tables(POLICY, members), revision, last)
        has_room = any(len(each.members) < MAX_SLICE_ADDRESSES for each in last.slices)
        assert has_room, "new slices have some"
        assert made.chain is last.chain
        pairs = list(zip(last.slices, made.slices, strict=True))
        changed = [(old, new) for old, new in pairs if old != new]
        assert len(changed) == (made is not last)
        for old, new in changed:
            assert (old.name, new.revision) == (new.name, revision)
        last = made


def test_without_room_the_address_has_a_new_slice_and_the_others_stay() -> None:
    members: Members = {"vc-remote": set(UNIVERSE[:96]), "vc-local": set(), "offloaded": set()}
    last = publication(tables(POLICY, members), 1)
    assert [len(each.members) for each in last.slices] == [96]
    for revision, address in enumerate(UNIVERSE[96:128], start=2):
        members["vc-remote"].add(address)
        last = publication(tables(POLICY, members), revision, last)
    assert [(each.name, len(each.members), each.revision) for each in last.slices] == [("milan-1-0", 128, 33)]
    members["vc-remote"].add(UNIVERSE[128])
    made = publication(tables(POLICY, members), 99, last)
    assert [(each.name, len(each.members)) for each in made.slices] == [("milan-1-0", 128), ("milan-99-0", 1)]
    assert (made.slices[0], made.chain.revision) == (last.slices[0], 99)


def test_slices_that_have_become_small_are_joined_when_the_chain_is_written_anyway() -> None:
    members: Members = {"vc-remote": set(UNIVERSE[:600]), "vc-local": set(), "offloaded": set()}
    last = publication(tables(POLICY, members), 1)
    assert len(last.slices) == 7
    members["vc-remote"] = set(UNIVERSE[:600:20])
    made = publication(tables(POLICY, members), 2, last)
    assert [(each.name, len(each.members)) for each in made.slices] == [("milan-2-0", 30)]


def test_an_edit_of_the_policy_leaves_the_slices_alone_unless_it_needs_other_sets() -> None:
    members: Members = {"vc-remote": set(UNIVERSE[:200]), "vc-local": set(UNIVERSE[200:300]), "offloaded": set()}
    last = publication(tables(POLICY, members), 1)
    made = publication(tables([*POLICY, ("drop", "vc-local", "nowhere")], members), 2, last)
    assert made.slices == last.slices
    assert made.chain.revision == 2
    without = publication(tables([("drop", "vc-remote", "any")], members), 3, made)
    assert {name for each in without.slices for names in each.members.values() for name in names} == {
        "group.vc_remote.0"
    }
    check_no_mixture(made, without)


def test_a_revision_that_is_not_greater_is_refused() -> None:
    members: Members = {"vc-remote": set(UNIVERSE[:2]), "vc-local": set(), "offloaded": set()}
    last = publication(tables(POLICY, members), 5)
    members["vc-remote"].add(UNIVERSE[3])
    for policy in (POLICY, POLICY[:2]):
        with pytest.raises(ChainError, match="revision 5 is not greater than 5"):
            publication(tables(policy, members), 5, last)
