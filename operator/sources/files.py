"""Manifests and dumps from files, with a progress bar on a terminal if reading takes long.

A missing path is wrong usage; a defect inside a file is a problem of the reading.
"""

import os
import sys
import threading
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Self

import click

from liqo_connectivity.facts import Edits, Reading, kinds_absent, read

if TYPE_CHECKING:
    # click has no public name for the type of its bar.
    from click._termui_impl import ProgressBar

_QUIET_SECONDS = 1.0
_REDRAW_SECONDS = 0.2
_CLEAR = "\x1b[A\x1b[K"
"""Goes up to the line on which click leaves the finished bar, and erases it."""


def read_files(
    paths: Sequence[str], assume_complete: bool = False, keep: Collection[str] = (), edits: Edits | None = None
) -> Reading:
    """Read manifests and dumps; ``-`` is stdin. ``keep`` and ``edits`` are those of Collector.

    A kind without any object is a fact, unless the files are said to be complete. Raises click.UsageError for a path that
    does not exist.
    """
    for path in paths:
        if path != "-" and not os.path.exists(path):
            raise click.UsageError(f"there is no file or folder {path!r}; -f takes manifests, a dump, or - for stdin")
    reading = _read(paths, keep, edits)
    for each in (reading, reading.edited):
        if each is not None and each.absent and not assume_complete:
            facts = kinds_absent(each.absent)
            each.base.replace(facts[0].source.key, facts)
    return reading


def _read(paths: Sequence[str], keep: Collection[str], edits: Edits | None) -> Reading:
    if not sys.stderr.isatty():
        return read(paths, keep=keep, edits=edits)
    with _ProgressBar() as bar:
        return read(paths, progress=bar.advance, keep=keep, edits=edits)


class _ProgressBar:
    """Shows on stderr how much has been read, once reading has taken a second; cleared when it ends.

    A thread draws the bar, because parsing one large file reports nothing until it is done.
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
        """Note how many bytes have been read, and how many there are in all."""
        self._done, self._total = done, total

    def _draw(self) -> None:
        if self._ended.wait(_QUIET_SECONDS):
            return
        shown: ProgressBar[int] = click.progressbar(
            length=max(self._total, 1),
            label="reading",
            file=sys.stderr,
            show_eta=False,
            item_show_func=lambda _: f"{self._done >> 20} of {self._total >> 20} MiB",
        )
        with shown as bar:
            ended = False
            while not ended:
                ended = self._ended.wait(_REDRAW_SECONDS)
                bar.length = max(self._total, 1)
                bar.update(self._done - bar.pos)
        click.echo(_CLEAR, err=True, nl=False)
