"""The generated functions of the engine on disk, so that they are written and compiled once and not at every start.

On a small cluster, that takes longer than all else that ``why`` does. The file is used only if the same engine made it.
Like Python's own bytecode, it is code for one version of Python, and trusted for the same reason.
"""

import atexit
import marshal
from functools import cache
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from typing import Final

from liqo_connectivity import __version__
from liqo_connectivity.engine.codegen.compilation import Codes, Templates, codes, templates
from liqo_connectivity.rules import cache_file

MOST: Final = 2000
"""The number of functions kept. A command has some hundreds; a process with more was no command."""
_SOURCES: Final = ("../engine/syntax", "../engine/program", "../engine/plan", "../engine/codegen")
"""The folders whose code makes functions of rules."""


@cache
def share() -> None:
    """Take the functions of earlier processes; when this one ends, keep those that it adds."""
    path, key = cache_path(), _key()
    if path is not None and key is not None:
        known, written = read(path, key)
        codes.update(known)
        templates.update(written)
        atexit.register(keep, path, key, len(codes) + len(templates))


def cache_path() -> Path | None:
    """Return the path of the cache; ``None`` for a Python that keeps no bytecode."""
    return cache_file.cache_path("functions.marshal")


def read(path: Path, key: str) -> tuple[Codes, Templates]:
    """Read the functions of earlier processes; none if there is no cache to trust."""
    body = cache_file.read(path, key)
    if body is None:
        return {}, {}
    found: tuple[Codes, Templates] = marshal.loads(body)  # noqa: S302  who can write it can write our bytecode too
    return found


def keep(path: Path, key: str, known: int) -> None:
    """Write the functions of this process, unless only so many are there as were known, or they are too many."""
    if len(codes) + len(templates) != known and max(len(codes), len(templates)) <= MOST:
        cache_file.write(path, key, marshal.dumps((codes, templates)))


def _key() -> str | None:
    return cache_file.digest(_SOURCES, __version__, MAGIC_NUMBER.hex())
