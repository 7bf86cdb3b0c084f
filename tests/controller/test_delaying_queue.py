"""When objects are written: a lone change at once, a trickle every interval, a burst a few times, a failure later."""

from collections.abc import Iterable
from itertools import pairwise

import pytest

from liqo_connectivity.operator.controller.reconcile.delaying_queue import DelayingQueue
from liqo_connectivity.operator.kube.backoff import Backoff

INTERVAL, LIMIT = 0.5, 2.0


def new_queue() -> DelayingQueue[str]:
    return DelayingQueue(INTERVAL, LIMIT, lambda: Backoff(1.0, 8.0, seed=1))


def taken(queue: DelayingQueue[str], now: float) -> list[str]:
    """Every key that is due, in order."""
    found: list[str] = []
    while (key := queue.take(now)) is not None:
        found.append(key)
    return found


def writes(times: Iterable[float], step: float = 0.01, until: float = 20.0) -> list[float]:
    """When an object is written that changes at these times."""
    queue, waiting, found = new_queue(), sorted(times), list[float]()
    for now in (round(number * step, 3) for number in range(int(until / step))):
        while waiting and waiting[0] <= now:
            queue.add("a", waiting.pop(0))
        for key in taken(queue, now):
            queue.written(key, now)
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
    queue = new_queue()
    queue.written("a", 0.0)
    queue.add("a", 0.5, 40, waited=0.4)
    assert taken(queue, 0.5) == ["a"]
    queue.written("a", 0.5)
    queue.add("a", 1.0, 400, waited=0.4)
    assert taken(queue, 1.0) == []


def test_a_failure_waits_longer_each_time_whatever_changes() -> None:
    queue = new_queue()
    queue.add("a", 0.0)
    assert taken(queue, 0.0) == ["a"]
    first = queue.add_rate_limited("a", 0.0)
    queue.add("a", 0.1)
    assert taken(queue, first - 0.01) == []
    assert taken(queue, first) == ["a"]
    second = queue.add_rate_limited("a", first)
    assert second > first
    assert queue.next_due() == first + second
    assert queue.add_rate_limited("a", 10.0, at_least=30.0) == 30.0, "the server said when"


def test_what_may_mend_a_failure_ends_the_wait() -> None:
    queue = new_queue()
    queue.add_rate_limited("a", 0.0)
    queue.add_rate_limited("a", 0.0)
    queue.add_now("a", 0.1)
    assert taken(queue, 0.1) == ["a"]
    assert queue.add_rate_limited("a", 1.0) <= 1.0


def test_the_longest_overdue_object_comes_first() -> None:
    queue = new_queue()
    for key, at in (("c", 0.3), ("a", 0.1), ("b", 0.2)):
        queue.add(key, at)
    assert taken(queue, 1.0) == ["a", "b", "c"]
    assert taken(queue, 1.0) == []
    assert queue.next_due() is None


def test_to_look_again_later_does_not_put_off_a_turn_that_is_sooner() -> None:
    queue = new_queue()
    queue.add_after("a", 0.0, 5.0)
    assert queue.next_due() == 5.0
    queue.add("a", 1.0)
    assert taken(queue, 1.0) == ["a"]
    queue.add("a", 2.0)
    queue.add_after("a", 2.0, 5.0)
    assert queue.next_due() == 2.0
    queue.remove("a")
    assert not queue.is_waiting("a")
