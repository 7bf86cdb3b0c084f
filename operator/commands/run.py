"""``run``: runs the controller, in a cluster or outside of one."""

import click

from liqo_connectivity.operator.controller.settings import ENVIRONMENT, Settings, setting_options
from liqo_connectivity.operator.sources.rules import build_program, rule_texts


@click.command(
    "run",
    context_settings={"auto_envvar_prefix": ENVIRONMENT},
    epilog="\b\nExamples:\n  liqo-connectivity run\n"
    "  liqo-connectivity run --kubeconfig ~/.kube/rome --dry-run\n"
    "  liqo-connectivity run --kubeconfig ~/.kube/rome --once --rules own-groups.dl\n\n\b\n"
    "Every option can be set by an environment variable: --log-level by LIQO_CONNECTIVITY_LOG_LEVEL.\n\n\b\n"
    "Exit codes:\n"
    "  0  stopped by a signal, or --once or --dry-run is done\n"
    "  1  lost the lease\n"
    "  2  wrong usage, or no cluster\n"
    "  3  --once or --dry-run left a policy pending, or a write failed\n"
    "  4  internal error\n"
    "  130  a signal ended --once or --dry-run",
)
@click.option("--kubeconfig", default="", metavar="FILE", help="Kubeconfig, to run outside of the cluster.")
@click.option("--context", default="", metavar="NAME", help="Context of the kubeconfig.")
@click.option(
    "--rules",
    multiple=True,
    type=click.Path(),
    metavar="FILE",
    help="Datalog rules to add to the built-in rules. Repeatable.",
)
@click.option("--once", is_flag=True, help="Bring the cluster in sync once, then exit.")
@click.option("--dry-run", is_flag=True, help="Print the changes as a diff, write nothing, and exit.")
@setting_options
def command(
    kubeconfig: str, context: str, rules: tuple[str, ...], once: bool, dry_run: bool, settings: Settings
) -> int:
    """Run the controller, which keeps a cluster's FirewallConfigurations in sync with its policies.

    Watches policies, pods and Liqo's objects, derives the chains, and stores them as FirewallConfigurations, which
    Liqo's agents enforce. The status of each policy reports whether they do. Credentials come from the service account
    of the pod, or else from the kubeconfig. Of several replicas, only the leader writes.
    """
    # The Kubernetes client is slow to import.
    from liqo_connectivity.operator.controller.process import Mode, run

    added = rule_texts(rules)
    program = build_program(added)
    mode = Mode.DRY_RUN if dry_run else Mode.ONCE if once else Mode.STAY
    return run(settings, mode, kubeconfig, context, program, added)
