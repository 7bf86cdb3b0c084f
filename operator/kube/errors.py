"""What becomes of a request that did not do what was asked, and what the API server's refusals mean.

This module must not know how requests are sent.
"""

from collections.abc import Mapping
from typing import Final, cast

MAX_MESSAGE: Final = 500
"""Characters that are kept of what a server says."""


class ApiError(Exception):
    """A request that did not do what was asked.

    ::

        ApiError
        +-- Unreachable     no answer in time, or none that makes sense: the outcome of a write is unknown
        |   +-- Silent      a stream said nothing for too long
        +-- NotLeading      a write that was not sent, because the fence was down
        +-- Refused         the API server said no: status, reason, message, retry_after
            +-- NotFound    404
            +-- Conflict    409
            +-- Gone        410
            +-- Invalid     400, 413, 422
            +-- Forbidden   401, 403
            +-- Throttled   429, 503
            +-- ServerFault any other 5xx
    """


class Unreachable(ApiError):  # noqa: N818  it says what is the matter
    """No answer in time, or none that makes sense. The outcome of a write is unknown: read again before it is retried."""


class Silent(Unreachable):
    """A stream said nothing for longer than it may."""


class NotLeading(ApiError):  # noqa: N818  it says what is the matter
    """A write was not sent, because this process does not lead."""


class Refused(ApiError):  # noqa: N818  it says what is the matter
    """The API server said no.

    ``status`` is the HTTP status, ``reason`` and ``message`` are those of its Status object (empty, and a description,
    if it sent none), and ``retry_after`` is how many seconds it asks to wait, 0 if it does not.
    """

    def __init__(self, status: int, reason: str, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after


class NotFound(Refused):
    """404: neither the object nor, perhaps, its kind exists."""


class Conflict(Refused):
    """409: the object changed since it was read, exists already, or has fields that somebody else owns."""


class Gone(Refused):
    """410: the version that a watch or list wants to go on from is no longer kept."""


class Invalid(Refused):
    """400, 413 or 422: the request can never succeed as it is."""


class Forbidden(Refused):
    """401 or 403: credentials or permissions are missing, or an admission webhook denied the object."""


class Throttled(Refused):
    """429 or 503: not now; ``retry_after`` says when, if the server does."""


class ServerFault(Refused):
    """Any other 5xx. The outcome of a write is unknown.

    Kubernetes also says 500 to an apply with a field or a type that the kind's schema does not have.
    """


_REFUSALS: Final[Mapping[int, type[Refused]]] = {
    400: Invalid,
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    413: Invalid,
    422: Invalid,
    429: Throttled,
    503: Throttled,
}


def refusal(status: int, answer: Mapping[str, object], retry_after: str = "", phrase: str = "") -> Refused:
    """The error for a status code and a Status object, as answered or as found in a watch."""
    default = ServerFault if status >= 500 else Refused
    details = answer.get("details")
    if not retry_after.isdecimal() and isinstance(details, dict):
        retry_after = str(cast("Mapping[str, object]", details).get("retryAfterSeconds"))
    message = str(answer.get("message") or "")[:MAX_MESSAGE] or f"the API server answered {status} {phrase}".rstrip()
    # Not a number of seconds, such as a date: then the caller's own backoff has to do.
    seconds = float(retry_after) if retry_after.isascii() and retry_after.isdecimal() else 0.0
    return _REFUSALS.get(status, default)(status, str(answer.get("reason") or ""), message, seconds)
