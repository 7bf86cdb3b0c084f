"""The probes and the metrics of the controller: ``/healthz``, ``/readyz`` and ``/metrics``.

The controller is alive while its threads run and its loop turns, and ready once it has read the cluster: a standby that
waits for the lease is both.
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
    """The check of one thread: whether it runs, and why it is not ready, empty if it is."""

    name: str
    alive: Callable[[], bool]
    unready: Callable[[], str]


class Health:
    """The health of the process; ``live`` and ``ready`` may be called by any thread.

    ``ticked`` returns when the control loop last came round, in seconds of ``clock``: it is alive if that was at most
    ``limit`` seconds ago.
    """

    def __init__(self, limit: float, ticked: Callable[[], float], clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._ticked = ticked
        self._clock = clock
        # Written by the main thread only: immutable values, replaced in one assignment.
        self._draining = False
        self._checks: tuple[HealthCheck, ...] = ()

    def add(self, check: HealthCheck) -> None:
        """Add the check of a thread."""
        self._checks = (*self._checks, check)

    def drain(self) -> None:
        """Stop being ready: the process is about to end."""
        self._draining = True

    def live(self) -> dict[str, str]:
        """What is wrong with each thread, empty for nothing."""
        silent = self._clock() - self._ticked()
        loop = f"silent for {silent:.0f} s, more than {self._limit:g} s" if silent > self._limit else ""
        return {"loop": loop, **{check.name: "" if check.alive() else "its thread has ended" for check in self._checks}}

    def ready(self) -> dict[str, str]:
        """What keeps each thread from being ready, empty for nothing."""
        drain = "draining" if self._draining else ""
        return {"process": drain, **{check.name: check.unready() for check in self._checks}}


def probes_server(host: str, port: int, health: Health, registry: CollectorRegistry) -> Server:
    """Make the server of the probes. Raises OSError if the address is not available."""

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
                return text_reply("not found; the paths are /healthz, /readyz and /metrics\n", HTTPStatus.NOT_FOUND)

    return Server("probes", host, port, answer, deadline=_DEADLINE, slots=_SLOTS)


def _checks(found: dict[str, str]) -> Reply:
    lines = [f"[-]{name}: {problem}" if problem else f"[+]{name} ok" for name, problem in found.items()]
    status = HTTPStatus.SERVICE_UNAVAILABLE if any(found.values()) else HTTPStatus.OK
    return text_reply("\n".join(lines) + "\n", status)
