"""The ``liqo-connectivity`` command: its verbs, its exit codes, and nothing else.

Each verb lives in a module of its own that is imported when the verb is called, so that ``--help`` stays instant. This
module must not know what a verb does.
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
    "render": ("render", "Print the ordered chains that enforce the policies."),
    "why": ("why", "Say whether a flow is allowed, and prove it."),
    "why-not": ("why_not", "Say why a flow is not allowed."),
    "query": ("query", "Answer a Datalog goal over facts and derived relations."),
    "verify": ("verify", "Check the proof of an answer by code that shares nothing with the engine."),
    "check": ("check", "Validate policies and rule files, and report findings."),
    "facts": ("facts", "Write down, and read back, the facts of a cluster."),
    "rules": ("rules", "Show the policy program: its rules, and what depends on what."),
    "run": ("run", "Run the controller, which keeps a cluster's chains in sync with its policies."),
    "completion": ("completion", "Print the completion script of a shell."),
}
"""The verbs in the order of ``--help``: the module that holds each, and its summary."""


class _Verbs(click.Group):
    """A group that imports a verb only when it is called."""

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
Exit codes: 0 allowed or fine, 1 denied or findings, 2 wrong usage,
3 unknown because the input is incomplete, 4 internal fault or limit,
5 a certificate does not hold.
"""


@click.group(cls=_Verbs, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="liqo-connectivity %(version)s")
def root() -> None:
    """Decide, explain and serialize who may talk to whom between Liqo-peered clusters.

    Reads a cluster's objects (-f FILE or folder, or the live cluster of the kubeconfig), derives by Datalog rules what
    the PeeringConnectivity policies allow, and prints the ordered nftables chains or the proof of a verdict.
    """


@root.command(epilog="\b\nExample:\n  liqo-connectivity version")
def version() -> None:
    """Print the version."""
    click.echo(f"liqo-connectivity {__version__}")


def main() -> NoReturn:
    """Run the command line and exit."""
    # Few commands live long enough for a collection to free anything; the controller sets its own threshold.
    gc.set_threshold(_COLLECT_AFTER)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line; give the exit code. Nothing but an answer is written to stdout."""
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
        # The reader has gone: what is left in the buffer must not raise once more when Python exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.INTERNAL
    except Exception as error:  # noqa: BLE001  the last resort: a user gets one line, a developer asks for more
        if os.environ.get("LIQO_CONNECTIVITY_TRACEBACK"):
            import traceback  # Only a developer needs it.

            traceback.print_exc()
        # Whoever raised it has imported the engine; this module must not, before it is needed.
        from liqo_connectivity.engine import DatalogError

        if isinstance(error, DatalogError):
            click.echo(f"error: {error}", err=True)
            return exits.INTERNAL
        hint = "set LIQO_CONNECTIVITY_TRACEBACK=1 for the traceback, and please report it"
        click.echo(f"internal error: {type(error).__name__}: {error}\n  = help: {hint}", err=True)
        return exits.INTERNAL
    return code if isinstance(code, int) else exits.OK
