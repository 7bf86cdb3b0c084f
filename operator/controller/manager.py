"""The manager: makes the reflectors, the control loop and the leader elector of one controller, and connects them."""

from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from queue import SimpleQueue
from typing import Final

from liqo_connectivity.engine import Program
from liqo_connectivity.operator import exits
from liqo_connectivity.operator.controller.leader_election import LeaderElector, new_identity
from liqo_connectivity.operator.controller.reconcile.control_loop import ControlLoop
from liqo_connectivity.operator.controller.serving.metrics import GaugeValues, Metrics
from liqo_connectivity.operator.controller.serving.state_server import BusyError, StateSnapshot
from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.controller.state.state import State
from liqo_connectivity.operator.controller.watching.change_queue import ChangeQueue
from liqo_connectivity.operator.controller.watching.reflector import Reflector
from liqo_connectivity.operator.controller.watching.resources import resources
from liqo_connectivity.operator.kube.connection import connect
from liqo_connectivity.operator.kube.namespace import own_namespace
from liqo_connectivity.operator.kube.rest_client import RestClient

_RELEASE: Final = 3.0
"""Seconds that releasing the lease may take; it expires by itself otherwise."""


class ExitReason(Enum):
    """Why the process ends."""

    SIGNAL = "signal"
    LOST = "lost the lease"
    FAULT = "fault"
    LATE = "took too long"

    @property
    def code(self) -> int:
        """The exit code."""
        codes = {
            ExitReason.SIGNAL: exits.OK,
            ExitReason.LOST: exits.DENIED,
            ExitReason.FAULT: exits.INTERNAL,
            ExitReason.LATE: exits.UNKNOWN,
        }
        return codes[self]


class Manager:
    """Everything that one controller consists of; nothing runs yet. Without ``writing`` it never leads and never writes.

    Any thread may put a reason to exit into ``ended``. Raises NotConfigured.
    """

    def __init__(self, settings: Settings, kubeconfig: str, context: str, program: Program, *, writing: bool) -> None:
        self.settings: Final = settings
        self.identity: Final = new_identity()
        self.ended: Final[SimpleQueue[ExitReason]] = SimpleQueue()
        self.metrics: Final = Metrics(settings.lease_name)
        self.metrics.set_gauges(self._gauges)
        client = connect(kubeconfig, context)
        unfenced = RestClient(client, deadline=settings.request_timeout, observe=self.metrics.request)
        self.elector: Final = (
            LeaderElector(
                unfenced,
                settings,
                settings.namespace or own_namespace(kubeconfig, context),
                lost=lambda: self.ended.put(ExitReason.LOST),
                metrics=self.metrics,
                identity=self.identity,
            )
            if writing and settings.leader_election
            else None
        )
        leading: Callable[[], bool] = self.elector.is_leader if self.elector is not None else lambda: writing
        self.api: Final = RestClient(
            client, deadline=settings.request_timeout, fence=leading, observe=self.metrics.request
        )
        self.state: Final = State(program)
        self.changes: Final = ChangeQueue(settings.debounce, self.state.is_news)
        self.reflectors: Final = [
            Reflector(resource, unfenced, self.changes, settings, self.metrics)
            for resource in resources(settings.liqo_namespace)
        ]
        self.loop: Final = ControlLoop(
            self.api,
            self.changes,
            self.state,
            settings,
            self.metrics,
            synced=lambda: not self.unlisted(),
            leading=leading,
            instance=self.identity,
        )
        # Written by the main thread only: an immutable value, replaced in one assignment.
        self.campaigning = False
        """Whether this process tries to lead."""

    def start_reflectors(self) -> None:
        """Start reading the cluster."""
        for reflector in self.reflectors:
            reflector.start()

    def unlisted(self) -> list[str]:
        """The resources that have not been listed yet."""
        return [reflector.resource.name for reflector in self.reflectors if not reflector.synced.is_set()]

    def campaign(self) -> None:
        """Try to lead once the cluster has been read: a process that cannot read it must not keep others from leading."""
        if self.loop.loaded and not self.campaigning:
            self.campaigning = True
            if self.elector is not None:
                self.elector.start()

    def stop(self, *, release: bool) -> None:
        """Stop reading. ``release`` gives the lease back: only when this process cannot write any more."""
        if release and self.campaigning and self.elector is not None:
            self.elector.stop(_RELEASE)
        for reflector in self.reflectors:
            reflector.stop()

    def snapshot(self) -> StateSnapshot:
        """The facts of the last committed batch; for any thread. Raises BusyError."""
        if not self.loop.loaded:
            raise BusyError(
                f"the cluster has not been read yet: {', '.join(self.unlisted()) or 'the rules are being evaluated'}"
            )
        return StateSnapshot(*self.loop.facts())

    def _gauges(self) -> GaugeValues:
        return replace(self.loop.gauges(), waiting=len(self.changes), adds=self.changes.adds)
