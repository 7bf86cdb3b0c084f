"""The policies of an edit, from files: what they would assert in place of the stored ones of their names."""

from typing import Final

import click

from liqo_connectivity.facts import Edits, Problem
from liqo_connectivity.operator.sources.files import read_files

_POLICY: Final = "PeeringConnectivity"


def read_edits(files: tuple[str, ...]) -> tuple[Edits, tuple[Problem, ...]]:
    """Read policies, and the problems with their files.

    Raises click.UsageError if there is an object of another kind, no policy, or no such file.
    """
    read = read_files(files, assume_complete=True)
    keys = [*read.base.keys()]
    others = sorted(str(key) for key in keys if key.kind != _POLICY) if not read.problems else []
    if others or not (keys or read.problems):
        found = f"holds {others[0]}" if others else "holds none"
        raise click.UsageError(
            f"--policy takes files of {_POLICY} objects, and this {found}: give other objects with -f"
        )
    return {key: read.base.facts_of(key) for key in keys}, read.problems
