"""Manifests and dumps read from files, with a progress bar on a terminal if that takes long.

A path that does not exist is wrong usage; anything wrong inside a file is a problem of the reading.
"""

import os
import sys
import threading
from collections.abc import Sequence
from typing import Self

import click

from liqo_connectivity.facts import Reading, read

_QUIET_SECONDS = 1.0
_REDRAW_SECONDS = 0.2
_BAR_WIDTH = 30


def read_files(paths: Sequence[str]) -> Reading:
    """Read manifests and dumps; ``-`` is stdin. Raises click.UsageError for a path that does not exist."""
    for path in paths:
        if path != "-" and not os.path.exists(path):
            raise click.UsageError(f"there is no file or folder {path!r}; -f takes manifests, a dump, or - for stdin")
    if not sys.stderr.isatty():
        return read(paths)
    with _ProgressBar() as bar:
        return read(paths, progress=bar.advance)


class _ProgressBar:
    """Draws on stderr how far reading has come, once it has taken a second; cleared when it ends.

    A thread draws, since a single large file is parsed in one call that reports nothing until it is done.
    """

    def __init__(self) -> None:
        self._done, self._total = 0, 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._draw, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def advance(self, done: int, total: int) -> None:
        """Take note of the bytes that are read, of those there are."""
        self._done, self._total = done, total

    def _draw(self) -> None:
        if self._ended.wait(_QUIET_SECONDS):
            return
        while True:
            filled = _BAR_WIDTH * self._done // max(self._total, 1)
            bar = "#" * filled + "." * (_BAR_WIDTH - filled)
            click.echo(f"\rreading [{bar}] {self._done >> 20} of {self._total >> 20} MiB", err=True, nl=False)
            if self._ended.wait(_REDRAW_SECONDS):
                # Erases the line, so that what comes next starts on a clean one.
                click.echo("\r\x1b[K", err=True, nl=False)
                return
