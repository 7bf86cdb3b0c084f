"""Reads the API server's answers: whole and within a deadline, or as a stream.

Whatever goes wrong while bytes arrive raises Unreachable, or Silent, so that callers handle one kind of error.
"""

import json
import time
from collections.abc import Iterable, Iterator
from typing import Final, Self, cast

from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.response import BaseHTTPResponse

from liqo_connectivity.operator.kube.errors import MAX_MESSAGE, Silent, Unreachable

Json = dict[str, object]
"""A JSON object."""

_CHUNK: Final = 1 << 16


class Stream:
    """A response that is read as it arrives: an iterator of chunks of bytes. The thread that reads it closes it.

    Iteration ends when the server ends the response; it raises Unreachable when the response breaks off, and Silent when
    nothing comes for too long. Any thread may call ``stop``, which wakes the reader at once.
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
            # An API server sends each event as one chunk, and this takes a quarter of the time of read1.
            return self._response.read_chunked(_CHUNK)
        return iter(lambda: self._response.read1(_CHUNK), b"")

    def stop(self) -> None:
        """Wake the reading thread, for which the stream ends or breaks off."""
        try:
            self._response.shutdown()
        except (OSError, ValueError, RuntimeError, TypeError):
            # The response has ended, or ends right now: then urllib3 has nothing left to shut down.
            return


def read_whole(response: BaseHTTPResponse, end: float) -> bytes:
    """Read all bytes of an answer and close it. Raises Unreachable if it breaks off or is incomplete at ``end``.

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
        # A response that was read to its end has given its connection back; any other connection is useless.
        response.close()
    return b"".join(chunks)


def parse_object(data: bytes) -> Json:
    """The JSON object that an answer is. Raises Unreachable for anything else."""
    try:
        answer: object = json.loads(data)
    except (ValueError, RecursionError):
        # The latter: objects within objects, thousands of them.
        raise Unreachable("the API server's answer is not JSON") from None
    if not isinstance(answer, dict):
        raise Unreachable("the API server's answer is not an object")
    return cast("Json", answer)


def split_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a stream of chunks, without line ends and empty lines; whatever follows the last line end is dropped."""
    begun: list[bytes] = []
    for chunk in chunks:
        first, *rest = chunk.split(b"\n")
        begun.append(first)
        for part in rest:
            line = b"".join(begun)
            if line:
                yield line
            begun = [part]


def describe(error: Exception) -> str:
    """The message of a transport error on one line, or else its class."""
    text = str(error).replace("\n", " ")[:MAX_MESSAGE]
    return text or type(error).__name__
