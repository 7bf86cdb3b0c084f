"""A scripted API server with one Lease, and candidates for it."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from liqo_connectivity.operator.controller.leader_election import LeaderElector
from liqo_connectivity.operator.controller.serving.metrics import Metrics
from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.kube.rest_client import RestClient
from tests.support.scripted_api import Exchange, Json, ScriptedApi
from tests.support.waiting import eventually, pause

PATH = "/apis/coordination.k8s.io/v1/namespaces/liqo/leases"
QUICK = Settings(lease_duration=1.0, renew_deadline=0.6, retry_period=0.05, request_timeout=0.5)


class Leases:
    """A script: one Lease, with the API server's optimistic concurrency, that can hang or refuse."""

    def __init__(self) -> None:
        self.stored: Json | None = None
        self.version = 1
        self.lock = threading.Lock()
        self.hangs: Callable[[Exchange], bool] = lambda exchange: False
        self.history: list[Json] = []
        """Every spec that was written."""

    def __call__(self, exchange: Exchange) -> None:
        if self.hangs(exchange):
            exchange.hang()
            return
        with self.lock:
            self._answer(exchange)

    def _answer(self, exchange: Exchange) -> None:
        request = exchange.request
        body = request.body or {}
        current = self.stored["metadata"]["resourceVersion"] if self.stored else None
        if request.method == "POST" and request.path == PATH:
            if self.stored is None:
                self._store(body, exchange)
            else:
                exchange.status(409, "AlreadyExists")
        elif request.path != f"{PATH}/liqo-connectivity-engine" or self.stored is None:
            exchange.status(404, "NotFound")
        elif request.method == "GET":
            exchange.json(200, self.stored)
        elif body["metadata"]["resourceVersion"] != current:
            exchange.status(409, "Conflict")
        else:
            self._store(body, exchange)

    def _store(self, body: Json, exchange: Exchange) -> None:
        self.version += 1
        self.stored = body | {"metadata": body["metadata"] | {"resourceVersion": str(self.version)}}
        self.history.append(body["spec"])
        exchange.json(200, self.stored)

    @property
    def spec(self) -> Json:
        assert self.stored is not None
        spec: Json = self.stored["spec"]
        return spec

    def holder(self) -> str:
        return str(self.stored["spec"].get("holderIdentity", "")) if self.stored else ""

    def seize(self, identity: str) -> None:
        """Write another holder, as if somebody had edited the object."""
        with self.lock:
            assert self.stored is not None
            self.version += 1
            metadata = self.stored["metadata"] | {"resourceVersion": str(self.version)}
            self.stored = {"metadata": metadata, "spec": self.spec | {"holderIdentity": identity}}


class Election:
    """Candidates for one lease."""

    def __init__(self, server: ScriptedApi, folder: Path, cleanup: ExitStack) -> None:
        self.leases = Leases()
        server.script = self.leases
        self.server = server
        self.lost: list[str] = []
        self.metrics: dict[str, Metrics] = {}
        self._folder = folder
        self._cleanup = cleanup

    def candidate(self, identity: str, settings: Settings = QUICK) -> LeaderElector:
        self.metrics[identity] = Metrics()
        api = RestClient(self.server.client(self._folder), deadline=settings.request_timeout)
        lease = LeaderElector(
            api,
            settings,
            "liqo",
            lost=lambda: self.lost.append(identity),
            metrics=self.metrics[identity],
            identity=identity,
        )
        lease.start()
        self._cleanup.callback(lease.stop, 5)
        return lease

    def gauge(self, identity: str) -> float | None:
        labels = {"name": "liqo-connectivity-engine"}
        return self.metrics[identity].registry.get_sample_value("leader_election_master_status", labels)


def leads(lease: LeaderElector) -> None:
    eventually(lease.is_leader)


def never_both(leases: list[LeaderElector], seconds: float) -> int:
    """Watch for a while that no two lead at once; how often nobody did."""
    nobody = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        leading = [lease.identity for lease in leases if lease.is_leader()]
        assert len(leading) <= 1
        nobody += not leading
        pause(0.002)
    return nobody
