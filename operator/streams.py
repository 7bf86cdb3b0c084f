"""The standard streams of a command: always open, and able to write any text."""

import errno
import os
import sys
from io import TextIOWrapper
from typing import Final

from liqo_connectivity.operator import exits

_CLOSED: Final = {0: os.O_WRONLY, 1: os.O_RDONLY, 2: os.O_WRONLY}
"""How the null device stands in for a closed stream: to read stdin or to write stdout fails, and stderr is discarded."""


def prepare() -> None:
    """Open the streams that the caller has closed, and make output escape what its encoding lacks.

    Otherwise, the next file to be opened would become the closed stream.
    """
    for number, mode in _CLOSED.items():
        try:
            os.fstat(number)
        except OSError:
            # Gets this number, since it is the lowest that is free.
            os.open(os.devnull, mode)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def report(error: OSError) -> int:
    """Report that the operating system refused something, such as to write the answer. Returns the exit code."""
    if error.errno == errno.EPIPE:
        return exits.BROKEN_PIPE
    # An error of a file has its name; one of a stream has none.
    what = "the output cannot be written" if error.filename is None else error.filename
    say(f"error: {what}: {error.strerror or error}")
    return exits.INTERNAL


def say(message: str) -> None:
    """Write a line to stderr; nothing happens if that fails, since there is no other place to say so."""
    try:
        print(message, file=sys.stderr, flush=True)
    except OSError:
        return


def finish(code: int) -> int:
    """Write what is still buffered. Returns the exit code: the given one unless that fails.

    A stream that cannot be written is discarded, so that Python does not try once more when it ends.
    """
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
            if code in (exits.OK, exits.DENIED, exits.UNKNOWN):
                code = report(error)
    return code
