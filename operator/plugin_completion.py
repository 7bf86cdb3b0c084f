"""Completion of ``kubectl liqo-connectivity``: kubectl calls a separate program with the protocol of the Cobra library.

The arguments are the words typed so far. Each completion is a line, with a description after a tab; the last line tells
whether file names fit.
"""

import sys
from typing import Final, NoReturn

import click
from click.shell_completion import CompletionItem, ShellComplete

from liqo_connectivity.operator import exits, streams
from liqo_connectivity.operator.verbs import root

FILES: Final = 0
"""Cobra's directive: complete file names."""
NO_FILES: Final = 4
"""Cobra's directive: do not complete file names."""


def main() -> NoReturn:
    """Answer kubectl and exit."""
    streams.prepare()
    try:
        click.echo("\n".join(answer(sys.argv[1:])))
        code = exits.OK
    except OSError as error:
        code = streams.report(error)
    sys.exit(streams.finish(code))


def answer(words: list[str]) -> list[str]:
    """Give the lines of completions; the last word, perhaps empty, is the one being typed."""
    *before, typed = words or [""]
    found = ShellComplete(root, {}, "kubectl liqo-connectivity", "").get_completions(before, typed)
    named = [_line(item) for item in found if item.type == "plain"]
    return [*named, f":{NO_FILES if named else FILES}"]


def _line(item: CompletionItem) -> str:
    return f"{item.value}\t{item.help}" if item.help else str(item.value)
