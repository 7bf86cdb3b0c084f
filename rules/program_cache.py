"""A checked program on disk, so that the built-in rules are parsed and checked once and not at every start.

It lies where Python keeps the bytecode of this folder, by the same rules: written when a program is first built, unless
Python writes no bytecode (``PYTHONDONTWRITEBYTECODE``) or may not write there; never needed. It holds plain data, and is
used only if it was made from the same texts by the same code, is whole, and could only have been written by somebody who
can also change the rules.
"""

import json
import os
import stat
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from importlib.util import cache_from_source
from pathlib import Path
from typing import Final

from liqo_connectivity import __version__
from liqo_connectivity.engine import Program
from liqo_connectivity.engine.program.encoding import decode, encode

_FOLDER: Final = Path(__file__).parent
_SOURCES: Final = ("../engine/syntax", "../engine/program", ".")
"""The folders whose code makes a program of texts, and data of a program."""
_DIGEST: Final = len(sha256().hexdigest())


def load_or_build(texts: Mapping[str, str], build: Callable[[], Program]) -> Program:
    """Give the program of some texts from the cache, or build it and keep it. Raises what ``build`` does."""
    path = cache_path()
    key = _key(texts) if path else None
    if path is None or key is None:
        return build()
    program = _read(path, key, texts)
    if program is None:
        program = build()
        if not sys.dont_write_bytecode:
            _write(path, key, program)
    return program


def cache_path() -> Path | None:
    """Give the path of the cache; ``None`` for a Python that keeps no bytecode."""
    try:
        return Path(cache_from_source(str(_FOLDER / "builtin.py"))).with_suffix(".json")
    except NotImplementedError:
        return None


def _key(texts: Mapping[str, str]) -> str | None:
    """Give a digest of all that the data depends on; ``None`` if the code is not there to be read."""
    digest = sha256(json.dumps([__version__, sys.version, [*texts.items()]]).encode())
    try:
        for folder in _SOURCES:
            for path in sorted((_FOLDER / folder).iterdir()):
                if path.suffix in (".py", ".lark"):
                    digest.update(b"%s %d " % (path.name.encode(), path.stat().st_size))
                    digest.update(path.read_bytes())
    except OSError:
        return None
    return digest.hexdigest()


def _read(path: Path, key: str, texts: Mapping[str, str]) -> Program | None:
    """Read a program whose file has the key, its own digest, and an owner and a mode to trust."""
    try:
        with open(path, "rb", opener=_open_no_link) as file:
            if not _is_trusted(os.fstat(file.fileno())):
                return None
            head, _, body = file.read().partition(b"\n")
        if head != _head(key, body):
            return None
        return decode(json.loads(body), texts)
    except (OSError, ValueError, RecursionError):
        return None


def _open_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0))


def _is_trusted(found: os.stat_result) -> bool:
    folder = os.stat(_FOLDER)
    # Where the whole group may change the rules, as with a umask of 002, it may change the cache too.
    others = stat.S_IWOTH | (stat.S_IWGRP & ~folder.st_mode)
    owners = {0, folder.st_uid, os.geteuid()} if hasattr(os, "geteuid") else {found.st_uid}
    return stat.S_ISREG(found.st_mode) and found.st_uid in owners and not found.st_mode & others


def _head(key: str, body: bytes) -> bytes:
    return f"{key} {sha256(body).hexdigest()}".encode()


def _write(path: Path, key: str, program: Program) -> None:
    """Write the file beside its place and move it there, so that it is never seen in part. May fail without a word."""
    body = json.dumps(encode(program), separators=(",", ":")).encode()
    beside = path.with_name(f"{path.name}.{os.urandom(8).hex()}")
    with suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        try:
            with open(beside, "xb", opener=_create) as file:
                file.write(_head(key, body) + b"\n" + body)
            beside.replace(path)
        except OSError:
            beside.unlink(missing_ok=True)


def _create(path: str, flags: int) -> int:
    return os.open(path, flags, 0o644)
