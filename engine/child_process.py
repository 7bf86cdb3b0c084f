"""One child process with limits on time and memory, for code that is not trusted to end.

Whatever happens, the child and all that it started are gone when the call returns, and nothing is left on disk. The
child gets no environment and no file but its three pipes. This module must not know what the child computes.
"""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from liqo_connectivity.engine.diagnostics import OracleError

_ERROR_TEXT = 4096


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a child may use: seconds of wall clock (and so of processor time), megabytes of address space."""

    seconds: float = 60
    megabytes: int = 1024


def exchange(command: Sequence[str], request: bytes, limits: Limits) -> bytes:
    """Start a command, give it a request, and return all that it writes, once it has ended well.

    The command must set the limit of memory for itself. Raises OracleError if it fails or takes too long.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        env=_environment(),
        start_new_session=True,
    ) as process:
        try:
            answer, errors = _communicate(process, request, time.monotonic() + limits.seconds)
            if answer is None:
                raise OracleError(_too_long(limits))
        finally:
            # The group, and before the wait: until then the number cannot belong to anyone else.
            os.killpg(process.pid, signal.SIGKILL)
    return _checked(answer, process.returncode, errors, limits)
