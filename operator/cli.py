"""The ``liqo-connectivity`` command: its verbs and exit codes.

Each verb is a module in ``commands/``, imported when the verb is called, so that ``--help`` stays instant.
"""

import gc
import os
import sys
from importlib import import_module
from typing import Final, NoReturn

import click

from liqo_connectivity import __version__
from liqo_connectivity.operator import exits

VERBS: Final = {
    "render": ("render", "Print the nftables chains that enforce the policies."),
    "why": ("why", "Tell whether a flow is allowed, and why."),
    "why-not": ("why_not", "Explain why a flow is denied."),
    "query": ("query", "Query facts and derived relations with a Datalog goal."),
    "verify": ("verify", "Verify the proof of an answer, independently of the engine."),
    "check": ("check", "Validate policies and rule files, and report findings."),
    "facts": ("facts", "Dump the facts of a cluster, or load a dump."),
    "rules": ("rules", "Show the Datalog rules and their dependencies."),
    "run": ("run", "Run the controller, which keeps a cluster's chains in sync with its policies."),
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


_COLLECT_AFTER: Final = 100_000
"""How many more objects there are before garbage is collected."""

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
  4  internal error, or a limit was reached
  5  the certificate does not hold
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


def main() -> NoReturn:
    """Run the command line and exit."""
    # Few commands live long enough for a collection to free anything; the controller sets its own threshold.
    gc.set_threshold(_COLLECT_AFTER)
    code = run(sys.argv[1:])
    # A process that ends gives its memory back as a whole: Python need not look for cycles in it.
    gc.freeze()
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run the command line and return the exit code. Only answers go to stdout."""
    name = "kubectl liqo-connectivity" if os.path.basename(sys.argv[0]).startswith("kubectl-") else "liqo-connectivity"
    try:
        code = root.main(arguments, prog_name=name, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        click.echo("interrupted", err=True)
        return exits.INTERNAL
    except BrokenPipeError:
        # The reader has gone. Python must not raise again when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.INTERNAL
    except Exception as error:  # noqa: BLE001  the last resort: one line for the user, the traceback on request
        if os.environ.get("LIQO_CONNECTIVITY_TRACEBACK"):
            import traceback  # Only a developer needs it.

            traceback.print_exc()
        # Imported here to keep --help fast.
        from liqo_connectivity.engine import DatalogError

        if isinstance(error, DatalogError):
            click.echo(f"error: {error}", err=True)
            return exits.INTERNAL
        hint = "please report this; LIQO_CONNECTIVITY_TRACEBACK=1 prints the traceback"
        click.echo(f"internal error: {type(error).__name__}: {error}\n  = help: {hint}", err=True)
        return exits.INTERNAL
    return code if isinstance(code, int) else exits.OK
