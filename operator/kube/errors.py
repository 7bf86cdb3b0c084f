"""The errors of requests to the API server, by what a caller can do about them."""

from collections.abc import Mapping
from typing import Final, cast

MAX_MESSAGE: Final = 500
"""Characters that are kept of a server's message."""


class ApiError(Exception):
    """A request that failed.

    ::

        ApiError
        +-- Unreachable     no answer in time, or none that makes sense: the outcome of a write is unknown
        |   +-- Silent      a stream was silent for too long
        +-- NotLeading      a write that was not sent, because this process does not lead
        +-- Refused         the API server refused: status, reason, message, retry_after
            +-- NotFound    404
            +-- Conflict    409
            +-- Gone        410
            +-- Invalid     400, 413, 422
            +-- Forbidden   401, 403
            +-- Throttled   429, 503
            +-- ServerFault any other 5xx
    """


class Unreachable(ApiError):  # noqa: N818  it says what is the matter
    """No answer in time, or none that makes sense. The outcome of a write is unknown: read before retrying it."""


class Silent(Unreachable):
    """A stream was silent for too long."""


class NotLeading(ApiError):  # noqa: N818  it says what is the matter
    """A write was not sent, because this process does not lead."""


class Refused(ApiError):  # noqa: N818  it says what is the matter
    """The API server refused the request.

    ``status`` is the HTTP status. ``reason`` and ``message`` are those of its Status object; without one, ``reason`` is
    empty and ``message`` describes the status. ``retry_after`` is how many seconds it asks to wait, 0 for none.
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
    """409: the object changed since it was read, exists already, or has fields that another manager owns."""


class Gone(Refused):
    """410: the server no longer has the version that a watch or list wants to continue from."""


class Invalid(Refused):
    """400, 413 or 422: the request can never succeed unchanged."""


class Forbidden(Refused):
    """401 or 403: credentials or permissions are missing, or an admission webhook denied the object."""


class Throttled(Refused):
    """429 or 503: retry later, after ``retry_after`` seconds if the server says so."""


class ServerFault(Refused):
    """Any other 5xx. The outcome of a write is unknown.

    Kubernetes also answers 500 to an apply with a field or a type that the kind's schema does not have.
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
    # Anything else, such as a date: the caller's own back-off has to do.
    seconds = float(retry_after) if retry_after.isascii() and retry_after.isdecimal() else 0.0
    return _REFUSALS.get(status, default)(status, str(answer.get("reason") or ""), message, seconds)
