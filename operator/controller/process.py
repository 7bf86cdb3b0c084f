"""The controller as a process: its threads, its servers, its signals and its orderly end.

The main thread starts all others and waits for the first reason to exit. On SIGTERM the control loop takes no more
batches, finishes the write under way, and only then is the lease released, so that the next leader never writes at the
same time.
"""

import gc
import logging
import os
import signal
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum
from queue import Empty, SimpleQueue
from threading import Thread
from types import FrameType
from typing import Final

import click

from liqo_connectivity import __version__
from liqo_connectivity.engine import Program
from liqo_connectivity.operator.controller import logs
from liqo_connectivity.operator.controller.logs import fields
from liqo_connectivity.operator.controller.manager import ExitReason, Manager
from liqo_connectivity.operator.controller.one_shot import run_once
from liqo_connectivity.operator.controller.serving.http_server import Server
from liqo_connectivity.operator.controller.serving.probes import Health, HealthCheck, probes_server
from liqo_connectivity.operator.controller.serving.state_server import answers_server
from liqo_connectivity.operator.controller.settings import Settings, parse_address
from liqo_connectivity.operator.controller.watching.reflector import Reflector
from liqo_connectivity.operator.kube.connection import NotConfigured
from liqo_connectivity.operator.kube.errors import NotLeading
from liqo_connectivity.rules.program import builtin_texts

_LOG: Final = logging.getLogger(__name__)
_POLL: Final = 0.1
"""Seconds between two checks whether the cluster has been read."""
_YOUNG: Final = 10_000
"""Objects made before Python looks for cycles among them. Decoded objects form none and are kept: looking after every
700, the default, takes as long as decoding."""


class Mode(Enum):
    """What the process does: run until a signal, write once and exit, or print what it would write and exit."""

    STAY = "stay"
    ONCE = "once"
    DRY_RUN = "dry run"


def run(
    settings: Settings, mode: Mode, kubeconfig: str, context: str, program: Program, added: Mapping[str, str]
) -> int:
    """Run the controller until it exits; the exit code.

    ``added`` are the texts of the rule files in ``program`` besides the built-in ones. Raises click.UsageError if no
    cluster is configured or an address is not available.
    """
    logs.set_up(settings.log_format, settings.log_level)
    gc.set_threshold(_YOUNG)
    try:
        manager = Manager(settings, kubeconfig, context, program, writing=mode is not Mode.DRY_RUN)
    except NotConfigured as error:
        raise click.UsageError(str(error)) from None
    with _signals(manager.ended):
        about = fields(version=__version__, mode=mode.value, identity=manager.identity)
        if mode is not Mode.STAY:
            _LOG.info("Started", extra=about)
            return run_once(manager, dry=mode is Mode.DRY_RUN)
        process = Process(manager)
        process.serve(added)
        _LOG.info("Started", extra=about)
        return process.stay()


@contextmanager
def _signals(ended: "SimpleQueue[ExitReason]") -> Generator[None]:
    """Make the first SIGTERM or SIGINT a reason to exit, and exit at once on the second."""
    asked = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            os._exit(128 + number)
        asked = True
        # Of all queues, only this one may be used by a handler that interrupts its own thread.
        ended.put(ExitReason.SIGNAL)

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Process:
    """A controller that runs until a signal: the thread of its loop, its servers, and its end."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._loop = Thread(target=self._run_loop, name="controller", daemon=True)
        self._health = Health(manager.settings.liveness_timeout, lambda: manager.loop.tick)
        self._servers: list[Server] = []
        # Written by the main thread only, read by the probes: an immutable value, replaced in one assignment.
        self._begun = False

    # ---- Serving ----

    def _once_begun(self, check: HealthCheck) -> HealthCheck:
        """The same check, which passes until the threads are started: the probes are served before."""
        return replace(check, alive=lambda: not self._begun or check.alive())

    def serve(self, added: Mapping[str, str]) -> None:
        """Serve the probes and the state. Raises click.UsageError."""
        manager, health, settings = self._manager, self._health, self._manager.settings
        for reflector in manager.reflectors:
            health.add(self._once_begun(_reflector_check(reflector)))
        health.add(
            self._once_begun(
                HealthCheck("controller", self._loop.is_alive, lambda: "" if manager.loop.loaded else "evaluating")
            )
        )
        elector = manager.elector
        if elector is not None:
            health.add(HealthCheck("lease", lambda: elector.alive or not manager.campaigning, lambda: ""))
        self._listen(
            "--probes-address",
            settings.probes_address,
            lambda host, port: probes_server(host, port, health, manager.metrics),
        )
        self._listen(
            "--answers-address",
            settings.answers_address,
            lambda host, port: answers_server(host, port, manager.snapshot, builtin_texts(), added),
        )

    def _listen(self, flag: str, address: str, make: Callable[[str, int], Server]) -> None:
        at = parse_address(address, flag)
        if at is None:
            return
        try:
            server = make(*at)
        except OSError as error:
            raise click.UsageError(f"{flag} {address}: {error.strerror or error}") from None
        server.start()
        self._servers.append(server)
        what = flag.removeprefix("--").removesuffix("-address")
        _LOG.info("Started to serve", extra=fields(what=what, host=at[0], port=server.port))

    # ---- Staying ----

    def stay(self) -> int:
        """Run until there is a reason to exit, and end in order; the exit code."""
        manager = self._manager
        manager.start_reflectors()
        self._loop.start()
        self._begun = True
        end = self._wait()
        _LOG.info("Began to drain", extra=fields(reason=end.value))
        self._health.drain()
        manager.changes.close()
        if end is ExitReason.SIGNAL:
            self._loop.join(manager.settings.drain_timeout)
        writing = self._loop.is_alive()
        if writing and end is ExitReason.SIGNAL:
            # No other process may lead before the lease expires.
            _LOG.error("Write did not finish", extra=fields(seconds=manager.settings.drain_timeout))
            end = ExitReason.FAULT
        manager.stop(release=not writing)
        for server in self._servers:
            server.stop()
        _LOG.info("Stopped", extra=fields(reason=end.value))
        return end.code

    def _wait(self) -> ExitReason:
        manager = self._manager
        while True:
            try:
                return manager.ended.get(timeout=None if manager.campaigning else _POLL)
            except Empty:
                manager.campaign()

    def _run_loop(self) -> None:
        try:
            self._manager.loop.run()
        except NotLeading:
            self._manager.ended.put(ExitReason.LOST)
        except Exception:  # noqa: BLE001  it is logged, and ends the process
            _LOG.exception("Controller failed")
            self._manager.ended.put(ExitReason.FAULT)


def _reflector_check(reflector: Reflector) -> HealthCheck:
    return HealthCheck(
        f"watch {reflector.resource.name}",
        lambda: reflector.alive,
        lambda: "" if reflector.synced.is_set() else "not listed yet",
    )
