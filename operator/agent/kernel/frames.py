"""How the writer and its child talk: a kind and a text, over pipes."""

import struct
from typing import BinaryIO, Final, NamedTuple

SCRIPT: Final = 1
DONE: Final = 2
REFUSED: Final = 3
UNUSABLE: Final = 4
"""The kinds: a script to run; it was run and lists what follows, or was refused in these words, or the library cannot be used."""
HEAD: Final = struct.Struct(">BI")
"""A kind, and the bytes of the text."""
MAX_BYTES: Final = 1 << 28
"""More than any script of ours: what says that it is longer is no frame."""


class Frame(NamedTuple):
    """A message."""

    kind: int
    text: str


class FrameError(Exception):
    """What came is no frame: it ends too early, or says that it is too long."""


def packed(frame: Frame) -> bytes:
    """A frame as bytes."""
    body = frame.text.encode()
    return HEAD.pack(frame.kind, len(body)) + body


def read(stream: BinaryIO) -> Frame | None:
    """Read a frame; None at the end of the stream. Raises FrameError."""
    head = stream.read(HEAD.size)
    if not head:
        return None
    if len(head) < HEAD.size:
        raise FrameError("a frame ends within its head")
    kind, size = HEAD.unpack(head)
    if size > MAX_BYTES:
        raise FrameError(f"a frame of {size} bytes, more than {MAX_BYTES}")
    body = stream.read(size)
    if len(body) < size:
        raise FrameError(f"a frame ends after {len(body)} of {size} bytes")
    return Frame(kind, body.decode("utf-8", "replace"))
