"""The controller's loop: a batch of changes into the state, then the turns that are due, forever.

One thread runs it, and nobody else writes. Nothing is written before every watch has synced, nor without the lease. What
an object's turn raises concerns that object alone: it is told in the status of its policy and tried again later. This
module must not know what a turn does.
"""

import gc
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from liqo_connectivity.chains import ChainError
from liqo_connectivity.facts.fact import Fact, ObjectKey
from liqo_connectivity.operator.controller.backoff import Backoff
from liqo_connectivity.operator.controller.calls import Calls
from liqo_connectivity.operator.controller.errors import ApiError, Conflict, NotLeading, Throttled, Unreachable
from liqo_connectivity.operator.controller.inbox import Inbox
from liqo_connectivity.operator.controller.logs import fields
from liqo_connectivity.operator.controller.metrics import CONTROLLER, Census, Metrics
from liqo_connectivity.operator.controller.schedule import Schedule
from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.controller.state import Changes, State
from liqo_connectivity.operator.controller.stored import FIREWALL, POLICY, Observed
from liqo_connectivity.operator.controller.turns import Turn, Turns
from liqo_connectivity.operator.controller.writer import Blocked

PATIENCE: Final = 1.0
"""Seconds that the loop waits for a change at most, so that it is seen to be alive."""
STANDBY: Final = 0.2
"""Seconds after which a controller that does not write looks again whether it may."""
TRANSIENT: Final = 3
"""Failures in a row that are not told yet if they may pass by themselves: no answer, or too many requests."""

_LOG: Final = logging.getLogger(__name__)


class Reconciler:
    """The loop. ``synced`` says whether every watch has synced once, ``leading`` whether this process may write.

    ``tick`` is when the loop last came round, in seconds of ``clock``. Only ``facts``, ``census`` and ``tick`` may be
    used by other threads.
    """

    def __init__(
        self,
        calls: Calls,
        inbox: Inbox,
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
        self._inbox = inbox
        self._state = state
        self._settings = settings
        self._metrics = metrics
        self._synced = synced
        self._leading = leading
        self._clock = clock
        self._turns = Turns(calls, state, settings, metrics, wall, instance)
        self._firewalls = self._schedule()
        self._policies = self._schedule()
        self._gathered: dict[tuple[str, ObjectKey], Observed | None] = {}
        self._loaded = False
        self._led = False
        self._failures: Counter[ObjectKey] = Counter()
        self._next_sweep = 0.0
        self._census = Census()
        self._counted = float("-inf")

    def _schedule(self) -> Schedule[ObjectKey]:
        settings = self._settings
        return Schedule(
            settings.write_interval,
            settings.write_interval_limit,
            lambda: Backoff(settings.retry_backoff, settings.retry_backoff_limit),
        )

    # ---- The loop ----

    def run(self) -> None:
        """Go round until the inbox is closed; the turn that is being taken then is finished. Raises NotLeading."""
        while not self._inbox.closed:
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
            self._mark_everything(now)
        begin = time.perf_counter()
        turns = 0
        # One of each: what changed during a write that took long is in the next one.
        for schedule, take in ((self._firewalls, self._turns.firewall), (self._policies, self._turns.policy)):
            key = schedule.take(now)
            if key is not None and not self._inbox.closed:
                self._attempt(schedule, key, take)
                turns += 1
                self.tick = now = self._clock()
        if turns:
            self._metrics.work_duration.observe(time.perf_counter() - begin)

    def _take(self, patience: float) -> None:
        waited = 0.0
        synced = self._loaded or self._synced()
        batch = self._inbox.take(self._until_next(patience))
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
            waited = max(0.0, time.monotonic() - self._inbox.since)
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
        self._mark(changes, self._clock(), waited)
        self._count()

    def _until_next(self, patience: float) -> float:
        if not self._loaded or not self._led:
            return min(patience, STANDBY)
        turns = [turn for turn in (self._firewalls.next(), self._policies.next()) if turn is not None]
        return max(0.0, min(patience, *(turn - self._clock() for turn in turns), self._next_sweep - self._clock()))

    def _may_write(self, now: float) -> bool:
        leading = self._leading()
        if leading and not self._led:
            self._next_sweep = now
        self._led = leading
        return leading

    # ---- Whose turn it is ----

    def _mark_everything(self, now: float) -> None:
        firewalls, policies = self._turns.everything()
        for key in firewalls:
            self._firewalls.mark(key, now)
        for key in policies:
            self._policies.mark(key, now)

    def _mark(self, changes: Changes, now: float, waited: float = 0.0) -> None:
        for key, count in self._turns.firewalls_of(changes.peerings).items():
            self._firewalls.mark(key, now, count, waited)
        for key in changes.firewalls:
            self._firewalls.mark(key, now)
            policy = self._turns.policy_of(key)
            if policy is not None:
                self._policies.mark(policy, now)
        for key in changes.policies - changes.edited:
            self._policies.mark(key, now)
        for key in changes.edited:
            self._policies.reset(key, now)
            firewall = self._turns.firewall_of(key)
            if firewall is not None:
                # An edit may mend what made the write fail.
                self._firewalls.reset(firewall, now)
        if changes.agents:
            self._mark_everything(now)

    # ---- A turn ----

    def _attempt(self, schedule: Schedule[ObjectKey], key: ObjectKey, take: Callable[[ObjectKey, float], Turn]) -> None:
        begin = time.perf_counter()
        started = self._clock()
        try:
            turn = take(key, started)
        except NotLeading:
            raise
        except (ApiError, Blocked) as error:
            self._put_off(schedule, key, error)
        except ChainError as error:
            # The same tuples cannot do better: it is tried again when they change.
            self._tell(key, str(error))
            schedule.done(key)
            self._metrics.reconciles.labels(CONTROLLER, "error").inc()
        except Exception as error:  # noqa: BLE001 - whatever it is
            # A mistake of ours about one object must not stop what is done about the others.
            _LOG.exception("Turn failed", extra=fields(kind=key.kind, namespace=key.namespace, name=key.name))
            self._tell(key, f"internal error: {type(error).__name__}; see the log of the controller")
            schedule.retry(key, self._clock())
            self._metrics.reconciles.labels(CONTROLLER, "error").inc()
        else:
            self._finish(schedule, key, turn, started)
        finally:
            self._metrics.reconcile_duration.observe(time.perf_counter() - begin)
            for changes in self._turns.told():
                # What an answer told of the object itself is what this turn made of it.
                self._mark(replace(changes, firewalls=changes.firewalls - {key}), self._clock())

    def _finish(self, schedule: Schedule[ObjectKey], key: ObjectKey, turn: Turn, started: float) -> None:
        now = self._clock()
        self._failures.pop(key, None)
        if key.kind == POLICY:
            self._turns.problems.pop(key, None)
        schedule.done(key)
        if turn.wrote:
            # From start to start: the server takes its time for a large object, and a change need not wait for both.
            schedule.wrote(key, started)
        for policy in turn.policies:
            self._policies.mark(policy, now)
        if turn.wait is not None:
            schedule.wait(key, now, turn.wait)
        if turn.over and not schedule.waiting(key):
            schedule.forget(key)
        self._metrics.reconciles.labels(CONTROLLER, "success").inc()

    def _put_off(self, schedule: Schedule[ObjectKey], key: ObjectKey, error: ApiError | Blocked) -> None:
        now = self._clock()
        self._failures[key] += 1
        self._turns.distrust(key)
        seconds = schedule.retry(key, now, error.retry_after if isinstance(error, Throttled) else 0.0)
        passing = isinstance(error, Unreachable | Throttled) and self._failures[key] <= TRANSIENT
        quiet = isinstance(error, Conflict) or passing
        if not quiet:
            self._tell(key, str(error))
        about = fields(
            kind=key.kind, namespace=key.namespace, name=key.name, error=str(error), seconds=round(seconds, 2)
        )
        _LOG.log(logging.INFO if quiet else logging.WARNING, "Put off", extra=about)
        if key.kind == FIREWALL:
            self._metrics.applies.labels(_result(error)).inc()
        self._metrics.queue_retries.inc()
        self._metrics.reconciles.labels(CONTROLLER, "requeue" if quiet else "error").inc()

    def _tell(self, key: ObjectKey, problem: str) -> None:
        self._turns.problems[key] = problem
        policy = self._turns.policy_of(key) if key.kind == FIREWALL else None
        if policy is not None:
            self._policies.mark(policy, self._clock())

    # ---- Looking at it ----

    @property
    def loaded(self) -> bool:
        """Whether the state holds the whole cluster."""
        return self._loaded

    @property
    def quiescent(self) -> bool:
        """Whether there is nothing to do but to try again what failed and was told."""
        return self._loaded and self._led and not len(self._inbox) and not self._busy()

    def _busy(self) -> bool:
        firewalls, policies = self._turns.everything()
        problems = self._turns.problems
        pairs = [(self._firewalls, key) for key in firewalls] + [(self._policies, key) for key in policies]
        return any(schedule.waiting(key) and key not in problems for schedule, key in pairs)

    @property
    def failing(self) -> bool:
        """Whether a policy is pending, or an object is not as wanted."""
        return bool(
            self._turns.problems or self._state.rows("condition_false") or self._state.rows("condition_unreadable")
        )

    def facts(self) -> tuple[int, tuple[Fact, ...]]:
        """The number of the last committed state and its facts; for any thread."""
        return self._state.facts()

    def census(self) -> Census:
        """What was counted last; for any thread."""
        return self._census

    def _count(self) -> None:
        now = self._clock()
        if now - self._counted < 1.0 or not self._loaded:
            return
        self._counted = now
        facts, derived = self._state.counts()
        shown = [c for policy in self._state.policies.values() for c in policy.conditions]
        kinds = Counter((c.type, c.status, c.reason) for c in shown)
        self._census = Census(len(self._inbox), self._inbox.adds, facts, derived, kinds)


def _result(error: ApiError | Blocked) -> str:
    if isinstance(error, Conflict):
        return "conflict"
    return "unreachable" if isinstance(error, Unreachable) else "refused"
