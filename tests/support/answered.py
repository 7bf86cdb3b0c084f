"""Whether the command line answered some input as it should answer any: with a documented exit code, in plain lines."""

from contextlib import chdir, redirect_stderr, redirect_stdout
from functools import cache
from io import BytesIO, TextIOWrapper
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from liqo_connectivity.operator import exits
from liqo_connectivity.operator.cli import run
from liqo_connectivity.rules import program
from tests.support.mutated_inputs import Mutated, mutated, write

CODES = frozenset({exits.OK, exits.DENIED, exits.USAGE, exits.UNKNOWN, exits.INTERNAL, exits.REJECTED})


# Read once for all inputs, as a process of the command line reads them once.
_builtin = cache(program.builtin)


def complaints(seed: int) -> list[str]:
    """What is wrong with the answer to the input of a seed; nothing if it is as it should be."""
    with TemporaryDirectory() as folder, chdir(folder):
        found = mutated(seed)
        write(found, Path(folder))
        return _complaints(found)


def _complaints(found: Mutated) -> list[str]:
    # Streams in UTF-8, as those of a terminal: what cannot be written has to fail here as well.
    stdout, stderr = TextIOWrapper(BytesIO(), "utf-8"), TextIOWrapper(BytesIO(), "utf-8")
    with redirect_stdout(stdout), redirect_stderr(stderr), patch.object(program, "builtin", _builtin):
        try:
            code = run(list(found.arguments))
        except BaseException as error:  # noqa: BLE001 - nothing may leave the command line
            return [f"{' '.join(found.arguments)}: {type(error).__name__}: {error}"]
    out, err = (_text(stream) for stream in (stdout, stderr))
    wrong: list[str] = []
    if code not in CODES:
        wrong.append(f"exit code {code}")
    if code not in (exits.OK, exits.DENIED) and not (out or err):
        wrong.append("nothing is said")
    wrong += [f"{word} is said: {err}" for word in ("internal error", "Traceback") if word in out + err]
    wrong += [f"not one plain line: {line!r}" for line in err.split("\n") if not line.isprintable()]
    return [f"{' '.join(found.arguments)}: {each}" for each in wrong]


def _text(stream: TextIOWrapper) -> str:
    stream.flush()
    stream.seek(0)
    return stream.read()
