"""When objects are written: a lone change at once, a trickle every interval, a burst a few times, a failure later."""

from collections.abc import Iterable
from itertools import pairwise

import pytest

from liqo_connectivity.operator.controller.reconcile.delaying_queue import DelayingQueue
from liqo_connectivity.operator.kube.backoff import Backoff

INTERVAL, LIMIT = 0.5, 2.0


def schedule() -> DelayingQueue[str]:
    return DelayingQueue(INTERVAL, LIMIT, lambda: Backoff(1.0, 8.0, seed=1))


def taken(turns: DelayingQueue[str], now: float) -> list[str]:
    """Everything whose turn it is, in order."""
    found: list[str] = []
    while (key := turns.take(now)) is not None:
        found.append(key)
    return found


def writes(times: Iterable[float], step: float = 0.01, until: float = 20.0) -> list[float]:
    """When an object is written that changes at these times."""
    turns, waiting, found = schedule(), sorted(times), list[float]()
    for now in (round(number * step, 3) for number in range(int(until / step))):
        while waiting and waiting[0] <= now:
            turns.mark("a", waiting.pop(0))
        for key in taken(turns, now):
            turns.wrote(key, now)
            found.append(now)
    return found


def test_the_first_change_after_quiet_is_written_at_once() -> None:
    assert writes([1.0]) == [1.0]
    assert writes([1.0, 5.0]) == [1.0, 5.0]


def test_the_second_change_waits_for_the_interval_and_is_not_lost() -> None:
    assert writes([1.0, 1.1]) == pytest.approx([1.0, 1.5])


@pytest.mark.parametrize("rate", [10, 100])
def test_a_steady_trickle_is_written_every_interval(rate: int) -> None:
    found = writes(number / rate for number in range(rate * 10))
    assert len(found) == pytest.approx(20, abs=2)
    assert max(after - before for before, after in pairwise(found)) < INTERVAL + 0.05


@pytest.mark.parametrize("seconds", [0.2, 1.0, 2.5, 3.5])
def test_a_burst_of_a_thousand_changes_is_at_most_three_writes(seconds: float) -> None:
    found = writes(1.0 + number * seconds / 1000 for number in range(1000))
    assert len(found) <= 3
    assert 1.0 + seconds <= found[-1] <= 1.0 + seconds + 0.7, "all of it is there soon after the last"


def test_a_burst_without_end_is_written_now_and_then() -> None:
    found = writes(number / 500 for number in range(500 * 10))
    assert max(after - before for before, after in pairwise(found)) <= LIMIT + 0.05


def test_what_came_during_a_long_write_is_no_burst_because_it_is_seen_at_once() -> None:
    turns = schedule()
    turns.wrote("a", 0.0)
    turns.mark("a", 0.5, 40, waited=0.4)
    assert taken(turns, 0.5) == ["a"]
    turns.wrote("a", 0.5)
    turns.mark("a", 1.0, 400, waited=0.4)
    assert taken(turns, 1.0) == []


def test_a_failure_waits_longer_each_time_whatever_changes() -> None:
    turns = schedule()
    turns.mark("a", 0.0)
    assert taken(turns, 0.0) == ["a"]
    first = turns.retry("a", 0.0)
    turns.mark("a", 0.1)
    assert taken(turns, first - 0.01) == []
    assert turns.held("a", first - 0.01)
    assert taken(turns, first) == ["a"]
    second = turns.retry("a", first)
    assert second > first
    assert turns.next() == first + second
    assert turns.retry("a", 10.0, at_least=30.0) == 30.0, "the server said when"


def test_what_may_mend_a_failure_ends_the_wait() -> None:
    turns = schedule()
    turns.retry("a", 0.0)
    turns.retry("a", 0.0)
    turns.reset("a", 0.1)
    assert taken(turns, 0.1) == ["a"]
    assert turns.retry("a", 1.0) <= 1.0


def test_whoever_is_overdue_longest_comes_first() -> None:
    turns = schedule()
    for key, at in (("c", 0.3), ("a", 0.1), ("b", 0.2)):
        turns.mark(key, at)
    assert taken(turns, 1.0) == ["a", "b", "c"]
    assert taken(turns, 1.0) == []
    assert turns.next() is None


def test_to_look_again_later_does_not_put_off_a_turn_that_is_sooner() -> None:
    turns = schedule()
    turns.wait("a", 0.0, 5.0)
    assert turns.next() == 5.0
    turns.mark("a", 1.0)
    assert taken(turns, 1.0) == ["a"]
    turns.mark("a", 2.0)
    turns.wait("a", 2.0, 5.0)
    assert turns.next() == 2.0
    turns.forget("a")
    assert not turns.waiting("a")
