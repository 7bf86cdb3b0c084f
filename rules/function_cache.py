"""The compiled functions of the engine on disk, so that they are compiled once and not at every start.

Code is stored under the whole source that it was compiled from, so it is the code that compiling would give, whatever
the rules and the version of the engine. Like Python's own bytecode, it is for one version of Python.
"""

import atexit
import marshal
import sys
from functools import cache
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from typing import Final

from liqo_connectivity.engine.codegen.compilation import Codes, codes
from liqo_connectivity.rules import cache_file

MOST: Final = 2000
"""The number of functions kept. A command has some hundreds; a process with more was no command."""


@cache
def share() -> None:
    """Take the functions of earlier processes; when this one ends, keep those that it adds."""
    path = cache_path()
    if path is not None:
        found = read(path)
        codes.update(found)
        atexit.register(keep, path, found)


def cache_path() -> Path | None:
    """Return the path of the cache; ``None`` for a Python that keeps no bytecode."""
    return cache_file.cache_path("functions.marshal")


def read(path: Path) -> Codes:
    """Read the functions of earlier processes; none if there is no cache to trust."""
    body = cache_file.read(path, _key())
    found: Codes = {} if body is None else marshal.loads(body)  # noqa: S302  who can write it can write our bytecode too
    return found


def keep(path: Path, known: Codes) -> None:
    """Write the functions of this process, unless all are known or they are too many."""
    if codes.keys() - known.keys() and len(codes) <= MOST:
        cache_file.write(path, _key(), marshal.dumps(codes))


def _key() -> str:
    return f"{sys.version} {MAGIC_NUMBER.hex()}".replace("\n", " ")
