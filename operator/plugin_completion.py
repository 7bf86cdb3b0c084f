"""Completion of ``kubectl liqo-connectivity``: kubectl asks a program of its own, in the way of the library Cobra.

The words typed so far are the arguments. Each answer is a line, with a description after a tab; the last line says
whether a file may be meant. This module must not know the commands.
"""

import sys
from typing import Final, NoReturn

import click
from click.shell_completion import CompletionItem, ShellComplete

from liqo_connectivity.operator.cli import root

FILES: Final = 0
"""Cobra's directive by which the shell completes file names."""
NO_FILES: Final = 4
"""Cobra's directive by which it does not."""


def main() -> NoReturn:
    """Answer kubectl and exit."""
    click.echo("\n".join(answer(sys.argv[1:])))
    sys.exit()


def answer(words: list[str]) -> list[str]:
    """The lines for words of which the last, perhaps empty, is being typed."""
    *before, typed = words or [""]
    found = ShellComplete(root, {}, "kubectl liqo-connectivity", "").get_completions(before, typed)
    named = [_line(item) for item in found if item.type == "plain"]
    return [*named, f":{NO_FILES if named else FILES}"]


def _line(item: CompletionItem) -> str:
    return f"{item.value}\t{item.help}" if item.help else str(item.value)
