"""A reflector of Pods before a scripted API server, and what its change queue gave so far."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from liqo_connectivity.operator.controller.serving.metrics import Metrics
from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.controller.watching.change_queue import ChangeQueue
from liqo_connectivity.operator.controller.watching.reflector import Reflector
from liqo_connectivity.operator.controller.watching.resources import (
    Resource,
    resources,
)
from liqo_connectivity.operator.kube.rest_client import RestClient
from liqo_connectivity.rules import relations
from tests.support.scripted_api import Exchange, Json, Script, ScriptedApi, scripted_api
from tests.support.scripted_pods import Pods, bookmark
from tests.support.waiting import eventually

RESOURCES = {resource.name: resource for resource in resources("liqo")}
PODS = RESOURCES["pods"]
QUICK = Settings(
    watch_backoff=0.02,
    watch_backoff_limit=0.1,
    absent_interval=0.05,
    request_timeout=1.0,
    watch_silence=30.0,
    page_size=2,
)


@dataclass
class Watching:
    """A watch that runs, and what its queue said so far."""

    reflector: Reflector
    queue: ChangeQueue
    metrics: Metrics
    server: ScriptedApi
    state: dict[str, str] = field(default_factory=dict[str, str])

    def addresses(self) -> dict[str, str]:
        """The address of every object that exists; that of one that cannot be read is empty."""
        for (_, key), observed in self.queue.take(0).items():
            if observed is None:
                self.state.pop(key.name, None)
            else:
                rows = [fact.row for fact in observed.facts]
                self.state[key.name] = next((row.address for row in rows if isinstance(row, relations.PodIp)), "")
        return self.state

    def shows(self, expected: dict[str, str], seconds: float = 10.0) -> None:
        eventually(lambda: self.addresses() == expected, seconds)

    def restarts(self, reason: str) -> float:
        return self.count("watch_restarts_total", reason=reason)

    def count(self, name: str, **labels: str) -> float:
        labels["kind"] = self.reflector.resource.name
        return self.metrics.registry.get_sample_value(f"liqo_connectivity_{name}", labels) or 0.0


@contextmanager
def watching(
    script: Script, folder: Path, settings: Settings = QUICK, resource: Resource = PODS, start: bool = True
) -> Iterator[Watching]:
    with scripted_api(script) as server:
        queue, metrics = ChangeQueue(0.0), Metrics()
        api = RestClient(server.client(folder), deadline=settings.request_timeout)
        reflector = Reflector(resource, api, queue, settings, metrics)
        if start:
            reflector.start()
        try:
            yield Watching(reflector, queue, metrics, server)
        finally:
            reflector.stop()
            if start:
                reflector.join(10)
                assert not reflector.alive


def synced(running: Watching) -> None:
    """Wait until it is synced and the server has begun to answer its watch."""
    assert running.reflector.synced.wait(10)
    eventually(
        lambda: any("watch" in each.query and "resourceVersion" in each.query for each in running.server.answered)
    )


def break_connection(running: Watching, pods: Pods) -> None:
    """Break the connection of a watch that has shown ``a``, once it reads from it: ``b`` is shown, too."""
    pods.put("b")
    running.shows({"a": "10.244.0.1", "b": "10.244.0.1"})
    assert running.reflector._stream is not None
    running.reflector._stream.stop()


# ---- Versions, losses, repetitions ----


def follow_only(events: list[tuple[str, Json]], existing: list[Json], version: int = 10) -> Script:
    """A script that lists what exists once, and then sends these events."""

    def script(exchange: Exchange) -> None:
        if "watch" not in exchange.request.query:
            exchange.json(200, {"metadata": {"resourceVersion": str(version)}, "items": existing})
            return
        exchange.begin()
        if "sendInitialEvents" in exchange.request.query:
            for item in existing:
                exchange.event("ADDED", item)
            exchange.event("BOOKMARK", bookmark(version, initial=True))
        else:
            for kind, item in events:
                exchange.event(kind, item)
        exchange.hang()

    return script


def end_at_once(exchange: Exchange) -> None:
    exchange.begin()
    exchange.end()


def refuse(exchange: Exchange) -> None:
    exchange.status(403, "Forbidden", "pods is forbidden")


def expire(exchange: Exchange) -> None:
    exchange.status(410, "Expired")
