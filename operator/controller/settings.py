"""The settings of the controller: every flag of ``run``, with its default and the reason for the default.

The command line, the environment variables and the documentation are made from the fields of one class.
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
    """A setting is invalid, or contradicts another; names the flags."""


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
    """How the controller behaves; all times are in seconds. Raises SettingsError for settings that contradict each other."""

    # ---- Where ----
    namespace: str = _text(
        "", "Namespace of the lease; empty for the pod's own in a cluster, else for that of the context."
    )
    liqo_namespace: str = _text("liqo", "Namespace where Liqo is installed and its agents run.")

    # ---- Leadership ----
    # Kubernetes' own controllers have 15, 10 and 2 s. While nobody leads, chains go stale, so a standby takes over within 10:
    # it sees the last renewal a retry period late, waits for the lease duration, and sends two requests.
    leader_election: bool = _switch(
        True, "Write only while holding the lease. Turn it off only if no other process can run."
    )
    lease_name: str = _text("liqo-connectivity-engine", "Name of the lease.")
    lease_duration: float = _seconds(8.0, "How long a standby waits for a silent leader before it takes over.")
    renew_deadline: float = _seconds(6.0, "How long a leader keeps writing without having renewed its lease.")
    retry_period: float = _seconds(1.0, "How often a process tries to acquire or renew the lease.", 0.01)

    # ---- Reading ----
    # More than the 5 s for which an overloaded API server may queue a request, less than the renew deadline.
    request_timeout: float = _seconds(5.5, "Timeout of a request; watches have their own.", 0.05)
    page_size: int = _count(500, "Objects per page of a list, where the server cannot stream it; the same as kubectl.")
    # The server ends watches after 30 to 60 minutes anyway; a new one every few minutes spreads over its replicas.
    watch_timeout: float = _seconds(300.0, "How long a watch lasts, less up to a tenth as jitter.", 1.0)
    # Bookmarks come once a minute, but the first of a watch may take two (Kubernetes 1.37).
    watch_silence: float = _seconds(150.0, "How long a watch may be silent before it is restarted.", 0.1)
    # Nothing else reveals a lost event; 10,000 pods cost half a second of CPU.
    resync_interval: float = _seconds(600.0, "How often everything is listed again, even if all watches work.", 1.0)
    absent_interval: float = _seconds(5.0, "How often a kind is looked for whose CRD is absent.", 0.05)
    # After an outage, everything has to be right again within ten seconds.
    watch_backoff: float = _seconds(0.2, "First wait after a failed watch; doubled each time, with jitter.")
    watch_backoff_limit: float = _seconds(5.0, "Longest wait after a failed watch.")

    # ---- Deciding ----
    # A rollout changes many pods at once; a few milliseconds gather them and nobody notices.
    debounce: float = _seconds(0.005, "How long changes are gathered after the first.")

    # ---- Writing ----
    # Each write makes Liqo's agents load a table on every node.
    write_interval: float = _seconds(0.5, "Minimum time between two writes of one object; the first is immediate.")
    write_interval_limit: float = _seconds(3.0, "Maximum of that time while changes keep coming.")
    # With 500 addresses each, an API server on two cores stores at most 40 a second, and its other clients suffer then.
    write_rate: int = _count(30, "Maximum FirewallConfigurations written per second, on average.")
    retry_backoff: float = _seconds(0.5, "First wait after a refused write; doubled each time, with jitter.")
    # A fixed permission or server is noticed within ten seconds.
    retry_backoff_limit: float = _seconds(8.0, "Longest wait after a refused write.")
    # Liqo's agents apply a change within a second, a loaded node in several.
    agent_timeout: float = _seconds(
        30.0, "How long a deletion waits for Liqo's agents to empty their tables, and then for the object to be gone."
    )
    # Pods come and go all the time, and each change takes an agent a moment.
    agent_grace: float = _seconds(5.0, "How long agents may take to apply new members before a policy is not Ready.")
    # The reports may still be about the generation before.
    agent_settle: float = _seconds(2.0, "How long agents must have reported success before a deletion trusts them.")
    sweep_interval: float = _seconds(600.0, "How often orphaned FirewallConfigurations of ours are looked for.", 0.05)

    # ---- Serving ----
    probes_address: str = _text(":8081", "Address of /healthz, /readyz and /metrics; empty to disable them.")
    answers_address: str = _text(
        "127.0.0.1:8082", "Address of the state for `why --operator`; loopback only, empty to disable it."
    )
    # The first evaluation of a large cluster takes seconds; a restart would only begin it again.
    liveness_timeout: float = _seconds(60.0, "How long the control loop may be silent before /healthz fails.", 1.0)
    # Kubernetes kills after 30 s, and the lease must be released before.
    drain_timeout: float = _seconds(20.0, "How long a write under way may take to finish after SIGTERM.")
    once_timeout: float = _seconds(120.0, "Timeout of --once and --dry-run.", 0.1)

    # ---- Logging ----
    log_format: str = _text("auto", "auto is text on a terminal and json elsewhere.", ("auto", "json", "text"))
    log_level: str = _text("info", "Lowest severity that is logged.", ("debug", "info", "warning", "error"))

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
"""Hosts that no other machine can reach."""


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
    """Add a flag for every setting to a command, which gets them as one parameter ``settings: Settings``.

    The command raises click.UsageError for settings that contradict each other.
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
    """Name, click type, default and meaning of every setting, in the order of ``--help``."""
    for each in cast("tuple[Field[bool | float | str], ...]", fields(Settings)):
        yield each.name, each.metadata["type"], cast("bool | float | str", each.default), each.metadata["about"]
