"""The agent as a process: one loop that applies what is wanted and repairs what others change, and a server.

Whatever ends it, the tables stay in the kernel: only ``agent --cleanup`` and the deletion of chains remove them.
"""

import logging
import math
import os
import select
import signal
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Final

import click

from liqo_connectivity.chains import AgentTable
from liqo_connectivity.operator import exits
from liqo_connectivity.operator.agent.applying.keeper import Keeper
from liqo_connectivity.operator.agent.applying.ownership import deletion, own_tables
from liqo_connectivity.operator.agent.desired.chain_file import ChainFile
from liqo_connectivity.operator.agent.desired.saved import SavedChains, SavedError
from liqo_connectivity.operator.agent.desired.source import Source
from liqo_connectivity.operator.agent.kernel.library import LibraryError, RefusedError
from liqo_connectivity.operator.agent.kernel.reader import Reader
from liqo_connectivity.operator.agent.kernel.writer import LostError, Writer
from liqo_connectivity.operator.agent.telling.metrics import registry
from liqo_connectivity.operator.agent.telling.server import agent_server
from liqo_connectivity.operator.agent.telling.state import AgentState, PeeringState
from liqo_connectivity.operator.controller import logs
from liqo_connectivity.operator.controller.logs import fields
from liqo_connectivity.operator.controller.serving.http_server import Server
from liqo_connectivity.operator.controller.serving.probes import Health, HealthCheck
from liqo_connectivity.operator.controller.settings import LOOPBACK, parse_address

_LOG: Final = logging.getLogger(__name__)
_ROUND: Final = 0.25
"""Seconds after which the loop turns although nobody changed a table: it looks for new chains, and tries again what failed."""
_GATHER: Final = 0.02
"""Seconds for which changes of others are gathered: one that writes again and again must not have the agent do nothing else."""
_RETRY: Final = 1.0
_RETRY_LIMIT: Final = 30.0
"""Seconds before what failed is tried again: the first time, and at most, doubled each time."""
_SAVE: Final = 2.0
"""Seconds between two writes of the saved chains: they are written as a whole."""
_SILENT: Final = 60.0
"""Seconds without a turn after which the agent is not alive. A transaction may take half of that."""


class Agent:
    """The loop. ``state`` may be read by any thread."""

    def __init__(self, writer: Writer, keeper: Keeper, source: Source, saved: SavedChains | None = None) -> None:
        self._writer = writer
        self._keeper = keeper
        self._source = source
        self._saved = saved
        self._stored: dict[str, tuple[AgentTable, ...]] = {}
        self._save_at = 0.0
        self._problems: Mapping[str, str] = {"": "no chains were read yet"}
        self._times: dict[str, float] = {}
        self._reported: dict[str, str] = {}
        self._retry_at = 0.0
        self._wait = _RETRY
        self.state = AgentState()
        """Immutable, and replaced in one assignment."""
        self.ticked = time.monotonic()
        """When the loop last came round, in seconds of the monotonic clock."""

    def begin(self) -> None:
        """Apply what was saved, and then what the source says. Raises as ``turn``."""
        if self._saved is not None:
            try:
                self._apply(self._saved.read())
            except SavedError as error:
                _LOG.error("Failed to load the saved chains; the kernel stays as it is", extra=fields(error=str(error)))
        self.turn()

    def end(self) -> None:
        """Save what is not saved yet. The tables stay."""
        self._save(math.inf)

    def turn(self) -> None:
        """One round. Raises LibraryError, and OSError if the kernel cannot be read."""
        repaired = self._keeper.repair()
        if repaired:
            _LOG.warning("Repaired what others had changed", extra=fields(tables=repaired, total=self._keeper.repairs))
        desired = self._source.changed()
        if desired is not None:
            self._problems = desired.problems
            self._apply(desired.tables)
            if desired.is_all:
                self._sweep({table.peering for table in desired.tables} | desired.problems.keys())
        elif self._keeper.failing and time.monotonic() >= self._retry_at:
            self._keeper.retry()
            self._wait = min(self._wait * 2, _RETRY_LIMIT)
            self._retry_at = time.monotonic() + self._wait
        self._save(time.monotonic())
        self._report()
        self.ticked = time.monotonic()

    def stay(self, stopping: int) -> None:
        """Turn until the descriptor ``stopping`` can be read."""
        poll = select.poll()
        poll.register(stopping, select.POLLIN)
        poll.register(self._keeper, select.POLLIN)
        while True:
            ready = [descriptor for descriptor, _ in poll.poll(_ROUND * 1000)]
            if stopping in ready:
                return
            if ready:
                time.sleep(_GATHER)
            self.turn()

    def _apply(self, tables: tuple[AgentTable, ...]) -> None:
        before = self._keeper.applied
        started = time.monotonic()
        self._keeper.want(tables)
        self._wait = _RETRY
        self._retry_at = time.monotonic() + self._wait
        applied = self._keeper.applied
        changed = [peering for peering in applied if applied[peering] != before.get(peering)]
        for peering in changed:
            self._times[peering] = time.time()
        if changed:
            took = round(time.monotonic() - started, 3)
            _LOG.info("Applied chains", extra=fields(peerings=changed, seconds=took))

    def _save(self, now: float) -> None:
        """Save what was applied, if that is something else than before and the last time is long enough ago."""
        applied = self._keeper.applied
        if self._saved is None or applied == self._stored or now < self._save_at:
            return
        self._save_at = now + _SAVE
        try:
            self._saved.write(applied)
        except SavedError as error:
            self._problems = {**self._problems, "": str(error)}
        else:
            self._stored = applied

    def _sweep(self, peerings: set[str]) -> None:
        gone = self._keeper.sweep(peerings)
        if gone:
            _LOG.info("Deleted tables", extra=fields(tables=[f"{each.family} {each.name}" for each in gone]))

    def _report(self) -> None:
        """Log what fails and what no longer does, and say it in the state."""
        errors = {**self._keeper.failing, **self._problems}
        for peering, error in errors.items():
            if self._reported.get(peering) != error:
                _LOG.error(
                    "Failed to apply chains; those applied last stay", extra=fields(peering=peering, error=error)
                )
        for peering in self._reported.keys() - errors.keys():
            _LOG.info("No longer failing", extra=fields(peering=peering))
        self._reported = errors
        applied = self._keeper.applied
        peerings = {
            peering: PeeringState(
                self._times.get(peering),
                sum(len(table.rules) for table in applied.get(peering, ())),
                sum(len(each.elements) for table in applied.get(peering, ()) for each in table.sets),
                errors.get(peering, ""),
            )
            for peering in sorted(applied.keys() | errors.keys() - {""})
        }
        tables = [(each.family, each.name) for held in applied.values() for each in held if not each.is_empty]
        self.state = replace(
            self.state,
            peerings=peerings,
            tables=tuple(tables),
            repairs=self._keeper.repairs,
            writes=self._keeper.writes,
            starts=self._writer.starts,
            unready="; ".join(f"{peering}: {error}" if peering else error for peering, error in sorted(errors.items())),
        )


@contextmanager
def stop_signals() -> Generator[int]:
    """A descriptor that can be read once SIGTERM or SIGINT came; the second one ends the process at once."""
    reading, writing = os.pipe()
    asked = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            os._exit(128 + number)
        asked = True
        os.write(writing, b"\0")

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield reading
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reading)
        os.close(writing)


@dataclass(frozen=True, slots=True)
class Options:
    """How an agent runs, as its flags say."""

    chains: Path | None
    prune: bool
    kubeconfig: str
    context: str
    saved: Path | None
    address: str
    log_format: str
    log_level: str


def run(options: Options, *, only_once: bool) -> int:
    """Run an agent, until a signal or for one turn; the exit code. Raises click.UsageError if it cannot run here."""
    logs.set_up(options.log_format, options.log_level)
    at = parse_address(options.address, "--address")
    if at is not None and at[0] not in LOOPBACK:
        raise click.UsageError(f"--address {options.address}: only loopback is served ({', '.join(LOOPBACK)})")
    saved = SavedChains(options.saved) if options.saved is not None else None
    with (
        _usable(),
        closing(Writer()) as writer,
        closing(Keeper(writer)) as keeper,
        stop_signals() as stopping,
        _source(options) as (source, is_alive),
    ):
        agent = Agent(writer, keeper, source, saved)
        agent.begin()
        if not only_once:
            server = _served(agent, is_alive, at) if at is not None else None
            agent.stay(stopping)
            if server is not None:
                server.stop()
        agent.end()
    return exits.UNKNOWN if only_once and agent.state.unready else exits.OK


def cleanup(saved: Path | None) -> int:
    """Delete all tables of ours and the saved chains; the exit code. Raises click.UsageError if it cannot run here."""
    with _usable(), closing(Writer()) as writer, closing(Reader()) as reader:
        try:
            gone = own_tables(reader)
            if gone:
                writer.apply(deletion(gone))
            if saved is not None and saved.exists():
                SavedChains(saved).write({})
        except (RefusedError, LostError, SavedError) as error:
            click.echo(f"error: {error}", err=True)
            return exits.INTERNAL
    for each in gone:
        click.echo(f"deleted table {each.family} {each.name}")
    return exits.OK


@contextmanager
def _usable() -> Generator[None]:
    """Say what an agent needs where it cannot run. Raises click.UsageError."""
    try:
        yield
    except LibraryError as error:
        raise click.UsageError(str(error)) from None
    except PermissionError as error:
        raise click.UsageError(f"{error.strerror}: this needs CAP_NET_ADMIN, so run it as root") from None


@contextmanager
def _source(options: Options) -> Generator[tuple[Source, Callable[[], bool]]]:
    """Where the chains come from, and whether it still works. Raises click.UsageError if no cluster is configured."""
    if options.chains is not None:
        yield ChainFile(options.chains, prune=options.prune), lambda: True
        return
    # The Kubernetes client is slow to import.
    from liqo_connectivity.operator.agent.desired.watches import PublishedWatches
    from liqo_connectivity.operator.kube.connection import NotConfigured, connect
    from liqo_connectivity.operator.kube.rest_client import RestClient

    try:
        watches = PublishedWatches(RestClient(connect(options.kubeconfig, options.context)))
    except NotConfigured as error:
        raise click.UsageError(str(error)) from None
    watches.start()
    try:
        yield watches, watches.is_alive
    finally:
        watches.stop()


def _served(agent: Agent, is_alive: Callable[[], bool], at: tuple[str, int]) -> Server:
    health = Health(_SILENT, lambda: agent.ticked)
    health.add(HealthCheck("chains", is_alive, lambda: agent.state.unready))
    try:
        server = agent_server(*at, health, registry(lambda: agent.state), lambda: agent.state)
    except OSError as error:
        raise click.UsageError(f"--address {at[0]}:{at[1]}: {error.strerror or error}") from None
    server.start()
    _LOG.info("Started to serve", extra=fields(host=at[0], port=server.port))
    return server
