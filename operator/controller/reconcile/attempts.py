"""Turns that are taken, and what follows them: they are done, put off or told.

What an object's turn raises concerns that object alone: it is told in the status of its policy and tried again later. This
module must not know what a turn does, nor whose it is next.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from liqo_connectivity.chains import ChainError
from liqo_connectivity.facts.base.fact import ObjectKey
from liqo_connectivity.operator.controller.logs import fields
from liqo_connectivity.operator.controller.objects.stored import FIREWALL, POLICY
from liqo_connectivity.operator.controller.reconcile.reconciler import Reconciler, Result
from liqo_connectivity.operator.controller.reconcile.work_queue import WorkQueue
from liqo_connectivity.operator.controller.serving.metrics import CONTROLLER, Metrics
from liqo_connectivity.operator.controller.writing.firewall_writer import WriteBlocked
from liqo_connectivity.operator.kube.errors import ApiError, Conflict, NotLeading, Throttled, Unreachable

TRANSIENT: Final = 3
"""Failures in a row that are not told yet if they may pass by themselves: no answer, or too many requests."""

_LOG: Final = logging.getLogger(__name__)


class Attempts:
    """Takes turns. ``clock`` is that of the agenda."""

    def __init__(self, turns: Reconciler, agenda: WorkQueue, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._turns = turns
        self._agenda = agenda
        self._metrics = metrics
        self._clock = clock
        self._failures: Counter[ObjectKey] = Counter()

    def take(self, key: ObjectKey) -> None:
        """Take the turn of a FirewallConfiguration or a policy. Raises NotLeading."""
        begin = time.perf_counter()
        started = self._clock()
        take = self._turns.firewall if key.kind == FIREWALL else self._turns.policy
        try:
            turn = take(key, started)
        except NotLeading:
            raise
        except (ApiError, WriteBlocked) as error:
            self._put_off(key, error)
        except ChainError as error:
            # The same tuples cannot do better: it is tried again when they change.
            self._tell(key, str(error))
            self._agenda.of(key).done(key)
            self._count("error")
        except Exception as error:  # noqa: BLE001 - whatever it is
            # A mistake of ours about one object must not stop what is done about the others.
            _LOG.exception("Turn failed", extra=fields(kind=key.kind, namespace=key.namespace, name=key.name))
            self._tell(key, f"internal error: {type(error).__name__}; see the log of the controller")
            self._agenda.of(key).retry(key, self._clock())
            self._count("error")
        else:
            self._finish(key, turn, started)
        finally:
            self._metrics.reconcile_duration.observe(time.perf_counter() - begin)
            for changes in self._turns.told():
                # What an answer told of the object itself is what this turn made of it.
                self._agenda.mark(replace(changes, firewalls=changes.firewalls - {key}), self._clock())

    def _finish(self, key: ObjectKey, turn: Result, started: float) -> None:
        now, schedule = self._clock(), self._agenda.of(key)
        self._failures.pop(key, None)
        if key.kind == POLICY:
            self._turns.problems.pop(key, None)
        schedule.done(key)
        if turn.wrote:
            # From start to start: the server takes its time for a large object, and a change need not wait for both.
            self._agenda.wrote(key, started)
        for policy in turn.policies:
            self._agenda.of(policy).mark(policy, now)
        if turn.wait is not None:
            schedule.wait(key, now, turn.wait)
        if turn.over and not schedule.waiting(key):
            schedule.forget(key)
        self._count("success")

    def _put_off(self, key: ObjectKey, error: ApiError | WriteBlocked) -> None:
        self._failures[key] += 1
        self._turns.distrust(key)
        at_least = error.retry_after if isinstance(error, Throttled) else 0.0
        seconds = self._agenda.of(key).retry(key, self._clock(), at_least)
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
        self._count("requeue" if quiet else "error")

    def _tell(self, key: ObjectKey, problem: str) -> None:
        self._turns.problems[key] = problem
        if key.kind == FIREWALL:
            self._agenda.mark_policy_of(key, self._clock())

    def _count(self, result: str) -> None:
        self._metrics.reconciles.labels(CONTROLLER, result).inc()


def _result(error: ApiError | WriteBlocked) -> str:
    if isinstance(error, Conflict):
        return "conflict"
    return "unreachable" if isinstance(error, Unreachable) else "refused"
