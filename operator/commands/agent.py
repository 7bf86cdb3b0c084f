"""``agent``: keeps the chains of peerings in the nftables of its node."""

from pathlib import Path

import click

from liqo_connectivity.operator.controller.settings import ENVIRONMENT


@click.command(
    "agent",
    context_settings={"auto_envvar_prefix": f"{ENVIRONMENT}_AGENT"},
    epilog="\b\nExamples:\n"
    "  liqo-connectivity render -f examples/consumer --enforcer agent -o yaml > chains.yaml\n"
    "  sudo liqo-connectivity agent --chains chains.yaml --once\n"
    "  sudo liqo-connectivity agent --chains chains.yaml --state /var/lib/liqo-connectivity\n"
    "  sudo liqo-connectivity agent --cleanup\n"
    "  sudo liqo-connectivity agent --kubeconfig agent.kubeconfig --state /var/lib/liqo-connectivity\n\n\b\n"
    "Exit codes:\n"
    "  0  stopped by a signal, --once applied everything, or --cleanup is done\n"
    "  2  wrong usage, no permission, or no libnftables\n"
    "  3  --once left chains of a peering as they were\n"
    "  4  internal error, or --cleanup failed",
)
@click.option(
    "--chains",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="ConnectivityChains and ConnectivitySetSlices to keep, in YAML or JSON. The file is read again when it changes. "
    "Without it, those of the cluster are followed.",
)
@click.option("--kubeconfig", default="", metavar="FILE", help="Kubeconfig, to run outside of the cluster.")
@click.option("--context", default="", metavar="NAME", help="Context of the kubeconfig.")
@click.option("--prune", is_flag=True, help="Delete the tables of peerings that FILE no longer names.")
@click.option("--once", is_flag=True, help="Apply the chains, and exit.")
@click.option("--cleanup", is_flag=True, help="Delete every table of an agent, the saved chains too, and exit.")
@click.option(
    "--state",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Save the chains that were applied in this folder, and load them after a reboot before anything else.",
)
@click.option(
    "--address",
    default="127.0.0.1:8083",
    show_default=True,
    help="Address of /healthz, /readyz, /metrics and /counters; loopback only, empty to disable it.",
)
@click.option("--log-format", type=click.Choice(("auto", "json", "text")), default="auto", show_default=True)
@click.option(
    "--log-level", type=click.Choice(("debug", "info", "warning", "error")), default="info", show_default=True
)
def command(
    chains: Path | None,
    kubeconfig: str,
    context: str,
    prune: bool,
    once: bool,
    cleanup: bool,
    state: Path | None,
    address: str,
    log_format: str,
    log_level: str,
) -> int:
    """Keep the chains of peerings in the nftables of this node.

    Each peering has a table `lce-PEERING` for IPv4 and one for IPv6, with the comment of this project; no other table is
    touched. A change is one transaction. What others change in these tables is repaired, and the tables stay when the agent
    ends. Needs CAP_NET_ADMIN and the library libnftables.

    The chains come from a file, or from the API server: the ConnectivityChains and ConnectivitySetSlices that the controller
    publishes. What cannot be read, or is not complete, changes nothing: the chains applied last stay.
    """
    from liqo_connectivity.operator.agent import process

    if cleanup:
        if chains is not None or once or prune:
            raise click.UsageError("--cleanup takes only --state beside it")
        return process.cleanup(state)
    if chains is None and (once or prune):
        raise click.UsageError("--once and --prune are for --chains FILE")
    if chains is not None and (kubeconfig or context):
        raise click.UsageError("--chains FILE takes the place of a cluster: leave out --kubeconfig and --context")
    options = process.Options(chains, prune, kubeconfig, context, state, address, log_format, log_level)
    return process.run(options, only_once=once)
