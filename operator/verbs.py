"""The ``liqo-connectivity`` command: its verbs and its help.

Each verb is a module in ``commands/``, imported when the verb is called, so that ``--help`` stays instant.
"""

import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import Final

import click

from liqo_connectivity import __version__
from liqo_connectivity.operator import exits
from liqo_connectivity.operator.commands import COMPLETE

VERBS: Final = {
    "render": ("render", "Print the nftables chains that enforce the policies."),
    "why": ("why", "Tell whether a flow is allowed, and why."),
    "why-not": ("why_not", "Explain why a flow is denied."),
    "query": ("query", "Query facts and derived relations with a Datalog goal."),
    "matrix": ("matrix", "Print who can reach whom, on which ports."),
    "diff": ("diff", "Tell which flows change their verdict between two states."),
    "verify": ("verify", "Verify the proof of an answer, independently of the engine."),
    "preset": ("preset", "Print a policy for a common wish, and who then reaches whom."),
    "drift": ("drift", "Compare policies with what is stored for Liqo's agents, and with a kernel."),
    "check": ("check", "Validate policies and rule files, and report findings."),
    "facts": ("facts", "Dump the facts of a cluster, or load a dump."),
    "rules": ("rules", "Show the Datalog rules and their dependencies."),
    "run": ("run", "Run the controller, which keeps a cluster's chains in sync with its policies."),
    "agent": ("agent", "Run the agent of a node, which keeps the chains in its nftables."),
    "top": ("top", "Show the rules of a node's chains by how many packets each decided."),
    "trace": ("trace_packets", "Print samples of the packets that the rules of a node decide."),
    "completion": ("completion", "Print a shell completion script."),
}
"""The verbs in the order of ``--help``: module and summary of each."""


class _Verbs(click.Group):
    """A group that imports a verb when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*VERBS, "version"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in VERBS:
            module = import_module(f"liqo_connectivity.operator.commands.{VERBS[cmd_name][0]}")
            command: click.Command = module.command
            return command
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, summary) for name, (_, summary) in VERBS.items()]
        with formatter.section("Commands"):
            formatter.write_dl([*rows, ("version", "Print the version.")])


EPILOG: Final = """\
\b
Examples:
  liqo-connectivity render -f examples/consumer -o nft
  liqo-connectivity why shop/web-2 shop/web-0:8080/tcp -f examples/consumer
  kubectl get pods -A -o yaml | liqo-connectivity facts dump -f - -f liqo.yaml

\b
Exit codes:
  0  allowed, or success
  1  denied, or findings
  2  wrong usage
  3  unknown, because the input is incomplete
  4  internal error, a limit was reached, or the answer could not be written
  5  the certificate does not hold
  130  interrupted (Ctrl-C)
  141  the reader of the answer went away
"""


@click.group(cls=_Verbs, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="liqo-connectivity %(version)s")
def root() -> None:
    """Decide, explain and enforce which traffic may pass between Liqo-peered clusters.

    Reads the objects of a cluster, from files (-f) or live through the kubeconfig, and derives with Datalog rules what
    its PeeringConnectivity policies allow. Prints the nftables chains that enforce them, or a verdict with its reasons and proof.

    Run `liqo-connectivity COMMAND --help` for the options and examples of a command.
    """


@root.command(epilog="\b\nExample:\n  liqo-connectivity version")
def version() -> None:
    """Print the version."""
    click.echo(f"liqo-connectivity {__version__}")


def invoke(arguments: list[str]) -> int:
    """Run a verb and return the exit code; wrong usage is reported. Raises what else the verb raises."""
    name = "kubectl liqo-connectivity" if os.path.basename(sys.argv[0]).startswith("kubectl-") else "liqo-connectivity"
    try:
        if COMPLETE in os.environ:
            return _complete(name, os.environ[COMPLETE])
        # Not click's own main, which makes 1, our code for "denied", of a broken pipe.
        with root.make_context(name, arguments) as context:
            code = root.invoke(context)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        # The exit code says so, too, where the message cannot be written.
        with suppress(OSError):
            error.show()
        return error.exit_code
    return code if isinstance(code, int) else exits.OK


def _complete(name: str, instruction: str) -> int:
    """Answer a shell that asks for completions. Raises click.UsageError if no shell asks."""
    from click.shell_completion import shell_complete

    try:
        answered = shell_complete(root, {}, name, COMPLETE, instruction) == 0
    except (KeyError, ValueError):
        # The script of a shell passes the words typed so far, and the number of the current one.
        answered = False
    if not answered:
        raise click.UsageError(
            f"{COMPLETE} is set, but COMP_WORDS and COMP_CWORD name no words to complete: unset it; "
            f"`{name} completion` prints the script that sets all three"
        )
    return exits.OK
