"""The policy program: the built-in rules, with the rule files of the user or of the running controller."""

from collections.abc import Mapping
from pathlib import Path

import click

from liqo_connectivity.engine import Program, ProgramError
from liqo_connectivity.operator.sources.input import Input
from liqo_connectivity.rules import function_cache
from liqo_connectivity.rules.program import load


def read_program(given: Input) -> Program:
    """Read the program by which a command answers. Raises click.UsageError."""
    if given.objects.operator:
        from liqo_connectivity.operator.sources.remote import read_rules

        return build_program(read_rules())
    return build_program(rule_texts(given.rules))


def build_program(added: Mapping[str, str]) -> Program:
    """Build the policy program with added rule files, text by name.

    Raises click.UsageError with the diagnostics if a text is not a valid program.
    """
    function_cache.share()
    try:
        return load(added)
    except ProgramError as error:
        raise click.UsageError(f"the rules cannot be used\n\n{error}") from None


def rule_texts(paths: tuple[str, ...]) -> dict[str, str]:
    """Read rule files: text by path. Raises click.UsageError for one that cannot be read."""
    texts: dict[str, str] = {}
    for path in paths:
        try:
            texts[path] = Path(path).read_text("utf-8")
        except OSError as error:
            raise click.UsageError(f"--rules {path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise click.UsageError(f"--rules {path}: is not UTF-8 text; give a file of Datalog rules") from None
    return texts
