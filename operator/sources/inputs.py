"""What a command is given, read: files or the live cluster, and rule files.

The one place of the command line that reads files or asks others to. A path that does not exist is wrong usage; anything wrong inside a
file is a problem of the reading. This module must not judge what it reads.
"""

import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import click

from liqo_connectivity.engine import Program, ProgramError
from liqo_connectivity.facts import Reading, read
from liqo_connectivity.operator.commands.options import Input, Objects
from liqo_connectivity.operator.sources import remote
from liqo_connectivity.rules.program import load

_QUIET_SECONDS = 1.0
_REDRAW_SECONDS = 0.2
_BAR_WIDTH = 30


def read_input(objects: Objects) -> Reading:
    """Read the objects that a command was given.

    Raises click.UsageError for a path that does not exist, or a cluster or controller that cannot be reached.
    """
    if objects.operator:
        return remote.read_facts()
    if not objects.files:
        # Only this branch needs the Kubernetes client, which takes long to import.
        from liqo_connectivity.operator.sources.live import read_cluster

        return read_cluster(objects.kubeconfig, objects.context)
    for path in objects.files:
        if path != "-" and not os.path.exists(path):
            raise click.UsageError(f"there is no file or folder {path!r}; -f takes manifests, a dump, or - for stdin")
    if not sys.stderr.isatty():
        return read(objects.files)
    with _ProgressBar() as bar:
        return read(objects.files, progress=bar.advance)


def input_rules(given: Input) -> Program:
    """Read the policy program that a command is to answer by. Raises click.UsageError."""
    return build_rules(remote.read_rules()) if given.objects.operator else load_rules(given.rules)


def load_rules(paths: tuple[str, ...]) -> Program:
    """Read the policy program with the rule files that a command was given.

    Raises click.UsageError for a file that cannot be read or is not a program, with the diagnostics.
    """
    return build_rules(rule_texts(paths))


def build_rules(added: Mapping[str, str]) -> Program:
    """Build the policy program with added rule files, text by name.

    Raises click.UsageError for one that is not a program, with the diagnostics.
    """
    try:
        return load(added)
    except ProgramError as error:
        raise click.UsageError(f"the rules cannot be used\n\n{error}") from None


def rule_texts(paths: tuple[str, ...]) -> dict[str, str]:
    """Read rule files: text by path. Raises click.UsageError for one that cannot be read."""
    texts: dict[str, str] = {}
    for path in paths:
        try:
            texts[path] = Path(path).read_text("utf-8")
        except OSError as error:
            raise click.UsageError(f"--rules {path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise click.UsageError(f"--rules {path}: is not UTF-8 text; give a file of Datalog rules") from None
    return texts


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
