"""How fast writes follow each other: so many a second whatever there is to write, a few at once after a pause."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqo_connectivity.operator.controller.reconcile.rate_limiter import SAVED, RateLimiter

RATE = 20


def at_once(limiter: RateLimiter, now: float) -> int:
    """How often it may be done at a moment."""
    times = 0
    while limiter.ready_at() <= now:
        limiter.spend(now)
        times += 1
    return times


def test_the_first_is_at_once_and_a_few_more() -> None:
    assert at_once(RateLimiter(RATE), 100.0) == pytest.approx(RATE * SAVED, abs=1)


def test_a_rest_saves_up_for_a_moment_only() -> None:
    limiter = RateLimiter(RATE)
    first = at_once(limiter, 0.0)
    assert at_once(limiter, 0.01) == 0
    assert at_once(limiter, SAVED / 2) == pytest.approx(RATE * SAVED / 2, abs=1)
    assert at_once(limiter, 1000.0) <= first


@given(st.lists(st.floats(0.0, 0.3), min_size=1, max_size=200))
def test_no_second_has_more_than_the_rate_and_what_was_saved(waits: list[float]) -> None:
    limiter, now, done = RateLimiter(RATE), 0.0, list[float]()
    for wait in waits:
        now += wait
        done += [now] * at_once(limiter, now)
    for begin in done:
        assert sum(begin <= each < begin + 1.0 for each in done) <= RATE * (1.0 + SAVED) + 2
