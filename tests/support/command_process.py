"""The command line as a process that a shell runs, with real streams, signals and exit codes."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.checkout import ROOT


@dataclass(frozen=True)
class Shell:
    """Runs shell commands in which ``$LIQO`` is the command line. ``cache`` is where its bytecode and caches are."""

    cache: Path

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """The environment of a command: that of the tests, without what they set for Python."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        own = {"PYTHONPATH": str(ROOT / "src"), "PYTHONPYCACHEPREFIX": str(self.cache)}
        return {**clean, **own, "LIQO": f"{sys.executable} -m liqo_connectivity", **variables}

    def run(self, script: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
        """Run a script of bash in the root of the checkout."""
        return subprocess.run(
            ["bash", "-c", script],
            cwd=ROOT,
            env=self.environment(variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=False,
        )

    def start(self, *arguments: str, **variables: str) -> "subprocess.Popen[bytes]":
        """Start the command line itself in a new session, with a pipe for each stream."""
        return subprocess.Popen(
            [sys.executable, "-m", "liqo_connectivity", *arguments],
            cwd=ROOT,
            env=self.environment(variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )


def is_one_line(stderr: bytes, text: str) -> bool:
    """Whether stderr is a single line, with a text in it and no traceback."""
    (line,) = stderr.decode().splitlines() or [""]
    return text in line and "internal error" not in line and "Traceback" not in line
