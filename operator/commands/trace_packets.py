"""``trace``: samples of the packets that the rules of this node's chains decide."""

import json
import select
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

import click

from liqo_connectivity.chains import agent_trace
from liqo_connectivity.operator import exits
from liqo_connectivity.operator.agent.desired.chain_file import ChainFile
from liqo_connectivity.operator.agent.desired.source import Desired
from liqo_connectivity.operator.agent.kernel.library import LibraryError, RefusedError
from liqo_connectivity.operator.agent.kernel.packet_log import LoggedPacket, PacketLog
from liqo_connectivity.operator.agent.kernel.writer import LostError, Writer
from liqo_connectivity.operator.agent.telling.packets import ends_of
from liqo_connectivity.operator.sources.files import read_files

_WAIT: Final = 0.25
"""Seconds between two looks at the file of chains."""


@click.command(
    "trace",
    epilog="\b\nExamples:\n"
    "  sudo liqo-connectivity trace --chains chains.yaml\n"
    "  sudo liqo-connectivity trace --chains chains.yaml --denied --follow -f examples/consumer",
)
@click.option(
    "--chains",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The chains that the agent keeps: the FILE of `agent --chains`.",
)
@click.option("--denied", is_flag=True, help="Only packets that are dropped.")
@click.option("--follow", is_flag=True, help="Go on until Ctrl-C, and follow the file when it changes.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.1),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to trace without --follow.",
)
@click.option(
    "-f", "--filename", "files", multiple=True, metavar="FILE|DIR|-", help="Objects that name pods. Repeatable."
)
@click.option(
    "--group",
    type=click.IntRange(0, 65535),
    default=64,
    show_default=True,
    metavar="NUMBER",
    help="The group of NFLOG; one that no other program reads.",
)
def command(chains: Path, denied: bool, follow: bool, seconds: float, files: tuple[str, ...], group: int) -> int:
    """Print samples of the packets that the rules of this node's chains decide, as JSON lines.

    Each line names the peering, the rule as in `why`, the verdict, the packet's own addresses and ports, and, with -f, the pods that
    have them. The kernel logs at most 10 packets of a rule in a second. They are logged by a table beside the agent's, which
    changes no verdict and goes when this command ends. Needs CAP_NET_ADMIN.
    """
    pods = _pods(files)
    source = ChainFile(chains)
    end = float("inf") if follow else time.monotonic() + seconds
    try:
        with closing(PacketLog(group)) as log:
            writer = _loaded(source.changed(), group, denied=denied)
            try:
                while (left := end - time.monotonic()) > 0:
                    if select.select([log], [], [], min(left, _WAIT))[0]:
                        for packet in log.waiting():
                            click.echo(json.dumps(_document(packet, pods)))
                    desired = source.changed()
                    if desired is not None and desired.tables:
                        writer.close()
                        writer = _loaded(desired, group, denied=denied)
            finally:
                writer.close()
    except (RefusedError, LostError, LibraryError) as error:
        raise click.UsageError(f"the kernel cannot trace: {error}") from None
    except PermissionError as error:
        raise click.UsageError(f"{error.strerror}: this needs CAP_NET_ADMIN, so run it as root") from None
    except OSError as error:
        raise click.UsageError(f"--group {group}: {error}; name another one with --group") from None
    return exits.OK


def _loaded(desired: Desired | None, group: int, *, denied: bool) -> Writer:
    """The writer whose end takes the tables along. Raises click.UsageError if there are no chains to trace."""
    if desired is None or not desired.tables:
        problems = "; ".join(desired.problems.values()) if desired is not None else "it cannot be read"
        raise click.UsageError(f"--chains: {problems}")
    writer = Writer()
    try:
        writer.apply("".join(agent_trace(table, group, denied=denied) for table in desired.tables))
    except BaseException:
        writer.close()
        raise
    return writer


def _pods(files: tuple[str, ...]) -> Mapping[str, str]:
    """The pods by address."""
    if not files:
        return {}
    return {str(address): str(pod) for pod, address in read_files(files).base.rows("pod_ip")}


def _document(logged: LoggedPacket, pods: Mapping[str, str]) -> dict[str, object]:
    peering, _, rest = logged.prefix.partition(" ")
    rule, _, verdict = rest.partition(" ")
    said: dict[str, object] = {"time": round(time.time(), 3), "peering": peering, "rule": rule.removeprefix("rule-")}
    said["verdict"] = verdict
    ends = ends_of(logged.packet)
    if ends is not None:
        said |= {"protocol": ends.protocol, "source": ends.source, "destination": ends.destination}
        said |= {"sourcePort": ends.source_port, "destinationPort": ends.destination_port}
        said |= {"sourcePod": pods.get(ends.source), "destinationPod": pods.get(ends.destination)}
    return {name: value for name, value in said.items() if value is not None}
