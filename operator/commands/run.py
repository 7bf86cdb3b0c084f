"""``run``: the controller as a process, in a cluster or outside of one."""

import click

from liqo_connectivity.operator.controller.settings import ENVIRONMENT, Settings, setting_options
from liqo_connectivity.operator.sources.rules import build_program, rule_texts


@click.command(
    "run",
    context_settings={"auto_envvar_prefix": ENVIRONMENT},
    epilog="\b\nExamples:\n  liqo-connectivity run\n"
    "  liqo-connectivity run --kubeconfig ~/.kube/rome --dry-run\n"
    "  liqo-connectivity run --kubeconfig ~/.kube/rome --once --rules own-groups.dl\n\n\b\n"
    "Every flag is also an environment variable: --log-level is LIQO_CONNECTIVITY_LOG_LEVEL.\n\n\b\n"
    "Exit codes: 0 stopped by a signal, or done; 1 lost the lease; 2 wrong usage or\n"
    "no cluster; 3 --once or --dry-run left something pending or failed; 4 internal fault.",
)
@click.option("--kubeconfig", default="", metavar="FILE", help="The kubeconfig, to run outside of the cluster.")
@click.option("--context", default="", metavar="NAME", help="The context of the kubeconfig.")
@click.option(
    "--rules",
    multiple=True,
    type=click.Path(),
    metavar="FILE",
    help="Datalog rules to add to the built-in ones. Repeatable.",
)
@click.option("--once", is_flag=True, help="Write what has to be written, and exit.")
@click.option("--dry-run", is_flag=True, help="Print a diff of what would be written, write nothing, and exit.")
@setting_options
def command(
    kubeconfig: str, context: str, rules: tuple[str, ...], once: bool, dry_run: bool, settings: Settings
) -> int:
    """Keep a cluster's FirewallConfigurations in sync with its policies.

    Watches policies, pods and Liqo's objects, derives the chains by the rules, and stores them for Liqo's agents to
    enforce. The status of each policy shows whether they do. Uses the service account of its pod, or else the
    kubeconfig. Of several processes, the leader writes.
    """
    # The Kubernetes client takes long to import.
    from liqo_connectivity.operator.controller.process import Mode, run

    added = rule_texts(rules)
    program = build_program(added)
    mode = Mode.DRY_RUN if dry_run else Mode.ONCE if once else Mode.STAY
    return run(settings, mode, kubeconfig, context, program, added)
