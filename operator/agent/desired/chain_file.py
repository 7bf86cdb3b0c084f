"""Chains from a file, in place of the API server: ConnectivityChains and ConnectivitySetSlices, as ``render`` prints them.

A file may be read while it is written, so what it lacks says nothing: the chains of a peering that it no longer names stay,
unless the administrator asked for their removal (``--prune``).
"""

import os
from pathlib import Path
from typing import Final

from liqo_connectivity.chains import AgentTable, ChainError, Incomplete, read_published
from liqo_connectivity.facts import UnparsableError, parse_manifest
from liqo_connectivity.operator.agent.desired.source import Desired

MAX_BYTES: Final = 1 << 30
"""The largest file that is read, in bytes."""
_SHOWN: Final = 3
"""How many missing slices an error names."""


class ChainFile:
    """The chains of a file, read again when it changes. Raises nothing: what is wrong with it is in what it gives."""

    def __init__(self, path: Path, *, prune: bool = False) -> None:
        self._path = path
        self._prune = prune
        self._seen: tuple[int, int, int] | str | None = None

    def changed(self) -> Desired | None:
        """What the file says now; None if it is as it was."""
        try:
            held = os.stat(self._path)
            version: tuple[int, int, int] | str = held.st_ino, held.st_mtime_ns, held.st_size
        except OSError as error:
            version = f"{self._path}: {error.strerror}"
        if version == self._seen:
            return None
        self._seen = version
        if isinstance(version, str):
            return Desired((), {"": version})
        try:
            return read_chains(self._path.read_bytes(), prune=self._prune)
        except OSError as error:
            return Desired((), {"": f"{self._path}: {error.strerror}"})
        except ChainsError as error:
            return Desired((), {"": f"{self._path}{error}"})


class ChainsError(ValueError):
    """A text is no list of chains: ``:<line>: <what is wrong>``, to stand after the name of the file."""


def read_chains(data: bytes, *, prune: bool = False) -> Desired:
    """The tables of all chains whose slices are there. Raises ChainsError if any object is not as it has to be."""
    try:
        objects = read_published(parse_manifest(data, MAX_BYTES))
    except UnparsableError as error:
        raise ChainsError(f":{error.line}: {error.message}; {error.help}") from None
    except ChainError as error:
        raise ChainsError(f": {error}") from None
    if not objects.chains:
        raise ChainsError(
            ": there is no ConnectivityChain in it; `liqo-connectivity render --enforcer agent -o yaml` prints some"
        )
    tables: list[AgentTable] = []
    problems: dict[str, str] = {}
    for key in sorted(objects.chains):
        peering = objects.chains[key].peering
        try:
            found = objects.tables(key)
        except ChainError as error:
            problems[peering] = str(error)
            continue
        if isinstance(found, Incomplete):
            names = [f"{each.name} at revision {each.revision}" for each in found.missing]
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            problems[peering] = f"ConnectivitySetSlices are missing: {', '.join(names[:_SHOWN])}{more}"
        else:
            tables += found
    return Desired(tuple(tables), problems, is_all=prune)
