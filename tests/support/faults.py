"""What a proxy before an API server may do to requests, and how it takes a stream of watch events apart."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Stage = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the client: ``index`` counts from 0; ``body`` is the parsed JSON, ``None`` without one."""

    index: int
    method: str
    path: str
    query: dict[str, list[str]]
    body: Any = field(repr=False, default=None)

    @property
    def watches(self) -> bool:
        return bool(self.query.get("watch"))

    @property
    def writes(self) -> bool:
        return self.method != "GET"


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to requests that it matches.

    ``cut``: the connection ends without an answer, ``before`` the server saw the request or ``after`` it did it.
    ``hang``: no answer until the fault is over. ``freeze``: a watch is accepted, and then nothing comes. ``status``:
    this answer instead, with ``retry_after`` seconds if positive. ``gone``: a watch gets an ERROR event 410 with HTTP
    200. ``drop``, ``double`` and ``swap`` are shares of watch events, those of a streamed list excepted; ``delay`` is
    seconds before each chunk of an answer. ``at_most`` bounds how often it strikes.
    """

    matches: Callable[[Request], bool] = lambda request: True
    cut: Stage | None = None
    hang: bool = False
    freeze: bool = False
    status: int = 0
    retry_after: int = 0
    gone: bool = False
    drop: float = 0.0
    double: float = 0.0
    swap: float = 0.0
    delay: float = 0.0
    at_most: int = 1_000_000


def initial_events(lines: Iterator[bytes]) -> Iterator[bytes]:
    """The events of a streamed list, up to the bookmark that ends it: no server leaves one out and ends it all the same."""
    for line in lines:
        yield line
        if b"k8s.io/initial-events-end" in line:
            return


def event_lines(answer: Any) -> Iterator[bytes]:
    rest = b""
    for chunk in answer.stream():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line + b"\n"
    if rest:
        yield rest
