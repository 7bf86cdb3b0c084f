"""Console transcripts in Markdown: found, run in this process, compared with what they show, and rewritten.

Only ``$ liqo-connectivity …`` is run; ``$ echo $?`` shows the exit code of the command before it; any other command is
left alone. A line that is only ``…`` or ``[...]`` stands for any number of lines. Holds no test and judges nothing.
"""

import io
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

from liqo_connectivity.operator.cli import run

PROGRAM = "liqo-connectivity"
ELISIONS = ("…", "[...]")
_OPEN, _CLOSE, _PROMPT = "```console", "```", "$ "
_NUMBER = re.compile("[0-9]+")


@dataclass(slots=True)
class Command:
    """A command of a transcript: its line in the document counted from 1, its text, and the output shown below it."""

    line: int
    text: str
    shown: list[str] = field(default_factory=list[str])

    @property
    def words(self) -> list[str]:
        """The command as a shell would split it."""
        return shlex.split(self.text)


@dataclass(frozen=True, slots=True)
class Result:
    """What a command wrote, stdout and stderr as they came, and its exit code."""

    lines: tuple[str, ...]
    code: int


def commands(document: Path) -> list[Command]:
    """Find the commands of a document, in order. Raises AssertionError for output without a command."""
    found: list[Command] = []
    inside = expected = False
    for number, line in enumerate(document.read_text("utf-8").splitlines(), 1):
        if not inside:
            inside = expected = line == _OPEN
        elif line == _CLOSE:
            inside = False
        elif line.startswith(_PROMPT):
            found.append(Command(number, line.removeprefix(_PROMPT)))
            expected = False
        else:
            assert not expected, f"{document.name}:{number}: a console block begins with a command"
            found[-1].shown.append(line)
    return found


def execute(words: Sequence[str]) -> Result:
    """Run ``liqo-connectivity`` with these words, the program's name included."""
    assert words[0] == PROGRAM
    written = io.StringIO()
    with redirect_stdout(written), redirect_stderr(written):
        code = run(list(words[1:]))
    return Result(tuple(written.getvalue().splitlines()), code)


def played(document: Path) -> Iterator[tuple[Command, Result]]:
    """Run the commands of a document one after the other; those that are not ours are not given."""
    code: int | None = None
    for command in commands(document):
        if command.text == "echo $?":
            assert code is not None, f"{document.name}:{command.line}: there is no command before it"
            yield command, Result((str(code),), 0)
        elif command.words[0] == PROGRAM:
            result = execute(command.words)
            code = result.code
            yield command, result
        else:
            code = None


def matches(shown: Sequence[str], actual: Sequence[str]) -> bool:
    """Say whether a document shows these lines, where an elision stands for any number of them."""
    return _aligned(shown, actual, lambda line: line) is not None


def rewritten(document: Path, results: Sequence[tuple[Command, Result]]) -> str:
    """Give the document with what it shows wrongly replaced; elisions stay where only numbers in the lines changed."""
    lines = document.read_text("utf-8").splitlines()
    for command, result in reversed(results):
        if not matches(command.shown, result.lines):
            kept = _aligned(command.shown, result.lines, lambda line: _NUMBER.sub("0", line))
            lines[command.line : command.line + len(command.shown)] = result.lines if kept is None else kept
    return "\n".join(lines) + "\n"


def _aligned(shown: Sequence[str], actual: Sequence[str], key: Callable[[str], str]) -> list[str] | None:
    """Find the lines that a document shows among the actual ones, by a key; give them as they are, with elisions."""
    parts: list[list[str]] = [[]]
    for line in shown:
        if line.strip() in ELISIONS:
            parts.append([])
        else:
            parts[-1].append(key(line))
    keys = [key(line) for line in actual]
    found: list[str] = []
    start = 0
    for number, part in enumerate(parts):
        first, last = number == 0, number == len(parts) - 1
        low = len(keys) - len(part) if last and not first else start
        high = start if first else len(keys) - len(part)
        at = next((i for i in range(max(low, start), high + 1) if keys[i : i + len(part)] == part), None)
        if at is None or (first and last and len(part) != len(keys)):
            return None
        found += [*(() if first else ELISIONS[:1]), *actual[at : at + len(part)]]
        start = at + len(part)
    return found
