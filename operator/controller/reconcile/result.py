"""What reconciling one object came to, as data: the control loop decides what follows from it."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from liqo_connectivity.chains import ChainError
from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.state.state import Changes
from liqo_connectivity.operator.controller.writing.firewall_writer import OperationResult, WriteBlocked
from liqo_connectivity.operator.kube.errors import ApiError, Conflict, Throttled, Unreachable


class ErrorKind(Enum):
    """What kind of error it is, and so what follows.

    ``CONFLICT``: the object changed meanwhile. ``UNREACHABLE`` and ``THROTTLED`` are transient. ``REFUSED``: the API
    server or a check before the write said no. ``UNENFORCEABLE``: no chain can express what the rules derive, so only other
    tuples help. ``INTERNAL``: a bug.
    """

    CONFLICT = auto()
    UNREACHABLE = auto()
    THROTTLED = auto()
    REFUSED = auto()
    UNENFORCEABLE = auto()
    INTERNAL = auto()


TRANSIENT: Final = frozenset({ErrorKind.UNREACHABLE, ErrorKind.THROTTLED})
"""Errors that may pass by themselves."""


@dataclass(frozen=True, slots=True)
class Error:
    """Why an object could not be reconciled. ``retry_after`` is how many seconds the server asks to wait, 0 for none."""

    kind: ErrorKind
    message: str
    retry_after: float = 0.0


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one reconcile.

    ``requeue_after`` is in how many seconds to reconcile again, None for when something changes. ``related`` policies may
    have something new to show in their status. ``changes`` are those of the state that the API server's answers made.
    ``problem`` says what keeps the object from being as desired: empty for nothing, None for no news about that.
    ``written`` says that the object was written; of a FirewallConfiguration, ``operation`` says how. ``gone`` says that
    there is nothing left to reconcile. With an ``error`` only ``changes`` counts.
    """

    requeue_after: float | None = None
    related: frozenset[ObjectKey] = frozenset()
    changes: tuple[Changes, ...] = ()
    problem: str | None = ""
    written: bool = False
    operation: OperationResult | None = None
    gone: bool = False
    error: Error | None = None


def error_of(raised: Exception) -> Error:
    """Classify what was raised while an object was reconciled."""
    match raised:
        case Conflict():
            return Error(ErrorKind.CONFLICT, str(raised))
        case Unreachable():
            return Error(ErrorKind.UNREACHABLE, str(raised))
        case Throttled():
            return Error(ErrorKind.THROTTLED, str(raised), raised.retry_after)
        case ApiError() | WriteBlocked():
            return Error(ErrorKind.REFUSED, str(raised))
        case ChainError():
            return Error(ErrorKind.UNENFORCEABLE, str(raised))
        case _:
            return Error(ErrorKind.INTERNAL, f"internal error: {type(raised).__name__}; see the controller's log")
