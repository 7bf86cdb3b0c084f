"""Whole child processes, timed from start to end, with their peak memory.

Runs of several commands are interleaved and the minimum of each is taken: what else the machine does only ever adds.
"""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

ROOT = Path(__file__).parent.parent
HUGE_PAGES = "glibc.malloc.hugetlb=1"
"""Every child asks for huge pages where the system has them, as the image does, unless the environment says otherwise."""


@dataclass(frozen=True, slots=True)
class Run:
    """One child: wall-clock and user CPU seconds, peak resident memory in bytes (its own children's, if more), output."""

    seconds: float
    user_seconds: float
    peak_bytes: int
    output: bytes


class ChildError(Exception):
    """A measured child failed: its exit code and what it said."""


def python(*arguments: str) -> list[str]:
    """The command that runs this Python with some arguments."""
    return [sys.executable, *arguments]


def run(command: list[str], exits: Sequence[int] = (0,)) -> Run:
    """Run a command to its end. Raises ChildError if its exit code is none of those expected."""
    path = os.pathsep.join((str(ROOT / "src"), os.environ.get("PYTHONPATH", "")))
    environment = {"GLIBC_TUNABLES": HUGE_PAGES, **os.environ, "PYTHONPATH": path}
    with TemporaryFile() as output, TemporaryFile() as errors:
        to_files = [
            (os.POSIX_SPAWN_DUP2, output.fileno(), 1),
            (os.POSIX_SPAWN_DUP2, errors.fileno(), 2),
        ]
        started = time.perf_counter()
        child = os.posix_spawn(command[0], command, environment, file_actions=to_files)
        _, status, usage = os.wait4(child, 0)
        seconds = time.perf_counter() - started
        code = os.waitstatus_to_exitcode(status)
        if code not in exits:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip()
            raise ChildError(f"{' '.join(command)} exited with {code}: {said}")
        output.seek(0)
        return Run(seconds, usage.ru_utime, usage.ru_maxrss * 1024, output.read())


def interleaved(commands: Mapping[str, list[str]], rounds: int, exits: Sequence[int] = (0,)) -> dict[str, Run]:
    """Run each command once a round; give the quickest run of each."""
    best: dict[str, Run] = {}
    for _ in range(rounds):
        for name, command in commands.items():
            done = run(command, exits)
            if name not in best or done.seconds < best[name].seconds:
                best[name] = done
    return best
