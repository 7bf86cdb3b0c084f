"""What kind of error each failure of a reconcile is, and so whether it may pass by itself."""

import pytest

from liqo_connectivity.chains import ChainError
from liqo_connectivity.operator.controller.reconcile.result import TRANSIENT, ErrorKind, error_of
from liqo_connectivity.operator.controller.writing.firewall_writer import WriteBlocked
from liqo_connectivity.operator.kube.errors import Conflict, Forbidden, ServerFault, Silent, Throttled, Unreachable


@pytest.mark.parametrize(
    ("raised", "kind", "transient"),
    [
        (Conflict(409, "Conflict", "changed"), ErrorKind.CONFLICT, False),
        (Unreachable("changed"), ErrorKind.UNREACHABLE, True),
        (Silent("changed"), ErrorKind.UNREACHABLE, True),
        (Throttled(429, "TooManyRequests", "changed"), ErrorKind.THROTTLED, True),
        (Forbidden(403, "Forbidden", "changed"), ErrorKind.REFUSED, False),
        (ServerFault(500, "InternalError", "changed"), ErrorKind.REFUSED, False),
        (WriteBlocked("changed"), ErrorKind.REFUSED, False),
        (ChainError("changed"), ErrorKind.UNENFORCEABLE, False),
    ],
)
def test_the_kind_of_each_failure(raised: Exception, kind: ErrorKind, transient: bool) -> None:
    error = error_of(raised)
    assert (error.kind, error.message, error.kind in TRANSIENT) == (kind, "changed", transient)


def test_a_server_that_throttles_says_when_to_retry() -> None:
    assert error_of(Throttled(429, "TooManyRequests", "later", 7.0)).retry_after == 7.0
    assert error_of(Unreachable("down")).retry_after == 0.0


def test_a_bug_is_named_without_what_it_says() -> None:
    error = error_of(KeyError("secret of a tenant"))
    assert (error.kind, error.message) == (
        ErrorKind.INTERNAL,
        "internal error: KeyError; see the controller's log",
    )
