"""The controller as a child process, with what it logs and serves, for tests that watch it from outside."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
QUICK = (
    "--retry-period=0.2",
    "--renew-deadline=2",
    "--lease-duration=3",
    "--request-timeout=1.5",
    "--agent-timeout=2",
    "--agent-settle=0.2",
    "--absent-interval=0.5",
    "--watch-backoff=0.1",
    "--watch-backoff-limit=1",
    "--retry-backoff=0.1",
    "--retry-backoff-limit=1",
    "--probes-address=127.0.0.1:0",
    "--answers-address=127.0.0.1:0",
)
"""Waits that are as short as a test wants them, and ports that are free."""


class Running:
    """A controller that runs."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process = process
        self.log = log

    def entries(self, message: str = "") -> list[dict[str, Any]]:
        """What it logged, lines of this message only if one is given."""
        found = [json.loads(line) for line in self.log.read_text("utf-8").splitlines() if line.startswith("{")]
        return [entry for entry in found if message in ("", entry["msg"])]

    def logged(self, message: str, seconds: float = 30) -> dict[str, Any]:
        """Wait until it has logged a message; its first line."""

        def found() -> list[dict[str, Any]]:
            assert self.process.poll() is None or self.entries(message), self.log.read_text("utf-8")
            return self.entries(message)

        entries: list[dict[str, Any]] = eventually(found, seconds)
        return entries[0]

    def port(self, served: str) -> int:
        """The port of what it serves: probes or answers."""
        self.logged("Started")
        return int(next(entry["port"] for entry in self.entries("Started to serve") if entry["what"] == served))

    def get(self, path: str, served: str = "probes") -> tuple[int, str]:
        """Ask it by HTTP: status and text."""
        connection = HTTPConnection("127.0.0.1", self.port(served), timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def ready(self) -> bool:
        """Whether it says that it is ready."""
        return self.get("/readyz")[0] == 200

    def ended(self, seconds: float = 30) -> int:
        """Wait until it ends; its exit code."""
        return self.process.wait(seconds)

    def stop(self) -> None:
        """End it in order, as Kubernetes does."""
        self.process.send_signal(signal.SIGTERM)
        assert self.ended() == 0, self.log.read_text("utf-8")

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.ended()


def environment() -> dict[str, str]:
    """The environment of a child that runs this checkout."""
    return {**os.environ, "PYTHONPATH": str(ROOT / "src")}


def command(kubeconfig: Path, *options: str) -> list[str]:
    """The command line of a controller with quick settings."""
    run = [sys.executable, "-m", "liqo_connectivity", "run", "--kubeconfig", str(kubeconfig)]
    return [*run, *QUICK, *options]


@contextmanager
def running(kubeconfig: Path, log: Path, *options: str) -> Iterator[Running]:
    """Start a controller; it is killed at the end if it still runs."""
    with log.open("w") as stream:
        process = subprocess.Popen(
            command(kubeconfig, *options), env=environment(), stdout=stream, stderr=stream, text=True
        )
    try:
        yield Running(process, log)
    finally:
        process.kill()
        process.wait()
