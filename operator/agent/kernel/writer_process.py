"""The child of the writer: runs each script that it is given in the kernel, until its input ends.

It is a process for itself, so that a crash of the library is a failed transaction and not the end of the agent.
"""

import sys
from typing import BinaryIO

from liqo_connectivity.operator.agent.kernel.frames import DONE, REFUSED, UNUSABLE, Frame, packed, read
from liqo_connectivity.operator.agent.kernel.library import Library, LibraryError, RefusedError


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
    serve(sys.stdin.buffer, sys.stdout.buffer)
