"""A process that cleans up after the tests, however they end: SIGKILL leaves nobody else to do it.

It must not know what the processes and files are.
"""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

# Its standard input is closed when the tests end. It is given the process groups that run, on one line, whenever they
# change.
_REAPER = """
import os, shutil, signal, sys

groups = []
for line in sys.stdin:
    groups = line.split()
for group in groups:
    try:
        os.killpg(int(group), signal.SIGKILL)
    except ProcessLookupError:
        pass
shutil.rmtree(sys.argv[1], ignore_errors=True)
"""


class Reaper:
    """Kills process groups and removes a folder: on request, or when this process ends."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-I", "-c", _REAPER, str(folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, text=True)

    def watch(self, groups: Iterable[int]) -> None:
        """These process groups are to be killed, and no others."""
        assert self._process.stdin
        print(*groups, file=self._process.stdin, flush=True)

    def reap(self) -> None:
        """Kill and remove now, and wait for it."""
        self._process.communicate()
