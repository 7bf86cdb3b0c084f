"""How fast writes follow each other: so many a second whatever there is to write, a few at once after a rest."""

from itertools import pairwise
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import FIREWALL, POLICY
from liqo_connectivity.operator.controller.reconcile.rate_limiter import SAVED, RateLimiter
from liqo_connectivity.operator.controller.reconcile.reconciler import Reconciler
from liqo_connectivity.operator.controller.reconcile.work_queue import WorkQueue
from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.controller.state.state import Changes

RATE = 20


def at_once(pace: RateLimiter, now: float) -> int:
    """How often it may be done at a moment."""
    times = 0
    while pace.ready() <= now:
        pace.spend(now)
        times += 1
    return times


def test_the_first_is_at_once_and_a_few_more() -> None:
    assert at_once(RateLimiter(RATE), 100.0) == pytest.approx(RATE * SAVED, abs=1)


def test_a_rest_saves_up_for_a_moment_only() -> None:
    pace = RateLimiter(RATE)
    first = at_once(pace, 0.0)
    assert at_once(pace, 0.01) == 0
    assert at_once(pace, SAVED / 2) == pytest.approx(RATE * SAVED / 2, abs=1)
    assert at_once(pace, 1000.0) <= first


@given(st.lists(st.floats(0.0, 0.3), min_size=1, max_size=200))
def test_no_second_has_more_than_the_rate_and_what_was_saved(waits: list[float]) -> None:
    pace, now, done = RateLimiter(RATE), 0.0, list[float]()
    for wait in waits:
        now += wait
        done += [now] * at_once(pace, now)
    for begin in done:
        assert sum(begin <= each < begin + 1.0 for each in done) <= RATE * (1.0 + SAVED) + 2


class Peerings:
    """As much of the turns as an agenda asks for: a FirewallConfiguration of each peering, and nothing about policies."""

    def __init__(self, count: int) -> None:
        self.problems: dict[ObjectKey, str] = {}
        self.keys = {f"p{number}": ObjectKey(FIREWALL, f"t{number}", "c") for number in range(count)}

    def firewalls_of(self, peerings: dict[str, int]) -> dict[ObjectKey, int]:
        return {self.keys[peering]: count for peering, count in peerings.items()}

    def policy_of(self, firewall: ObjectKey) -> ObjectKey:
        return ObjectKey(POLICY, firewall.namespace, "guard")

    def everything(self) -> tuple[set[ObjectKey], set[ObjectKey]]:
        return set(self.keys.values()), {self.policy_of(key) for key in self.keys.values()}


def agenda_of(peerings: Peerings, settings: Settings) -> WorkQueue:
    return WorkQueue(cast("Reconciler", peerings), settings)


def written(agenda: WorkQueue, peerings: Peerings, seconds: float) -> dict[ObjectKey, list[float]]:
    """When each object is written while all of them change all the time."""
    found: dict[ObjectKey, list[float]] = {key: [] for key in peerings.keys.values()}
    for number in range(int(seconds * 100)):
        now = number / 100
        agenda.mark(Changes({f"p{number % len(found)}": 1}), now)
        while (key := agenda.take_firewall(now)) is not None:
            found[key].append(now)
            agenda.wrote(key, now)
    return found


def test_objects_that_change_all_the_time_share_the_rate() -> None:
    peerings = Peerings(20)
    agenda = agenda_of(peerings, Settings(write_rate=30))
    found = written(agenda, peerings, 20.0)
    assert sum(map(len, found.values())) == pytest.approx(20 * 30, rel=0.05)
    for times in found.values():
        assert max(after - before for before, after in pairwise(times)) <= 20 / 30 + 0.25, "none is forgotten"


def test_few_objects_are_written_as_if_there_were_no_rate() -> None:
    peerings = Peerings(2)
    agenda = agenda_of(peerings, Settings(write_rate=30, write_interval=0.5))
    for times in written(agenda, peerings, 10.0).values():
        assert len(times) == pytest.approx(20, abs=1)


def test_the_agenda_wakes_nobody_before_a_write_is_allowed() -> None:
    peerings = Peerings(20)
    agenda = agenda_of(peerings, Settings(write_rate=4))
    agenda.mark(Changes(dict.fromkeys(peerings.keys, 1)), 0.0)
    while (key := agenda.take_firewall(0.0)) is not None:
        agenda.wrote(key, 0.0)
    due = agenda.next()
    assert 0.0 < due <= 0.25
    assert agenda.take_firewall(due - 0.001) is None
    assert agenda.take_firewall(due) is not None


def test_an_agenda_is_settled_when_nothing_is_to_come_but_what_was_told() -> None:
    peerings = Peerings(1)
    agenda = agenda_of(peerings, Settings())
    assert agenda.is_settled()
    agenda.mark(Changes({"p0": 1}), 0.0)
    assert not agenda.is_settled()
    key = agenda.take_firewall(0.0)
    assert key is not None
    assert agenda.is_settled()
    agenda.of(key).retry(key, 0.0)
    assert not agenda.is_settled()
    peerings.problems[key] = "told"
    assert agenda.is_settled()
