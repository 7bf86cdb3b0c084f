"""The settings of the controller: every flag of ``run`` with its default and the reason for it, written once.

The command line, the environment variables and the documentation are made from the fields of one class. This module
must not read the environment or anything else.
"""

from collections.abc import Callable, Iterator
from dataclasses import Field, dataclass, field, fields
from functools import wraps
from typing import Any, Final, TypeVar, cast

import click

_R = TypeVar("_R")

ENVIRONMENT: Final = "LIQO_CONNECTIVITY"
"""``--lease-duration`` is also ``LIQO_CONNECTIVITY_LEASE_DURATION``; the flag wins."""


class SettingsError(ValueError):
    """Two settings that cannot go together, or a value that is none: names the flags."""


def _seconds(default: float, about: str, least: float = 0.0) -> float:
    return field(default=default, metadata={"about": about, "type": click.FloatRange(min=least)})


def _count(default: int, about: str, least: int = 1) -> int:
    return field(default=default, metadata={"about": about, "type": click.IntRange(min=least)})


def _text(default: str, about: str, choices: tuple[str, ...] = ()) -> str:
    kind = click.Choice(choices) if choices else click.STRING
    return field(default=default, metadata={"about": about, "type": kind})


def _switch(default: bool, about: str) -> bool:
    return field(default=default, metadata={"about": about, "type": click.BOOL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the controller behaves; all times are seconds. Raises SettingsError for what cannot go together."""

    # ---- Where ----
    namespace: str = _text(
        "", "The namespace of the lease. Empty: the pod's own in a cluster, else the namespace of the context."
    )
    liqo_namespace: str = _text("liqo", "Where Liqo is installed, and so where its agents run.")

    # ---- Leadership: 15, 10 and 2 s are the defaults of every Kubernetes controller ----
    leader_election: bool = _switch(True, "Write only while holding the lease. Off only where nothing else may run.")
    lease_name: str = _text("liqo-connectivity-engine", "The name of the lease.")
    lease_duration: float = _seconds(15.0, "How long others wait before they take over from a leader that is silent.")
    renew_deadline: float = _seconds(10.0, "How long a leader goes on writing without having renewed its lease.")
    retry_period: float = _seconds(2.0, "How often the lease is tried.", 0.01)

    # ---- Reading ----
    # Above the 5 s that an overloaded API server may queue a request, below the deadline of the lease.
    request_timeout: float = _seconds(8.0, "How long one request may take; watches have their own bounds.", 0.05)
    page_size: int = _count(500, "Objects for each request where the server cannot stream a list: as kubectl asks for.")
    # The server ends watches after 30 to 60 minutes anyway; a new one every few minutes spreads over its replicas.
    watch_timeout: float = _seconds(300.0, "How long a watch is asked to last; each takes up to a tenth less.", 1.0)
    # Bookmarks come once a minute, but the first of a watch may take two (Kubernetes 1.37).
    watch_silence: float = _seconds(150.0, "How long a watch may be silent before it counts as dead.", 0.1)
    # An event that was lost shows in nothing else; 10,000 pods cost half a second of CPU.
    resync_interval: float = _seconds(600.0, "How often everything is listed anew, however well watches go.", 1.0)
    absent_interval: float = _seconds(5.0, "How often a kind whose CRD is absent is looked for.", 0.05)
    # After a fault has ended, everything is to be right again within ten seconds.
    watch_backoff: float = _seconds(0.2, "The first wait after a watch has failed; doubled each time, with jitter.")
    watch_backoff_limit: float = _seconds(5.0, "The longest wait after a watch has failed.")

    # ---- Deciding ----
    # A rollout changes many pods at once; 15 ms gather them and are not noticed.
    debounce: float = _seconds(0.005, "How long changes are gathered after the first.")

    # ---- Writing ----
    # Each write makes Liqo's agents load a table on every node.
    write_interval: float = _seconds(0.5, "The least time between two writes of one object; the first goes at once.")
    write_interval_limit: float = _seconds(3.0, "What that time may grow to while changes keep coming.")
    # Of 500 addresses each, an API server on two cores stores 40 a second at most, and everybody's latency suffers then.
    write_rate: int = _count(30, "How many FirewallConfigurations are written in a second at most, on average.")
    retry_backoff: float = _seconds(0.5, "The first wait after a write was refused; doubled each time, with jitter.")
    # What was mended, a permission or the server itself, is noticed within ten seconds.
    retry_backoff_limit: float = _seconds(8.0, "The longest wait after a write was refused.")
    # Liqo's agents apply a change within a second, a loaded node in several.
    agent_timeout: float = _seconds(
        30.0, "How long a deletion waits for Liqo's agents to empty their tables, and for the object to be gone."
    )
    # The status may still be that of the generation before.
    agent_settle: float = _seconds(2.0, "How long agents' reports must have been good before they count as settled.")
    sweep_interval: float = _seconds(600.0, "How often objects of ours that no policy owns are looked for.", 0.05)

    # ---- Serving ----
    probes_address: str = _text(":8081", "Where /healthz, /readyz and /metrics are served; empty for nowhere.")
    answers_address: str = _text(
        "127.0.0.1:8082", "Where the state is served for `why --operator`; loopback only, empty for nowhere."
    )
    # The first evaluation of a large cluster takes seconds; a restart would only begin it again.
    liveness_timeout: float = _seconds(60.0, "How long the controller's loop may be silent before /healthz fails.", 1.0)
    # Kubernetes kills after 30 s, and the lease must be released before.
    drain_timeout: float = _seconds(20.0, "How long the current write may take to finish after SIGTERM.")
    once_timeout: float = _seconds(120.0, "How long --once and --dry-run may take.", 0.1)

    # ---- Telling ----
    log_format: str = _text("auto", "auto is text on a terminal and json elsewhere.", ("auto", "json", "text"))
    log_level: str = _text("info", "The least severity that is logged.", ("debug", "info", "warning", "error"))

    def __post_init__(self) -> None:
        for flag, value, other, limit in (
            ("--renew-deadline", self.renew_deadline, "--lease-duration", self.lease_duration),
            ("--retry-period", self.retry_period, "--renew-deadline", self.renew_deadline),
        ):
            if not value < limit:
                raise SettingsError(f"{flag} ({value:g} s) must be less than {other} ({limit:g} s)")
        for flag, value, other, limit in (
            ("--request-timeout", self.request_timeout, "--renew-deadline", self.renew_deadline),
            ("--write-interval", self.write_interval, "--write-interval-limit", self.write_interval_limit),
            ("--retry-backoff", self.retry_backoff, "--retry-backoff-limit", self.retry_backoff_limit),
            ("--watch-backoff", self.watch_backoff, "--watch-backoff-limit", self.watch_backoff_limit),
        ):
            if value > limit:
                raise SettingsError(f"{flag} ({value:g} s) must not exceed {other} ({limit:g} s)")
        host, _ = parse_address(self.probes_address, "--probes-address") or ("", 0)
        host, _ = parse_address(self.answers_address, "--answers-address") or ("127.0.0.1", 0)
        if host not in LOOPBACK:
            raise SettingsError(
                f"--answers-address {self.answers_address}: the facts of the cluster are served on loopback only "
                f"({', '.join(LOOPBACK)}); reach it with kubectl port-forward"
            )


LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
"""The hosts that a process on another machine cannot reach."""


def parse_address(text: str, flag: str) -> tuple[str, int] | None:
    """Host and port of ``HOST:PORT``, ``[IPV6]:PORT`` or ``:PORT``; None of the empty text. Raises SettingsError."""
    if not text:
        return None
    host, colon, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if not colon or (":" in bare and bare == host) or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise SettingsError(f"{flag} {text!r}: write HOST:PORT, [IPV6]:PORT, or :PORT for every address")
    return bare, int(port)


def flag_name(name: str) -> str:
    """The flag of a setting.

    >>> flag_name("lease_duration")
    '--lease-duration'
    """
    return "--" + name.replace("_", "-")


def setting_options(function: Callable[..., _R]) -> Callable[..., _R]:
    """Give a command a flag for every setting, as one parameter ``settings: Settings``.

    The command raises click.UsageError for settings that cannot go together.
    """

    @wraps(function)
    def command(**parameters: Any) -> _R:
        given = {name: parameters.pop(name) for name, *_ in described()}
        try:
            settings = Settings(**given)
        except SettingsError as error:
            raise click.UsageError(str(error)) from None
        return function(settings=settings, **parameters)

    for name, kind, default, about in reversed(tuple(described())):
        flag = flag_name(name)
        names = f"{flag}/--no-{flag[2:]}" if isinstance(default, bool) else flag
        metavar = "SECONDS" if isinstance(default, float) else None
        command = click.option(
            names, name, type=kind, default=default, show_default=default != "", metavar=metavar, help=about
        )(command)
    return command


def described() -> Iterator[tuple[str, Any, bool | float | str, str]]:
    """Name, click's type, default and meaning of every setting, in the order of ``--help``."""
    for each in cast("tuple[Field[bool | float | str], ...]", fields(Settings)):
        yield each.name, each.metadata["type"], cast("bool | float | str", each.default), each.metadata["about"]
