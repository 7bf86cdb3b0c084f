"""What an agent makes of two watches: what was published, never anything else, however they run and break off."""

from copy import deepcopy
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from liqo_connectivity.chains import CHAIN, SLICE, AgentTable
from liqo_connectivity.operator.agent.desired.cache import PublishedCache
from liqo_connectivity.operator.controller.writing.chain_publisher import ChainPublisher
from liqo_connectivity.operator.kube.errors import Unreachable
from tests.chains.test_publishing import POLICY, edited, tables
from tests.controller.test_chain_publisher import KEY, NOBODY, owner, published
from tests.support.published_api import PublishedApi
from tests.support.seeds import examples

State = tuple[AgentTable, ...]
KINDS = (CHAIN, SLICE)


def history(rng: Random) -> tuple[PublishedApi, list[State]]:
    """What happened at an API server, and the tables that were to be seen, in order: none where there was no chain."""
    api, now = PublishedApi(), [1.7e9]
    members, policy = NOBODY, POLICY
    states: list[State] = [()]

    def fault() -> None:
        if rng.random() < 0.05:
            raise Unreachable("no answer")

    api.fault = fault
    for _ in range(rng.randint(3, 12)):
        # Revisions are milliseconds: who deletes a chain and makes it again takes longer.
        now[0] += 1 + rng.random() * 3
        publisher = ChainPublisher(api, lambda: now[0])
        if rng.random() < 0.1:
            members, wanted = NOBODY, None
        else:
            members = edited(rng, members)
            policy = rng.sample(POLICY, rng.randint(1, 3)) if rng.random() < 0.2 else policy
            wanted = tables(policy, members)
        states.append(wanted or ())
        while True:
            try:
                publisher.publish(wanted, owner()) if wanted else publisher.withdraw(*KEY)
                break
            except Unreachable:
                continue
    return api, states


class Watches:
    """The watches of an agent on what happened: each shows its kind in order, and may have to list: never older things."""

    def __init__(self, rng: Random, api: PublishedApi) -> None:
        self.cache = PublishedCache()
        self._rng = rng
        self._events = {kind: [each for each in api.events if each[1]["kind"] == kind] for kind in KINDS}
        self._at: dict[str, int] = dict.fromkeys(KINDS, 0)

    @property
    def are_done(self) -> bool:
        return all(self._at[kind] == len(self._events[kind]) for kind in KINDS)

    def list(self, kind: str, at: int) -> None:
        """Take over what there was after so many events."""
        held: dict[str, Any] = {}
        for event, found in self._events[kind][:at]:
            name = found["metadata"]["name"]
            held.pop(name, None) if event == "DELETED" else held.update({name: found})
        objects = list(held.values())
        self._rng.shuffle(objects)
        self.cache.replace(kind, deepcopy(objects))
        self._at[kind] = at

    def step(self) -> None:
        """The next thing that happens on one of the watches."""
        kind = self._rng.choice(KINDS)
        at, end = self._at[kind], len(self._events[kind])
        chance = self._rng.random()
        if chance < 0.05:
            self.list(kind, self._rng.randint(at, end))
        elif chance < 0.1 and at:
            # The same again: a watch goes on after the last version that it showed, so nothing older comes.
            self._show(kind, at - 1)
        elif at < end:
            self._show(kind, at)
            self._at[kind] = at + 1

    def _show(self, kind: str, at: int) -> None:
        for event, found in self._events[kind][at : at + 1]:
            (self.cache.remove if event == "DELETED" else self.cache.change)(kind, deepcopy(found))


@settings(max_examples=examples(60), deadline=None)
@given(st.randoms(use_true_random=False))
def test_only_what_was_published_is_seen_and_in_its_order(rng: Random) -> None:
    api, states = history(rng)
    watches = Watches(rng, api)
    assert watches.cache.complete() is None
    watches.list(CHAIN, 0)
    assert watches.cache.complete() is None, "slices alone and chains alone say nothing"
    watches.list(SLICE, 0)
    reached = 0
    while not watches.are_done:
        watches.step()
        found = watches.cache.complete()
        assert found is not None
        if not found.problems:
            later = [at for at, state in enumerate(states) if at >= reached and state == found.tables]
            assert later, "a state that was never published, or an earlier one"
            reached = later[0]
        else:
            assert found.tables == ()
            assert set(found.problems) == {"milan"}, "it has a chain, which stays as it was applied"
    last = watches.cache.complete()
    assert last is not None
    assert (last.tables, last.problems) == (states[-1], {})


def listed(api: PublishedApi) -> PublishedCache:
    cache = PublishedCache()
    for kind in KINDS:
        cache.replace(kind, [each for each in api.objects() if each["kind"] == kind])
    return cache


def problem(cache: PublishedCache) -> str:
    found = cache.complete()
    assert found is not None
    assert found.tables == ()
    return found.problems["milan"]


def test_an_unreadable_object_is_a_problem_until_it_is_right() -> None:
    api, _ = published({**NOBODY, "vc-remote": {"10.71.0.1"}})
    wanted = tables(POLICY, {**NOBODY, "vc-remote": {"10.71.0.1"}})
    for kind in KINDS:
        cache = listed(api)
        (found,) = (each for each in api.objects() if each["kind"] == kind)
        cache.change(kind, {**found, "spec": {**found["spec"], "surplus": 1}})
        assert f"{kind} liqo-tenant-milan/" in problem(cache)
        assert "unknown field 'surplus'" in problem(cache)
        cache.change(kind, found)
        complete = cache.complete()
        assert complete is not None
        assert complete.tables == wanted


def test_a_missing_slice_is_named() -> None:
    api, _ = published({**NOBODY, "vc-remote": {"10.71.0.1"}})
    cache = listed(api)
    cache.replace(SLICE, [])
    assert problem(cache) == ("ConnectivitySetSlices are missing: milan-1700000000000-0 at revision 1700000000000")


def test_of_two_chains_of_one_peering_the_one_in_use_stays_in_use() -> None:
    api, _ = published({**NOBODY, "vc-remote": {"10.71.0.1"}})
    other = deepcopy(api.objects())
    for each in other:
        each["metadata"]["namespace"] = "elsewhere"
    both = PublishedCache()
    both.replace(CHAIN, [each for each in [*other, *api.objects()] if each["kind"] == CHAIN])
    both.replace(SLICE, [each for each in [*other, *api.objects()] if each["kind"] == SLICE])
    assert "are of one peering; delete one of them" in problem(both)
    one = listed(api)
    before = one.complete()
    for each in other:
        one.change(each["kind"], each)
    after = one.complete()
    assert before is not None
    assert after is not None
    assert after.tables == before.tables
    assert set(after.problems) == {"milan"}
    for each in api.objects():
        one.remove(each["kind"], each)
    moved = one.complete()
    assert moved is not None
    assert [each.namespace for each in moved.tables] == ["elsewhere"] * 2
