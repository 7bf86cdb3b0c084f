"""Whether the controller is alive and ready, and its metrics: ``/healthz``, ``/readyz`` and ``/metrics``.

Alive is a matter of threads, ready one of what has been read: a standby that waits for the lease is both. This module
must not know what the threads do.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from liqo_connectivity.operator.controller.serving.http_server import Reply, Request, Server, text_reply

_DEADLINE: Final = 10.0
"""Seconds for a request: a scrape takes that long by default, a probe one."""
_SLOTS: Final = 8
"""Requests at once: the kubelet's two probes, a few scrapers, and some that hang."""


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """A thread that the controller needs: whether it runs, and why it is not ready, empty when it is."""

    name: str
    alive: Callable[[], bool]
    unready: Callable[[], str]


class Health:
    """What the probes ask; may be used from any thread.

    ``ticked`` is when the controller's loop last went round, in seconds of ``clock``: it is alive if that is not longer
    ago than ``limit``.
    """

    def __init__(self, limit: float, ticked: Callable[[], float], clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._ticked = ticked
        self._clock = clock
        self._draining = False
        self._parts: list[HealthCheck] = []

    def add(self, part: HealthCheck) -> None:
        """Watch over a thread too."""
        self._parts.append(part)

    def drain(self) -> None:
        """Be ready no more: the process is about to end."""
        self._draining = True

    def live(self) -> dict[str, str]:
        """Give what is wrong with each part, the empty text where nothing is."""
        silent = self._clock() - self._ticked()
        loop = f"silent for {silent:.0f} s, {self._limit:g} s at most" if silent > self._limit else ""
        return {"loop": loop, **{part.name: "" if part.alive() else "its thread has ended" for part in self._parts}}

    def ready(self) -> dict[str, str]:
        """Give what keeps each part from being ready, the empty text where nothing does."""
        drain = "draining" if self._draining else ""
        return {"process": drain, **{part.name: part.unready() for part in self._parts}}


def probes_server(host: str, port: int, health: Health, registry: CollectorRegistry) -> Server:
    """Make the server of the probes. Raises OSError when the address cannot be had."""

    def answer(request: Request) -> Reply:
        match request.path:
            case "/healthz":
                return _checks(health.live())
            case "/readyz":
                return _checks(health.ready())
            case "/metrics":
                encode, content_type = choose_encoder(request.headers.get("accept", ""))
                return Reply((encode(registry),), content_type=content_type)
            case _:
                return text_reply("there are /healthz, /readyz and /metrics\n", HTTPStatus.NOT_FOUND)

    return Server("probes", host, port, answer, deadline=_DEADLINE, slots=_SLOTS)


def _checks(found: dict[str, str]) -> Reply:
    lines = [f"[-]{name}: {problem}" if problem else f"[+]{name} ok" for name, problem in found.items()]
    status = HTTPStatus.SERVICE_UNAVAILABLE if any(found.values()) else HTTPStatus.OK
    return text_reply("\n".join(lines) + "\n", status)
