"""The probes and the metrics of the controller: ``/healthz``, ``/readyz`` and ``/metrics``.

The controller is alive while its threads run and its loop turns, and ready once it has read the cluster: a standby that
waits for the lease is both.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from math import inf
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from liqo_connectivity.operator.controller.serving.http_server import Limits, Reply, Request, Server, text_reply
from liqo_connectivity.operator.controller.serving.metrics import Metrics

LIMITS: Final = Limits(deadline=10.0, connections=256, replies=256)
"""A scrape may take ten seconds by default, a probe one. The kubelet's two probes and a few scrapers are a handful of
connections; a peer that opens more cuts its own."""
PROBES: Final = "/healthz, /readyz and /metrics"
"""The paths that are answered."""
_OPEN_METRICS: Final = "application/openmetrics-text"
_FRESH: Final = 1.0
"""Seconds for which encoded metrics are served again: to write them takes a hundred times as long as to answer a probe."""


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


def probes_server(host: str, port: int, health: Health, metrics: Metrics) -> Server:
    """Make the server of the probes. Raises OSError if the address is not available."""
    probes = Probes(health, metrics.registry)

    def answer(request: Request) -> Reply:
        return probes.answer(request) or text_reply(f"not found; the paths are {PROBES}\n", HTTPStatus.NOT_FOUND)

    return Server("probes", host, port, answer, LIMITS, cut=metrics.cut_connections.labels("probes").inc)


class Probes:
    """Answers the paths of probes and of metrics, for the thread of a server."""

    def __init__(self, health: Health, registry: CollectorRegistry) -> None:
        self._health = health
        self._scrapes = _Scrapes(registry)

    def answer(self, request: Request) -> Reply | None:
        """The reply; None for any other path."""
        match request.path:
            case "/healthz":
                return _checks(self._health.live())
            case "/readyz":
                return _checks(self._health.ready())
            case "/metrics":
                return self._scrapes.reply(request.headers.get("accept", ""))
            case _:
                return None


class _Scrapes:
    """Encodes metrics for scrapes, each format at most once in a while. The server's thread uses it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._made: dict[str, tuple[float, bytes]] = {}

    def reply(self, accept: str) -> Reply:
        # Two formats are all that there is: our names need no escaping, and a version of the peer's choice is no key.
        encode, content_type = choose_encoder(_OPEN_METRICS if _OPEN_METRICS in accept else "")
        made, text = self._made.get(content_type, (-inf, b""))
        if time.monotonic() - made > _FRESH:
            text = encode(self._registry)
            self._made[content_type] = time.monotonic(), text
        return Reply((text,), content_type=content_type)


def _checks(found: dict[str, str]) -> Reply:
    lines = [f"[-]{name}: {problem}" if problem else f"[+]{name} ok" for name, problem in found.items()]
    status = HTTPStatus.SERVICE_UNAVAILABLE if any(found.values()) else HTTPStatus.OK
    return text_reply("\n".join(lines) + "\n", status)
