"""Bytes of a file in, its text out: packed or not, in UTF-8, or in the encoding that its byte order mark names."""

import codecs
from typing import Final

from liqo_connectivity.facts.parsing.documents import UnparsableError

_GZIP: Final = b"\x1f\x8b"
# UTF-32 before UTF-16, whose mark its own begins with.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BINARY: Final = "has a NUL byte: it is not text"
_HELP: Final = "give a manifest in YAML or JSON, in UTF-8"


def text_of(data: bytes, max_bytes: int) -> str:
    """The text of a file; gzip is unpacked, up to ``max_bytes``.

    Raises:
        UnparsableError: the data are too large, not valid gzip, or not text.
    """
    if data.startswith(_GZIP):
        data = _unpacked(data, max_bytes)
    if len(data) > max_bytes:
        raise UnparsableError(0, f"is larger than {max_bytes} bytes", "split it into several files")
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8-sig")
    zero = data.find(b"\0") if encoding == "utf-8-sig" else -1
    if zero >= 0:
        raise UnparsableError(data.count(b"\n", 0, zero) + 1, _BINARY, _HELP)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].decode(encoding, "ignore").count("\n") + 1
        raise UnparsableError(line, f"is not {encoding.removesuffix('-sig').upper()} text", _HELP) from None
    if "\0" in text:
        raise UnparsableError(text.count("\n", 0, text.index("\0")) + 1, _BINARY, _HELP)
    return text


def _unpacked(data: bytes, max_bytes: int) -> bytes:
    import gzip  # Few files are packed.
    import io
    import zlib

    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            return file.read(max_bytes + 1)
    except (OSError, EOFError, zlib.error):
        raise UnparsableError(
            0, "is not valid gzip data", "the file looks cut off or damaged: write it again"
        ) from None
