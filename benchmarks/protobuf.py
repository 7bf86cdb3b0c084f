"""Fields of a protobuf message replaced by others, without its schema.

Wire format: https://protobuf.dev/programming-guides/encoding
"""

from collections.abc import Mapping

Changes = Mapping[int, "bytes | Changes"]
"""By field number, what a field is to hold, or what is to change in the message that it holds."""


def replaced(message: bytes, changes: Changes) -> bytes:
    """The message with other contents of some fields; of a field that is repeated, the first.

    Raises KeyError for a field that it does not have, and ValueError for what is no message.
    """
    made = bytearray()
    left = dict(changes)
    at = 0
    while at < len(message):
        begin = at
        tag, at = _varint(message, at)
        match tag & 7:
            case 0:
                _, at = _varint(message, at)
            case 1:
                at += 8
            case 5:
                at += 4
            case 2:
                size, at = _varint(message, at)
                content, at = message[at : at + size], at + size
                change = left.pop(tag >> 3, None)
                if change is not None:
                    new = change if isinstance(change, bytes) else replaced(content, change)
                    made += varint(tag) + varint(len(new)) + new
                    continue
            case kind:
                raise ValueError(f"no message: wire type {kind}")
        made += message[begin:at]
    if left:
        raise KeyError(next(iter(left)))
    return bytes(made)


def varint(value: int) -> bytes:
    """A number, seven bits to a byte."""
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    made.append(value)
    return bytes(made)


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
