"""A checked program on disk, so that the built-in rules are parsed and checked once and not at every start.

The file holds plain data and no code. It is used only if it was made from the same texts by the same code.
"""

import marshal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from liqo_connectivity import __version__
from liqo_connectivity.engine import Program
from liqo_connectivity.engine.program.encoding import decode, encode
from liqo_connectivity.rules import cache_file

_SOURCES: Final = ("../engine/syntax", "../engine/program", ".")
"""The folders whose code makes a program of texts, and data of a program."""


def load_or_build(texts: Mapping[str, str], build: Callable[[], Program]) -> Program:
    """Give the program of some texts from the cache, or build it and keep it. Raises what ``build`` does."""
    path = cache_path()
    key = _key(texts) if path else None
    if path is None or key is None:
        return build()
    program = _read(path, key, texts)
    if program is None:
        program = build()
        cache_file.write(path, key, marshal.dumps(encode(program)))
    return program


def cache_path() -> Path | None:
    """Give the path of the cache; ``None`` for a Python that keeps no bytecode."""
    return cache_file.cache_path("program.marshal")


def _key(texts: Mapping[str, str]) -> str | None:
    return cache_file.digest(_SOURCES, __version__, [*texts.items()])


def _read(path: Path, key: str, texts: Mapping[str, str]) -> Program | None:
    body = cache_file.read(path, key)
    try:
        return None if body is None else decode(marshal.loads(body), texts)  # noqa: S302  it has our digest, and decodes to no code
    except (EOFError, TypeError, ValueError):
        return None
