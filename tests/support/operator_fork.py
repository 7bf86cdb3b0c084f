"""Controllers that start at once: children forked from a process that has imported everything.

For tests that start hundreds of them, to be killed at any point. It must not know what a controller does.
"""

import multiprocessing
import os
import signal
import sys
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_PRELOADED = ["liqo_connectivity.operator.verbs", "liqo_connectivity.operator.commands.run"]
_IMPORTED_LATE = ["liqo_connectivity.operator.controller.process", "liqo_connectivity.engine.incremental.database"]

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([*_PRELOADED, *_IMPORTED_LATE])


def start(arguments: list[str], log: Path) -> ForkServerProcess:
    """Run ``liqo-connectivity`` with some arguments; what it says goes into a file."""
    process = _context.Process(target=_run, args=(arguments, str(log)), daemon=True)
    process.start()
    return process


def _run(arguments: list[str], log: str) -> None:
    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from liqo_connectivity.operator import cli

    sys.exit(cli.run(arguments))
