"""The chains that an agent applied last, in a file of its node: after a reboot they are loaded before anybody is asked.

Nobody but the agent may write it, and none of it is used unless all of it is as it was written: a file that is torn, edited or
of another process is refused, and then the kernel stays as it is.
"""

import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from liqo_connectivity.chains import AgentTable, ChainError, publication, published_json
from liqo_connectivity.operator.agent.desired.chain_file import MAX_BYTES, ChainsError, read_chains

NAME: Final = "chains.json"
_FORM: Final = "liqo-connectivity-agent"
_VERSION: Final = 1


class SavedError(Exception):
    """The file cannot be used, or not be written; says why and what to do."""


class SavedChains:
    """The file ``chains.json`` of a folder, which is made if it is not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / NAME

    def read(self) -> tuple[AgentTable, ...]:
        """The tables that were saved; none if nothing was. Raises SavedError."""
        try:
            data = self._bytes()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise self._error(error.strerror or str(error)) from None
        head, _, body = data.partition(b"\n")
        try:
            stated: object = json.loads(head)
        except ValueError:
            stated = None
        if stated != _head(body):
            raise self._error("it is not as an agent of this version wrote it, but torn, edited, or of another program")
        try:
            found = read_chains(body)
        except ChainsError as error:
            raise self._error(str(error).lstrip(":0123456789 ")) from None
        if found.problems:
            raise self._error("; ".join(f"{peering}: {problem}" for peering, problem in found.problems.items()))
        return found.tables

    def write(self, tables: Mapping[str, tuple[AgentTable, ...]]) -> None:
        """Replace the file by one with these tables, of ip and of ip6 for each peering, whole or not at all. Raises SavedError."""
        try:
            publications = [publication((four, six), revision=1) for four, six in map(_both, tables.values())]
            body = published_json(publications).encode() if publications else b""
        except ChainError as error:
            raise self._error(f"cannot hold what was applied: {error}") from None
        part = self._folder / f".{NAME}"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check_folder()
            if not body:
                self._path.unlink(missing_ok=True)
                return
            with suppress(FileNotFoundError):
                part.unlink()
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(json.dumps(_head(body)).encode() + b"\n" + body)
                file.flush()
                os.fsync(file.fileno())
            part.rename(self._path)
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise self._error(f"cannot be written: {error.strerror or error}") from None

    def _bytes(self) -> bytes:
        self._check_folder()
        with open(os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            held = os.fstat(file.fileno())
            if not stat.S_ISREG(held.st_mode) or held.st_uid != os.geteuid() or held.st_mode & 0o077:
                raise self._error("others may write it: it has to be a file of this user with mode 0600")
            return file.read(MAX_BYTES)

    def _check_folder(self) -> None:
        held = os.stat(self._folder, follow_symlinks=False)
        if not stat.S_ISDIR(held.st_mode) or held.st_uid != os.geteuid() or held.st_mode & 0o077:
            raise SavedError(
                f"{self._folder}: others may write there: it has to be a folder of this user with mode 0700, and no link"
            )

    def _error(self, problem: str) -> SavedError:
        return SavedError(f"{self._path}: {problem}; delete it, and the agent writes another one")


def _head(body: bytes) -> dict[str, object]:
    return {"form": _FORM, "version": _VERSION, "bytes": len(body), "sha256": sha256(body).hexdigest()}


def _both(tables: tuple[AgentTable, ...]) -> tuple[AgentTable, AgentTable]:
    four, six = sorted(tables, key=lambda each: each.family)
    return four, six
