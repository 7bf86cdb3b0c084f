"""How tests and tools wait for another process or thread: the only place that sleeps.

A wait for something polls until a deadline and says what it saw last. A pause is for what must not happen, or for a
fault that has to last.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from urllib3.exceptions import HTTPError

from tests.support.api_client import ApiError

T = TypeVar("T")


def eventually(
    answer: Callable[[], T], seconds: float = 30, *, every: float = 0.02, shows: Callable[[], str] | None = None
) -> T:
    """The first true answer; TimeoutError with the last one, and with what ``shows`` returns then.

    An ApiError or a lost connection counts as an answer that is not true. ``every`` is the time between two answers in
    seconds.
    """
    end = time.monotonic() + seconds
    while True:
        last: object
        try:
            if last := answer():
                return last
        except (ApiError, HTTPError) as error:
            last = error
        if time.monotonic() > end:
            failure = TimeoutError(f"not within {seconds} s; the last answer was {last!r}")
            if shows is not None:
                failure.add_note(shows())
            raise failure
        time.sleep(every)


def pause(seconds: float) -> None:
    """Let time pass."""
    time.sleep(seconds)
