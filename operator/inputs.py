"""What a command is given, read: files or the live cluster, and rule files.

The one place of the command line that reads files. A path that does not exist is wrong usage; anything wrong inside a
file is a problem of the reading. This module must not judge what it reads.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from liqo_connectivity.engine import Program, ProgramError
from liqo_connectivity.facts import Reading, read
from liqo_connectivity.operator.options import Input
from liqo_connectivity.rules.program import load

_QUIET_SECONDS = 1.0
_BAR_WIDTH = 30


def read_input(given: Input) -> Reading:
    """Read the objects that a command was given. Raises click.UsageError for a path that does not exist."""
    if not given.files:
        # Only this branch needs the Kubernetes client, which takes long to import.
        from liqo_connectivity.operator.live import read_cluster

        return read_cluster(given.kubeconfig, given.context)
    for path in given.files:
        if path != "-" and not os.path.exists(path):
            raise click.UsageError(f"there is no file or folder {path!r}; -f takes manifests, a dump, or - for stdin")
    with_bar = sys.stderr.isatty()
    return read(given.files, progress=_progress_bar() if with_bar else None)


def load_rules(paths: tuple[str, ...]) -> Program:
    """Read the policy program with the rule files that a command was given.

    Raises click.UsageError for a file that cannot be read or is not a program, with the diagnostics.
    """
    added: dict[str, str] = {}
    for path in paths:
        try:
            added[path] = Path(path).read_text("utf-8")
        except OSError as error:
            raise click.UsageError(f"--rules {path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise click.UsageError(f"--rules {path}: is not UTF-8 text; give a file of Datalog rules") from None
    try:
        return load(added)
    except ProgramError as error:
        raise click.UsageError(f"the rules cannot be used\n\n{error}") from None


def _progress_bar() -> Callable[[int, int], None]:
    """Draw a bar on stderr once reading has taken a second."""
    started = time.monotonic()

    def draw(done: int, total: int) -> None:
        if time.monotonic() - started < _QUIET_SECONDS or not total:
            return
        filled = _BAR_WIDTH * done // total
        bar = "#" * filled + "." * (_BAR_WIDTH - filled)
        end = "\n" if done >= total else ""
        click.echo(f"\rreading [{bar}] {done >> 20} of {total >> 20} MiB{end}", err=True, nl=False)

    return draw
