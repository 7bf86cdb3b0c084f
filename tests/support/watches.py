"""The reflectors of some resources against an API server, and what they told."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import Observed
from liqo_connectivity.operator.controller.serving.metrics import Metrics
from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.controller.watching.change_queue import ChangeQueue
from liqo_connectivity.operator.controller.watching.reflector import Reflector
from liqo_connectivity.operator.controller.watching.resources import resources
from liqo_connectivity.operator.kube.connection import connect
from liqo_connectivity.operator.kube.rest_client import RestClient
from tests.support.control_plane import ControlPlane
from tests.support.waiting import eventually

QUICK = Settings(watch_backoff=0.05, watch_backoff_limit=1.0, absent_interval=0.2)


class Watches:
    """Watches of some resources, and the state that their queue told."""

    def __init__(self, plane: ControlPlane, names: tuple[str, ...] = (), settings: Settings = QUICK) -> None:
        self.requests: list[tuple[str, str]] = []
        self.metrics = Metrics()
        self.queue = ChangeQueue(0.0)
        self.state: dict[tuple[str, ObjectKey], Observed] = {}
        api = RestClient(
            connect(str(plane.kubeconfig())),
            deadline=settings.request_timeout,
            observe=lambda method, host, code, seconds: self.requests.append((method, code)),
        )
        self.all = [
            Reflector(resource, api, self.queue, settings, self.metrics)
            for resource in resources("liqo")
            if not names or resource.name in names
        ]

    def synced(self, seconds: float = 20.0) -> None:
        eventually(lambda: all(watch.synced.is_set() for watch in self.all), seconds)

    def look(self, resource: str, namespace: str) -> dict[str, Observed]:
        """The objects of a resource in a namespace, by name."""
        for (name, key), observed in self.queue.take(0).items():
            if observed is None:
                self.state.pop((name, key), None)
            else:
                self.state[name, key] = observed
        return {
            key.name: observed
            for (name, key), observed in self.state.items()
            if name == resource and key.namespace == namespace
        }

    def restarts(self, resource: str, reason: str) -> float:
        labels = {"kind": resource, "reason": reason}
        return self.metrics.registry.get_sample_value("liqo_connectivity_watch_restarts_total", labels) or 0.0


@contextmanager
def watching(plane: ControlPlane, *names: str, settings: Settings = QUICK) -> Iterator[Watches]:
    watches = Watches(plane, names, settings)
    for watch in watches.all:
        watch.start()
    try:
        yield watches
    finally:
        begin = time.monotonic()
        for watch in watches.all:
            watch.stop()
        for watch in watches.all:
            watch.join(10)
        assert not any(watch.alive for watch in watches.all)
        assert time.monotonic() - begin < 5
