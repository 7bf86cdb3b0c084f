"""The controller's loop: a batch of changes into the state, then the turns that are due, forever.

One thread runs it, and nobody else writes. Nothing is written before every watch has synced, nor without the lease. This
module must not know what a turn does, nor what follows it.
"""

import gc
import logging
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from liqo_connectivity.facts.base.fact import Fact, ObjectKey
from liqo_connectivity.operator.controller.logs import fields
from liqo_connectivity.operator.controller.objects.stored import Observed
from liqo_connectivity.operator.controller.reconcile.attempts import Attempts
from liqo_connectivity.operator.controller.reconcile.reconciler import Reconciler
from liqo_connectivity.operator.controller.reconcile.work_queue import WorkQueue
from liqo_connectivity.operator.controller.serving.metrics import GaugeValues, Metrics
from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.controller.state.state import State
from liqo_connectivity.operator.controller.watching.change_queue import ChangeQueue
from liqo_connectivity.operator.controller.writing.object_client import ObjectClient

PATIENCE: Final = 1.0
"""Seconds that the loop waits for a change at most, so that it is seen to be alive."""
STANDBY: Final = 0.2
"""Seconds after which a controller that does not write looks again whether it may."""

_LOG: Final = logging.getLogger(__name__)


class ControlLoop:
    """The loop. ``synced`` says whether every watch has synced once, ``leading`` whether this process may write.

    ``tick`` is when the loop last came round, in seconds of ``clock``. Only ``facts``, ``gauges`` and ``tick`` may be
    used by other threads.
    """

    def __init__(
        self,
        calls: ObjectClient,
        changes: ChangeQueue,
        state: State,
        settings: Settings,
        metrics: Metrics,
        *,
        synced: Callable[[], bool],
        leading: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        instance: str = "",
    ) -> None:
        self.tick = clock()
        self._calls = calls
        self._changes = changes
        self._state = state
        self._settings = settings
        self._metrics = metrics
        self._synced = synced
        self._leading = leading
        self._clock = clock
        self._turns = Reconciler(calls, state, settings, metrics, wall, instance)
        self._agenda = WorkQueue(self._turns, settings)
        self._attempts = Attempts(self._turns, self._agenda, metrics, clock)
        self._gathered: dict[tuple[str, ObjectKey], Observed | None] = {}
        self._loaded = False
        self._led = False
        self._next_sweep = 0.0
        self._gauges = GaugeValues()
        self._counted = float("-inf")

    # ---- The loop ----

    def run(self) -> None:
        """Go round until the change queue is closed; the turn that is being taken then is finished. Raises NotLeading."""
        while not self._changes.closed:
            self.step()

    def step(self, patience: float = PATIENCE) -> None:
        """Go round once: wait for changes or for the next turn, at most ``patience`` seconds, and deal with both.

        Raises NotLeading when the lease was lost in the middle of it.
        """
        self._take(patience)
        self.tick = now = self._clock()
        if not self._loaded or not self._may_write(now):
            return
        if now >= self._next_sweep:
            self._next_sweep = now + self._settings.sweep_interval
            self._agenda.mark_everything(now)
        begin = time.perf_counter()
        turns = 0
        # One of each: what changed during a write that took long is in the next one.
        for take in (self._agenda.take_firewall, self._agenda.take_policy):
            key = take(now)
            if key is not None and not self._changes.closed:
                self._attempts.take(key)
                turns += 1
                self.tick = now = self._clock()
        if turns:
            self._metrics.work_duration.observe(time.perf_counter() - begin)

    def _take(self, patience: float) -> None:
        waited = 0.0
        synced = self._loaded or self._synced()
        batch = self._changes.take(self._until_next(patience))
        self.tick = self._clock()
        if not self._loaded:
            self._gathered.update(batch)
            if not synced:
                return
            batch, self._gathered = self._gathered, {}
        elif not batch:
            self._count()
            return
        else:
            waited = max(0.0, time.monotonic() - self._changes.since)
            self._metrics.queue_duration.observe(waited)
        begin = time.perf_counter()
        changes = self._state.apply(batch)
        self._metrics.evaluation_duration.observe(time.perf_counter() - begin)
        self._turns.follow(changes)
        if not self._loaded:
            self._loaded = True
            # What is kept for the life of the process need not be looked at by every collection.
            gc.collect()
            gc.freeze()
            _LOG.info("Read the cluster", extra=fields(objects=len(batch), seconds=time.perf_counter() - begin))
        self._agenda.mark(changes, self._clock(), waited)
        self._count()

    def _until_next(self, patience: float) -> float:
        if not self._loaded or not self._led:
            return min(patience, STANDBY)
        return max(0.0, min(patience, min(self._agenda.next(), self._next_sweep) - self._clock()))

    def _may_write(self, now: float) -> bool:
        leading = self._leading()
        if leading and not self._led:
            self._next_sweep = now
        self._led = leading
        return leading

    # ---- Looking at it ----

    @property
    def loaded(self) -> bool:
        """Whether the state holds the whole cluster."""
        return self._loaded

    @property
    def quiescent(self) -> bool:
        """Whether there is nothing to do but to try again what failed and was told."""
        return self._loaded and self._led and not len(self._changes) and self._agenda.is_settled()

    @property
    def failing(self) -> bool:
        """Whether a policy is pending, or an object is not as wanted."""
        return bool(
            self._turns.problems or self._state.rows("condition_false") or self._state.rows("condition_unreadable")
        )

    def facts(self) -> tuple[int, tuple[Fact, ...]]:
        """The number of the last committed state and its facts; for any thread."""
        return self._state.facts()

    def gauges(self) -> GaugeValues:
        """What was counted last; for any thread."""
        return self._gauges

    def _count(self) -> None:
        now = self._clock()
        if now - self._counted < 1.0 or not self._loaded:
            return
        self._counted = now
        facts, derived = self._state.counts()
        shown = [c for policy in self._state.policies.values() for c in policy.conditions]
        kinds = Counter((c.type, c.status, c.reason) for c in shown)
        self._gauges = GaugeValues(len(self._changes), self._changes.adds, facts, derived, kinds)
