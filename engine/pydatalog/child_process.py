"""One child process with limits on time and memory, for code that is not trusted to end.

However the call ends, the child has exited when it returns, and nothing is left on disk. The child gets an almost empty
environment and no open files except its three pipes.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

from liqo_connectivity.engine.syntax.diagnostics import OracleError

_ERROR_TEXT = 4096
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class ChildLimits:
    """The limits of a child: seconds of wall clock (and so of processor time), megabytes of address space."""

    seconds: float = 60
    megabytes: int = 1024


def exchange(command: Sequence[str], request: bytes, limits: ChildLimits) -> bytes:
    """Start a command, send it a request, and return its output once it has exited with success.

    The command sets its own memory limit. Raises OracleError if it fails or takes too long.
    """
    deadline = time.monotonic() + limits.seconds
    with subprocess.Popen(  # noqa: S603 - the caller's own command, and no shell
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        env=_environment(),
        start_new_session=True,
    ) as process:
        try:
            answer, errors = _communicate(process, request, deadline)
            process.wait(max(0.0, deadline - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired):
            raise OracleError(f"pyDatalog needed more than {limits.seconds:g} s and was stopped") from None
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    if process.returncode == -signal.SIGXCPU:
        raise OracleError(f"pyDatalog needed more than {limits.seconds:g} s of processor time and was stopped")
    if process.returncode:
        raise OracleError(_failure(process.returncode, errors, limits))
    return answer


def _environment() -> dict[str, str]:
    # A fixed seed makes runs repeatable; a custom Python build may need the loader's path to find its libraries.
    loader = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH") if name in os.environ}
    return loader | {"PYTHONHASHSEED": "0"}


def _communicate(process: "subprocess.Popen[bytes]", request: bytes, deadline: float) -> tuple[bytes, bytes]:
    """Write and read without blocking; keep only the beginning of stderr. Raises TimeoutError."""
    assert process.stdin
    assert process.stdout
    assert process.stderr
    answer, errors, rest = bytearray(), bytearray(), memoryview(request)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdin, selectors.EVENT_WRITE)
        selector.register(process.stdout, selectors.EVENT_READ)
        selector.register(process.stderr, selectors.EVENT_READ)
        os.set_blocking(process.stdin.fileno(), False)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            for key, _ in selector.select(left):
                if key.fileobj is process.stdin:
                    try:
                        rest = rest[os.write(key.fd, rest[:_CHUNK]) :]
                    except BrokenPipeError:
                        rest = rest[:0]
                    if not rest:
                        selector.unregister(process.stdin)
                        process.stdin.close()
                    continue
                chunk = os.read(key.fd, _CHUNK)
                if not chunk:
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stdout:
                    answer += chunk
                else:
                    errors += chunk[: _ERROR_TEXT - len(errors)]
    return bytes(answer), bytes(errors)


def _failure(code: int, errors: bytes, limits: ChildLimits) -> str:
    said = errors.decode("utf-8", "backslashreplace").strip()
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
    hint = f" (its limit of memory is {limits.megabytes} MB)"
    return f"pyDatalog's process {how}{hint}" + (f", and said: {said}" if said else "")
