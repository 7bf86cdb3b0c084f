"""Writes to the kernel through a child process, which is started again when it has ended."""

import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Final

from liqo_connectivity.operator.agent.kernel.frames import (
    DONE,
    HEAD,
    MAX_BYTES,
    REFUSED,
    SCRIPT,
    Frame,
    packed,
)
from liqo_connectivity.operator.agent.kernel.library import LibraryError, RefusedError

CHILD: Final = (sys.executable, "-m", "liqo_connectivity.operator.agent.kernel.writer_process")
SECONDS: Final = 30.0
"""How long a script may take. The largest first load takes a second; transactions of others delay it."""


class LostError(Exception):
    """The child ended or did not answer in time. The script was applied whole or not at all: ask the kernel which."""


class Writer:
    """Runs scripts in the kernel, one transaction each, one after the other. Not to be shared by threads."""

    def __init__(self, command: Sequence[str] = CHILD, seconds: float = SECONDS) -> None:
        self._command = tuple(command)
        self._seconds = seconds
        self._child: subprocess.Popen[bytes] | None = None
        self.starts = 0
        """How many children there were."""

    def apply(self, script: str) -> str:
        """Run a script; what it lists, as JSON. Raises RefusedError, LostError, and LibraryError if the library cannot be used here."""
        child = self._running()
        try:
            answer = self._exchange(child, packed(Frame(SCRIPT, script)))
        except (OSError, LostError) as error:
            self.close()
            raise LostError(f"{error or 'the process that writes'} (exit status {child.returncode})") from None
        if answer.kind == REFUSED:
            raise RefusedError(answer.text)
        if answer.kind != DONE:
            self.close()
            raise LibraryError(answer.text)
        return answer.text

    def close(self) -> None:
        """End the child; the next script starts another."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        for stream in (child.stdin, child.stdout):
            # What is still in the buffer of a pipe that is broken cannot be written.
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()
        child.wait()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            self.starts += 1
            self._child = subprocess.Popen(  # noqa: S603  a program of ours
                (*self._command, str(os.getpid())), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
            )
        return self._child

    def _exchange(self, child: subprocess.Popen[bytes], request: bytes) -> Frame:
        assert child.stdin is not None
        assert child.stdout is not None
        end = time.monotonic() + self._seconds
        rest = memoryview(request)
        while rest:
            self._wait(end, write=child.stdin.fileno())
            try:
                rest = rest[child.stdin.write(rest[: select.PIPE_BUF]) :]
            except BrokenPipeError:
                # It may have said why it ended.
                break
        kind, size = HEAD.unpack(self._read(child, HEAD.size, end))
        if size > MAX_BYTES:
            raise LostError(f"the process that writes answered with {size} bytes")
        return Frame(kind, self._read(child, size, end).decode("utf-8", "replace"))

    def _read(self, child: subprocess.Popen[bytes], size: int, end: float) -> bytes:
        assert child.stdout is not None
        found = b""
        while len(found) < size:
            self._wait(end, read=child.stdout.fileno())
            part = child.stdout.read(size - len(found))
            if not part:
                child.wait()
                raise LostError("the process that writes ended")
            found += part
        return found

    def _wait(self, end: float, *, read: int = -1, write: int = -1) -> None:
        poll = select.poll()
        poll.register(read if read >= 0 else write, select.POLLIN if read >= 0 else select.POLLOUT)
        if not poll.poll(max(0.0, end - time.monotonic()) * 1000):
            raise LostError(f"the process that writes gave no answer in {self._seconds:g} seconds")
