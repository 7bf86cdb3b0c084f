"""The control loop: takes changes into the state and reconciles the objects that are due, one after the other.

One thread runs it, and no other writes to the API server, but for the lease. Nothing is written before every reflector
has synced, nor without the lease.
"""

import gc
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from liqo_connectivity.facts import Fact, ObjectKey
from liqo_connectivity.operator.controller.logs import fields
from liqo_connectivity.operator.controller.objects.stored import FIREWALL, Observed
from liqo_connectivity.operator.controller.reconcile.reconciler import Reconciler
from liqo_connectivity.operator.controller.reconcile.result import TRANSIENT, Error, ErrorKind, Result
from liqo_connectivity.operator.controller.reconcile.work_queue import WorkQueue
from liqo_connectivity.operator.controller.serving.metrics import CONTROLLER, GaugeValues, Metrics
from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.controller.state.ownership import Ownership
from liqo_connectivity.operator.controller.state.state import Changes, State
from liqo_connectivity.operator.controller.watching.change_queue import ChangeQueue
from liqo_connectivity.operator.controller.writing.object_client import ObjectClient

PATIENCE: Final = 1.0
"""Seconds that the loop waits for a change at most, so that it is seen to be alive."""
STANDBY: Final = 0.2
"""Seconds after which a standby checks again whether it leads."""
QUIET_FAILURES: Final = 3
"""Transient failures in a row that a status does not show yet, because they may pass by themselves."""

_LOG: Final = logging.getLogger(__name__)
_APPLY_RESULTS: Final = {ErrorKind.CONFLICT: "conflict", ErrorKind.UNREACHABLE: "unreachable"}


class ControlLoop:
    """The loop. ``synced`` says whether every reflector has synced once, ``leading`` whether this process may write.

    Other threads may use ``tick``, ``loaded``, ``facts`` and ``gauges``, and nothing else.
    """

    def __init__(
        self,
        client: ObjectClient,
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
        # Written by the loop's thread only. Each is an immutable value, replaced in one assignment.
        self._tick = clock()
        self._loaded = False
        self._gauges = GaugeValues()

        self._changes = changes
        self._state = state
        self._settings = settings
        self._metrics = metrics
        self._synced = synced
        self._leading = leading
        self._clock = clock
        # What keeps objects from being as desired, by key. Only this class changes it.
        self._problems: dict[ObjectKey, str] = {}
        self._ownership = Ownership(state)
        self._queue = WorkQueue(self._ownership, settings)
        self._reconciler = Reconciler(
            client, state, self._ownership, MappingProxyType(self._problems), settings, wall=wall, instance=instance
        )
        self._failures: Counter[ObjectKey] = Counter()
        self._gathered: dict[tuple[str, ObjectKey], Observed | None] = {}
        self._led = False
        self._next_sweep = 0.0
        self._counted = float("-inf")

    # ---- The loop ----

    def run(self) -> None:
        """Run until the change queue is closed; the reconcile under way then is finished. Raises NotLeading."""
        while not self._changes.closed:
            self.step()

    def step(self, patience: float = PATIENCE) -> None:
        """Wait at most ``patience`` seconds for changes or for a due object, and handle both.

        Raises NotLeading when the lease is lost meanwhile.
        """
        self._take_changes(patience)
        self._tick = now = self._clock()
        if not self._loaded or not self._may_write(now):
            return
        if now >= self._next_sweep:
            self._next_sweep = now + self._settings.sweep_interval
            self._queue.add_everything(now)
        begin = time.perf_counter()
        reconciled = 0
        # One of each: what changes during a write that takes long is in the next one.
        for take in (self._queue.take_firewall, self._queue.take_policy):
            key = take(now)
            if key is not None and not self._changes.closed:
                self._reconcile(key)
                reconciled += 1
                self._tick = now = self._clock()
        if reconciled:
            self._metrics.work_duration.observe(time.perf_counter() - begin)

    def _take_changes(self, patience: float) -> None:
        waited = 0.0
        synced = self._loaded or self._synced()
        batch = self._changes.take(self._until_due(patience))
        self._tick = self._clock()
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
        self._follow(changes)
        if not self._loaded:
            self._loaded = True
            # What is kept for the life of the process need not be examined by every collection.
            gc.collect()
            gc.freeze()
            _LOG.info("Read the cluster", extra=fields(objects=len(batch), seconds=time.perf_counter() - begin))
        self._queue.add_changes(changes, self._clock(), waited)
        self._count()

    def _until_due(self, patience: float) -> float:
        if not self._loaded or not self._led:
            return min(patience, STANDBY)
        return max(0.0, min(patience, min(self._queue.next_due(), self._next_sweep) - self._clock()))

    def _may_write(self, now: float) -> bool:
        leading = self._leading()
        if leading and not self._led:
            self._next_sweep = now
        self._led = leading
        return leading

    def _follow(self, changes: Changes) -> None:
        self._ownership.follow(changes)
        self._reconciler.follow(changes)

    # ---- One object ----

    def _reconcile(self, key: ObjectKey) -> None:
        begin = time.perf_counter()
        started = self._clock()
        try:
            result = self._reconciler.reconcile(key, started)
        finally:
            self._metrics.reconcile_duration.observe(time.perf_counter() - begin)
        for changes in result.changes:
            self._follow(changes)
        if result.error is None:
            self._finish(key, result, started)
        else:
            self._fail(key, result.error)
        for changes in result.changes:
            # What an answer says of the object itself is what this reconcile made of it.
            others = frozenset(each for each in changes.firewalls if self._ownership.lead(each) != key)
            self._queue.add_changes(replace(changes, firewalls=others), self._clock())

    def _finish(self, key: ObjectKey, result: Result, started: float) -> None:
        now = self._clock()
        self._failures.pop(key, None)
        if result.problem:
            self._problems[key] = result.problem
        elif result.problem is not None:
            self._problems.pop(key, None)
        self._queue.forget_failures(key)
        if result.written:
            # From start to start: the server takes its time for a large object, and a change need not wait for both.
            self._queue.written(key, started)
        for policy in result.related:
            self._queue.add(policy, now)
        if result.requeue_after is not None:
            self._queue.add_after(key, now, result.requeue_after)
        if result.gone:
            self._queue.remove(key)
        if result.operation is not None:
            self._metrics.applies.labels(result.operation).inc()
        self._count_result("success")

    def _fail(self, key: ObjectKey, error: Error) -> None:
        match error.kind:
            case ErrorKind.UNENFORCEABLE:
                # It is reconciled again when its chain changes.
                self._queue.forget_failures(key)
                self._show(key, error.message)
                self._count_result("error")
            case ErrorKind.INTERNAL:
                self._queue.add_rate_limited(key, self._clock())
                self._show(key, error.message)
                self._count_result("error")
            case _:
                self._back_off(key, error)

    def _back_off(self, key: ObjectKey, error: Error) -> None:
        self._failures[key] += 1
        seconds = self._queue.add_rate_limited(key, self._clock(), error.retry_after)
        transient = error.kind in TRANSIENT and self._failures[key] <= QUIET_FAILURES
        quiet = transient or error.kind is ErrorKind.CONFLICT
        if not quiet:
            self._show(key, error.message)
        about = fields(
            kind=key.kind, namespace=key.namespace, name=key.name, error=error.message, seconds=round(seconds, 2)
        )
        _LOG.log(logging.INFO if quiet else logging.WARNING, "Backed off", extra=about)
        if key.kind == FIREWALL:
            self._metrics.applies.labels(_APPLY_RESULTS.get(error.kind, "refused")).inc()
        self._metrics.queue_retries.inc()
        self._count_result("requeue" if quiet else "error")

    def _show(self, key: ObjectKey, problem: str) -> None:
        """Have a problem shown in the status of the policy that it concerns."""
        self._problems[key] = problem
        if key.kind == FIREWALL:
            self._queue.add_policy_of(key, self._clock())

    def _count_result(self, result: str) -> None:
        self._metrics.reconciles.labels(CONTROLLER, result).inc()

    # ---- Looking at it ----

    @property
    def tick(self) -> float:
        """When the loop last came round, in seconds of its clock; for any thread."""
        return self._tick

    @property
    def loaded(self) -> bool:
        """Whether the state holds the whole cluster; for any thread."""
        return self._loaded

    def facts(self) -> tuple[int, tuple[Fact, ...]]:
        """The number of the last committed state and its facts; for any thread."""
        return self._state.facts()

    def gauges(self) -> GaugeValues:
        """What was counted last; for any thread."""
        return self._gauges

    @property
    def quiescent(self) -> bool:
        """Whether there is nothing to do but to retry what is known to fail."""
        return self._loaded and self._led and not len(self._changes) and self._queue.is_settled(self._problems.keys())

    @property
    def failing(self) -> bool:
        """Whether a policy is pending, or an object is not as desired."""
        return bool(self._problems or self._state.rows("condition_false") or self._state.rows("condition_unreadable"))

    def _count(self) -> None:
        now = self._clock()
        if now - self._counted < 1.0 or not self._loaded:
            return
        self._counted = now
        facts, derived = self._state.counts()
        shown = [c for policy in self._state.policies.values() for c in policy.conditions]
        kinds = Counter((c.type, c.status, c.reason) for c in shown)
        self._gauges = GaugeValues(facts=facts, derived=derived, conditions=kinds, rules=self._state.named_rules())
