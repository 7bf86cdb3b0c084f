"""``completion``: prints the script by which a shell completes commands."""

import click
from click.shell_completion import get_completion_class

from liqo_connectivity.operator import exits
from liqo_connectivity.operator.commands import COMPLETE


@click.command(
    "completion",
    epilog="\b\nExamples:\n  liqo-connectivity completion bash > ~/.local/share/bash-completion/completions/liqo-connectivity\n"
    "  source <(liqo-connectivity completion zsh)",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> int:
    """Print a shell completion script.

    Source the script, or store it where the shell looks for completions.
    """
    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"there is no completion for {shell}")
    script = completion(context.find_root().command, {}, "liqo-connectivity", COMPLETE)
    click.echo(script.source())
    return exits.OK
