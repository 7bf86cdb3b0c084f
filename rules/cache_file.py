"""Files that keep the work of one process for the next, beside the bytecode of this folder.

Python's rules for bytecode hold for them: written unless Python writes none (``PYTHONDONTWRITEBYTECODE``) or may not
write there; never needed. A file is used only if it has the expected key, is whole, and could only have been written by
somebody who can also change the code.
"""

import json
import os
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib.util import cache_from_source, source_hash
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent


def cache_path(name: str) -> Path | None:
    """Return the path of a file, such as ``program.marshal``; ``None`` for a Python that keeps no bytecode."""
    stem, _, suffix = name.partition(".")
    try:
        return Path(cache_from_source(str(FOLDER / f"{stem}.py"))).with_suffix(f".{suffix}")
    except NotImplementedError:
        return None


def digest(folders: Iterable[str], *values: object) -> str | None:
    """Give a digest of values and of the source in some folders; ``None`` if the source is not there to be read.

    ``folders`` are relative to this one; ``values`` are what JSON holds.
    """
    found = [json.dumps([sys.version, *values]).encode()]
    try:
        for folder in folders:
            for path in sorted((FOLDER / folder).iterdir()):
                if path.suffix in (".py", ".lark"):
                    text = path.read_bytes()
                    found += b"%s %d " % (path.name.encode(), len(text)), text
    except OSError:
        return None
    return _hash(b"".join(found))


def read(path: Path, key: str) -> bytes | None:
    """Read what was written with the same key; ``None`` if the file is absent, damaged or not to be trusted."""
    try:
        with open(path, "rb", opener=_open_no_link) as file:
            if not _is_trusted(os.fstat(file.fileno())):
                return None
            head, _, body = file.read().partition(b"\n")
    except (OSError, ValueError):
        return None
    return body if head == _head(key, body) else None


def write(path: Path, key: str, body: bytes) -> None:
    """Write the file beside its place and move it there, so that it is never seen in part. May fail without a word."""
    if sys.dont_write_bytecode:
        return
    beside = path.with_name(f"{path.name}.{os.urandom(8).hex()}")
    with suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        try:
            with open(beside, "xb", opener=_create) as file:
                file.write(_head(key, body) + b"\n" + body)
            beside.replace(path)
        except OSError:
            beside.unlink(missing_ok=True)


def _open_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0))


def _create(path: str, flags: int) -> int:
    return os.open(path, flags, 0o644)


def _is_trusted(found: os.stat_result) -> bool:
    folder = os.stat(FOLDER)
    # Where the whole group may change the rules, as with a umask of 002, it may change the cache too.
    others = stat.S_IWOTH | (stat.S_IWGRP & ~folder.st_mode)
    owners = {0, folder.st_uid, os.geteuid()} if hasattr(os, "geteuid") else {found.st_uid}
    return stat.S_ISREG(found.st_mode) and found.st_uid in owners and not found.st_mode & others


def _head(key: str, body: bytes) -> bytes:
    return f"{key} {_hash(body)}".encode()


def _hash(data: bytes) -> str:
    # As Python hashes the source of bytecode files: anyone who could forge one could also change the code.
    return source_hash(data).hex()
