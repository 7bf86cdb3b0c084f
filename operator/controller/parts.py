"""The parts of the controller, made and joined: what reads, what decides and writes, and the lease between them.

This module must not know why the process ends, nor what is served to others.
"""

from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from queue import SimpleQueue
from typing import Final

from liqo_connectivity.engine import Program
from liqo_connectivity.operator.commands import exits
from liqo_connectivity.operator.controller.leader_election import Lease, new_identity
from liqo_connectivity.operator.controller.reconcile.reconciler import Reconciler
from liqo_connectivity.operator.controller.serving.answers import BusyError, Snapshot
from liqo_connectivity.operator.controller.serving.metrics import Census, Metrics
from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.controller.state.state import State
from liqo_connectivity.operator.controller.watching.change_queue import Inbox
from liqo_connectivity.operator.controller.watching.reflector import Watch
from liqo_connectivity.operator.controller.watching.resources import resources
from liqo_connectivity.operator.kube.api import Api, connect
from liqo_connectivity.operator.kube.namespace import own_namespace

_RELEASE: Final = 3.0
"""Seconds that giving the lease back may take; it runs out by itself otherwise."""


class End(Enum):
    """Why the process ends."""

    SIGNAL = "signal"
    LOST = "lost the lease"
    FAULT = "fault"
    LATE = "took too long"

    @property
    def code(self) -> int:
        """The exit code."""
        codes = {End.SIGNAL: exits.OK, End.LOST: exits.DENIED, End.FAULT: exits.INTERNAL, End.LATE: exits.UNKNOWN}
        return codes[self]


class Parts:
    """All parts of one controller; none runs yet. Without ``writing`` it never leads, and every write is refused.

    ``ended`` is where whoever finds a reason to end puts it. Raises NotConfigured.
    """

    def __init__(self, settings: Settings, kubeconfig: str, context: str, program: Program, *, writing: bool) -> None:
        self.settings: Final = settings
        self.identity: Final = new_identity()
        self.ended: Final[SimpleQueue[End]] = SimpleQueue()
        self.metrics: Final = Metrics(settings.lease_name)
        self.metrics.take_census(self._census)
        client = connect(kubeconfig, context)
        unfenced = Api(client, deadline=settings.request_timeout, observe=self.metrics.request)
        self.lease: Final = (
            Lease(
                unfenced,
                settings,
                settings.namespace or own_namespace(kubeconfig, context),
                lost=lambda: self.ended.put(End.LOST),
                metrics=self.metrics,
                identity=self.identity,
            )
            if writing and settings.leader_election
            else None
        )
        leading: Callable[[], bool] = self.lease.is_leader if self.lease is not None else lambda: writing
        self.api: Final = Api(client, deadline=settings.request_timeout, fence=leading, observe=self.metrics.request)
        self.state: Final = State(program)
        self.inbox: Final = Inbox(settings.debounce, self.state.is_news)
        self.watches: Final = [
            Watch(resource, unfenced, self.inbox, settings, self.metrics)
            for resource in resources(settings.liqo_namespace)
        ]
        self.reconciler: Final = Reconciler(
            self.api,
            self.inbox,
            self.state,
            settings,
            self.metrics,
            synced=lambda: not self.unlisted(),
            leading=leading,
            instance=self.identity,
        )
        self.campaigning = False
        """Whether this process tries to lead."""

    def watch(self) -> None:
        """Start to read the cluster."""
        for watch in self.watches:
            watch.start()

    def unlisted(self) -> list[str]:
        """The resources that have not been listed yet."""
        return [watch.resource.name for watch in self.watches if not watch.synced.is_set()]

    def campaign(self) -> None:
        """Try to lead once the cluster has been read: one that cannot read it must not keep others from leading."""
        if self.reconciler.loaded and not self.campaigning:
            self.campaigning = True
            if self.lease is not None:
                self.lease.start()

    def stop(self, *, release: bool) -> None:
        """Read no more, and give the lease back if nothing can be written any more, which the caller has to know."""
        if release and self.campaigning and self.lease is not None:
            self.lease.stop(_RELEASE)
        for watch in self.watches:
            watch.stop()

    def snapshot(self) -> Snapshot:
        """Give the facts behind the last committed batch; for any thread. Raises BusyError."""
        if not self.reconciler.loaded:
            raise BusyError(
                f"the cluster has not been read yet: {', '.join(self.unlisted()) or 'it is being evaluated'}"
            )
        return Snapshot(*self.reconciler.facts())

    def _census(self) -> Census:
        return replace(self.reconciler.census(), waiting=len(self.inbox), adds=self.inbox.adds)
