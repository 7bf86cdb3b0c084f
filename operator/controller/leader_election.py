"""Leader election by a Lease of coordination.k8s.io: at most one process writes at a time, whatever hangs or dies.

A leader trusts its lease only for the renew deadline after it *sent* the last successful renewal, by its own monotonic
clock, so that neither a hanging API server nor a wrong wall clock keeps it leading. A standby takes over only after it has
seen the record unchanged for the whole lease duration, by its own clock too.
"""

import logging
import math
import os
import socket
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event, Thread
from typing import Final, cast

from liqo_connectivity.operator.controller.logs import fields
from liqo_connectivity.operator.controller.serving.metrics import Metrics
from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.kube.backoff import Backoff
from liqo_connectivity.operator.kube.errors import ApiError, Conflict, NotFound
from liqo_connectivity.operator.kube.response import Json
from liqo_connectivity.operator.kube.rest_client import RestClient

API_VERSION: Final = "coordination.k8s.io/v1"
_LOG: Final = logging.getLogger(__name__)
_Record = tuple[object, object, object]


def new_identity() -> str:
    """A unique identity of this process: host name, process id and a random UUID."""
    return f"{socket.gethostname()}_{os.getpid()}_{uuid.uuid4()}"


class LeaderElector:
    """A thread that acquires and renews a lease.

    ``api`` must not be fenced by this lease. The thread calls ``lost`` once, when it loses the lease without
    ``stop``, and ends: a leader that loses the lease never leads again, so the process has to end.
    """

    def __init__(
        self,
        api: RestClient,
        settings: Settings,
        namespace: str,
        *,
        lost: Callable[[], None],
        metrics: Metrics,
        identity: str = "",
    ) -> None:
        self.identity: Final = identity or new_identity()
        self.acquired: Final = Event()
        """Set when the lease is acquired, and never cleared."""
        self._api = api
        self._settings = settings
        self._lost = lost
        self._metrics = metrics
        self._namespace = namespace
        self._collection = f"/apis/{API_VERSION}/namespaces/{namespace}/leases"
        self._path = f"{self._collection}/{settings.lease_name}"
        self._backoff = Backoff(settings.retry_period, settings.retry_period)
        # Written by the elector's thread only, read by others: immutable values, replaced in one assignment.
        # Until when this process may write, in seconds of the monotonic clock:
        self._leads_until = -math.inf
        # The lease as the API server returned it last, never modified; None if it has to be read:
        self._stored: Json | None = None

        self._record: _Record | None = None
        self._changed_at = 0.0
        self._held = False
        self._trouble = ""
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="lease", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Stop leading, release the lease if it is held, and wait for that. Writes must have stopped before."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def is_leader(self) -> bool:
        """Whether this process may write now; for any thread. Sends no request."""
        return not self._stopping.is_set() and time.monotonic() < self._leads_until

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def holder(self) -> str:
        """Who held the lease when it was read last, empty for nobody; for any thread."""
        return str(_spec(self._stored).get("holderIdentity") or "")

    @property
    def transitions(self) -> int:
        """How often the lease went from one holder to another, as it was read last."""
        found = _spec(self._stored).get("leaseTransitions")
        return found if isinstance(found, int) else 0

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._attempt()
                if self._held and time.monotonic() >= self._leads_until:
                    break
                ends = self._leads_until if self._held else self._free_at()
                self._stopping.wait(min(self._backoff.next(), max(0.0, ends - time.monotonic())))
        finally:
            # Whatever ended the thread, nobody renews the lease any more.
            self._leads_until = -math.inf
            held, self._held = self._held, False
            self._metrics.leader.set(0)
            if self._stopping.is_set():
                self._release()
            elif held:
                _LOG.error("Lost the lease", extra=fields(lease=self._path, holder=self.holder))
                self._lost()

    def _attempt(self) -> None:
        """Acquire or renew the lease, if that is possible now."""
        try:
            if self._stored is None or not self._held:
                self._read()
            sent = time.monotonic()
            if self._stored is None:
                self._stored = self._api.create(self._collection, self._body(None), deadline=self._deadline())
            elif self._may_take():
                self._stored = self._api.replace(self._path, self._body(self._stored), deadline=self._deadline())
            else:
                if self._held:
                    # Somebody took it by force.
                    self._leads_until = -math.inf
                return
        except (Conflict, NotFound):
            # It changed since it was read: this is how one of two candidates loses.
            self._stored = None
            return
        except ApiError as error:
            # A renewal without an answer may have succeeded, and then the resourceVersion is another.
            self._stored = None
            if str(error) != self._trouble:
                self._trouble = str(error)
                _LOG.warning(
                    "Lease could not be acquired or renewed", extra=fields(lease=self._path, error=self._trouble)
                )
            return
        self._trouble = ""
        self._leads_until = sent + self._settings.renew_deadline
        if not self._held:
            self._held = True
            self._metrics.leader.set(1)
            self.acquired.set()
            _LOG.info("Became leader", extra=fields(lease=self._path, identity=self.identity))

    def _deadline(self) -> float:
        """How many seconds a request may take, so that a leader can retry before its lease expires."""
        settings = self._settings
        if not self._held:
            return settings.request_timeout
        left = self._leads_until - time.monotonic()
        return max(0.01, min(settings.request_timeout, settings.renew_deadline / 2, left))

    def _read(self) -> None:
        try:
            self._stored = self._api.get(self._path, deadline=self._deadline())
        except NotFound:
            self._stored = None
        spec = _spec(self._stored)
        record = (spec.get("holderIdentity"), spec.get("renewTime"), spec.get("leaseTransitions"))
        if record != self._record:
            self._record = record
            self._changed_at = time.monotonic()

    def _may_take(self) -> bool:
        return self.holder in ("", self.identity) or (not self._held and time.monotonic() >= self._free_at())

    def _free_at(self) -> float:
        """When the lease that somebody else holds has been silent for its duration; never if it has to be read first."""
        if self._stored is None:
            return math.inf
        seconds = _spec(self._stored).get("leaseDurationSeconds")
        duration = seconds if isinstance(seconds, int) and seconds > 0 else self._settings.lease_duration
        return self._changed_at + duration

    def _body(self, stored: Json | None) -> Json:
        # The wall clock is only shown to people.
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        mine = stored is not None and self.holder == self.identity
        spec: Json = {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": math.ceil(self._settings.lease_duration),
            "acquireTime": _spec(stored).get("acquireTime") if mine else now,
            "renewTime": now,
            "leaseTransitions": self.transitions + (stored is not None and not mine),
        }
        metadata: object = {"name": self._settings.lease_name, "namespace": self._namespace}
        if stored is not None:
            metadata = stored["metadata"]
        return {"apiVersion": API_VERSION, "kind": "Lease", "metadata": metadata, "spec": spec}

    def _release(self) -> None:
        try:
            # The last renewal may have succeeded without an answer.
            self._read()
            if self._stored is None or self.holder != self.identity:
                return
            body = self._body(self._stored)
            # As client-go leaves it: without a holder, with its count of transitions.
            body["spec"] = {key: value for key, value in _spec(body).items() if key != "holderIdentity"}
            self._stored = self._api.replace(self._path, body)
            _LOG.info("Released the lease", extra=fields(lease=self._path))
        except ApiError as error:
            # It expires by itself.
            _LOG.warning("Lease could not be released", extra=fields(lease=self._path, error=str(error)))


def _spec(lease: Json | None) -> Json:
    spec = (lease or {}).get("spec")
    return cast("Json", spec) if isinstance(spec, dict) else {}
