"""The change queue: the latest of every object, gathered for a moment, and never a wait too long."""

import threading
import time

from hypothesis import given
from hypothesis import strategies as st

from liqo_connectivity.facts.base.fact import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import Agent, Observed
from liqo_connectivity.operator.controller.watching.change_queue import ChangeQueue
from tests.support.waiting import pause

WEB = ObjectKey("Pod", "shop", "web")
DB = ObjectKey("Pod", "shop", "db")


def observed(live: bool = True) -> Observed:
    return Observed((), Agent(WEB, live))


def test_only_the_latest_of_an_object_is_taken() -> None:
    queue = ChangeQueue(0.0)
    queue.put("pods", WEB, observed(True))
    queue.put("pods", DB, observed())
    queue.put("pods", WEB, observed(False))
    queue.put("pods", DB, None)
    assert len(queue) == 2
    assert dict(queue.take(0)) == {("pods", WEB): observed(False), ("pods", DB): None}
    assert dict(queue.take(0)) == {}
    assert (len(queue), queue.adds) == (0, 4)


def test_what_is_no_news_wakes_nobody_and_is_taken_with_what_comes_next() -> None:
    queue = ChangeQueue(0.0, lambda key, _: key == DB)
    late = threading.Timer(0.05, queue.put, ("pods", WEB, observed()))
    begin = time.monotonic()
    late.start()
    assert dict(queue.take(0.4)) == {("pods", WEB): observed()}
    assert time.monotonic() - begin >= 0.4
    queue.put("pods", WEB, observed(False))
    # Not yet known what that changes: the same again may be back to what it was before.
    begin = time.monotonic()
    assert dict(queue.take(60)) == {("pods", WEB): observed(False)}
    queue.take(0)
    queue.put("pods", WEB, observed())
    queue.put("pods", DB, observed())
    assert dict(queue.take(60)) == {("pods", WEB): observed(), ("pods", DB): observed()}
    assert time.monotonic() - begin < 30
    late.join()


def test_objects_of_two_resources_with_the_same_key_are_told_apart() -> None:
    queue = ChangeQueue(0.0)
    queue.put("pods", WEB, observed(True))
    queue.put("agents", WEB, observed(False))
    assert dict(queue.take(0)) == {("pods", WEB): observed(True), ("agents", WEB): observed(False)}


def test_changes_are_gathered_after_the_first() -> None:
    queue = ChangeQueue(0.3)
    queue.put("pods", WEB, None)
    late = threading.Timer(0.05, queue.put, ("pods", DB, None))
    late.start()
    assert set(queue.take(5)) == {("pods", WEB), ("pods", DB)}
    late.join()


def test_the_window_begins_with_the_change_and_not_with_the_take() -> None:
    queue = ChangeQueue(0.2)
    begin = time.monotonic()
    queue.put("pods", WEB, None)
    pause(0.2)
    assert queue.take(60)
    assert begin <= queue.since <= begin + 0.1


def test_a_change_ends_the_wait() -> None:
    queue = ChangeQueue(0.0)
    late = threading.Timer(0.05, queue.put, ("pods", WEB, None))
    late.start()
    assert queue.take(60)
    late.join()


def test_close_ends_the_wait_and_lets_the_rest_be_taken() -> None:
    queue = ChangeQueue(60.0)
    late = threading.Timer(0.05, queue.close)
    late.start()
    assert not queue.take(60)
    late.join()
    queue.put("pods", WEB, None)
    assert queue.take(60)
    assert not queue.take(60)
    assert queue.closed


def test_close_ends_the_gathering() -> None:
    queue = ChangeQueue(60.0)
    queue.put("pods", WEB, None)
    late = threading.Timer(0.05, queue.close)
    late.start()
    assert queue.take(60)
    late.join()


@given(st.lists(st.tuples(st.integers(0, 3), st.one_of(st.none(), st.booleans()))), st.integers(1, 4))
def test_applying_every_batch_gives_the_last_state_whichever_thread_puts(
    changes: list[tuple[int, bool | None]], takes: int
) -> None:
    keys = [ObjectKey("Pod", "shop", f"p{index}") for index in range(4)]
    queue = ChangeQueue(0.0)
    state: dict[tuple[str, ObjectKey], Observed | None] = {}
    for count, (index, live) in enumerate(changes):
        queue.put("pods", keys[index], None if live is None else observed(live))
        if count % takes == 0:
            state |= queue.take(0)
    state |= queue.take(0)
    assert state == {("pods", keys[index]): None if live is None else observed(live) for index, live in changes}
