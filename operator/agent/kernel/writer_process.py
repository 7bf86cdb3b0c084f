"""The child of the writer: runs each script that it is given in the kernel, until its input ends.

It is a process for itself, so that a crash of the library is a failed transaction and not the end of the agent. It ends with the
agent: a script that is late would undo what the next agent has applied.
"""

import ctypes
import os
import signal
import sys
from typing import BinaryIO, Final

from liqo_connectivity.operator.agent.kernel.frames import DONE, REFUSED, UNUSABLE, Frame, packed, read
from liqo_connectivity.operator.agent.kernel.library import Library, LibraryError, RefusedError

_PR_SET_PDEATHSIG: Final = 1
"""The option of prctl(2) for the signal that a process gets when its parent ends."""


def end_with(parent: int) -> None:
    """Have the kernel end this process when its parent does, at whatever moment that is."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        # It ended before.
        os._exit(0)


def serve(scripts: BinaryIO, answers: BinaryIO) -> None:
    """Answer each script in the order given. Raises FrameError."""
    try:
        library = Library()
    except LibraryError as error:
        answers.write(packed(Frame(UNUSABLE, str(error))))
        answers.flush()
        return
    while (frame := read(scripts)) is not None:
        try:
            answer = Frame(DONE, library.run(frame.text))
        except RefusedError as error:
            answer = Frame(REFUSED, str(error))
        answers.write(packed(answer))
        answers.flush()
    library.close()


if __name__ == "__main__":
    end_with(int(sys.argv[1]))
    serve(sys.stdin.buffer, sys.stdout.buffer)
