"""What an API server answers, read: whole and within a deadline, or on and on as a stream.

Whatever goes wrong while bytes arrive is Unreachable here, or Silent, so that who waits for an answer has one kind of
error to think of. This module must not know who asked, nor what an object means.
"""

import json
import time
from collections.abc import Iterator
from typing import Final, Self, cast

from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.response import BaseHTTPResponse

from liqo_connectivity.operator.kube.errors import MAX_MESSAGE, Silent, Unreachable

__all__ = ["Json", "Stream", "describe", "parse_object", "read_whole"]

Json = dict[str, object]
"""A JSON object."""

_CHUNK: Final = 1 << 16


class Stream:
    """A response that goes on: an iterator of chunks of bytes, to be closed by the thread that reads it.

    Iteration ends when the server ends the response, and raises Unreachable when it breaks off and Silent when nothing
    comes for too long. ``stop`` may be called from any thread and wakes the reader at once.
    """

    def __init__(self, response: BaseHTTPResponse) -> None:
        self._response = response

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._response.close()

    def __iter__(self) -> Iterator[bytes]:
        chunks = self._chunks()
        while True:
            try:
                chunk = next(chunks, b"")
            except ReadTimeoutError:
                raise Silent("the stream was silent for too long") from None
            except (HTTPError, OSError, ValueError) as error:
                raise Unreachable(f"the stream broke off: {describe(error)}") from None
            if not chunk:
                return
            yield chunk

    def _chunks(self) -> Iterator[bytes]:
        if self._response.chunked:
            # An API server sends each event as a chunk of its own, and this takes a quarter of what read1 does.
            return self._response.read_chunked(_CHUNK)
        return iter(lambda: self._response.read1(_CHUNK), b"")

    def stop(self) -> None:
        """Wake the thread that reads; it sees a stream that ended or broke off."""
        try:
            self._response.shutdown()
        except (OSError, ValueError, RuntimeError, TypeError):
            # It has ended by itself, or ends while this is asked: then urllib3 has nothing left to call.
            return


def read_whole(response: BaseHTTPResponse, end: float) -> bytes:
    """All bytes of an answer, which is closed then. Raises Unreachable if it breaks off or is not complete at ``end``.

    ``end`` is a time of the monotonic clock.
    """
    chunks: list[bytes] = []
    try:
        while chunk := response.read1(_CHUNK):
            chunks.append(chunk)
            if time.monotonic() > end:
                raise Unreachable("the answer was not complete in time")
    except (HTTPError, OSError, ValueError) as error:
        raise Unreachable(f"the answer broke off: {describe(error)}") from None
    finally:
        # A response that was read to its end has given its connection back; any other is of no more use.
        response.close()
    return b"".join(chunks)


def parse_object(data: bytes) -> Json:
    """The JSON object that an answer is. Raises Unreachable for anything else."""
    try:
        answer: object = json.loads(data)
    except ValueError:
        raise Unreachable("the API server's answer is not JSON") from None
    if not isinstance(answer, dict):
        raise Unreachable("the API server's answer is not an object")
    return cast("Json", answer)


def describe(error: Exception) -> str:
    """What an error of the transport says, on one line, or what it is called."""
    text = str(error).replace("\n", " ")[:MAX_MESSAGE]
    return text or type(error).__name__
