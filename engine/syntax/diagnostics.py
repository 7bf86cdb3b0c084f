"""What the engine says to people about their programs: codes, places, reasons and remedies.

Every pass reports through one type, so that all errors look alike and a caller can gather many before it stops.
The layout follows rustc: code and message, place, the line with carets, why, what to do.

Errors of the engine, as a tree::

    DatalogError
    ├── ProgramError      the program text is wrong; carries diagnostics
    ├── EvaluationError   arithmetic without a result (in ``arithmetic``)
    ├── FactError         a fact does not fit its relation
    ├── UnknownRelationError   a question names a relation that the program does not have
    └── OracleError       the second evaluator failed, ran out of its limits, or must refuse the program
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal
from unicodedata import combining, east_asian_width

Severity = Literal["error", "warning"]

_EXCERPT: Final = 160
"""How many characters of a line are shown at most."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A place in a program text: lines and columns count from 1, ``end_column`` is one past the last character."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding about a program: ``DL001`` and so on, where, why (``note``) and what to do (``help``)."""

    code: str
    severity: Severity
    message: str
    span: Span
    note: str = ""
    help: str = ""

    def render(self, texts: dict[str, str]) -> str:
        """Lay the finding out for a terminal; ``texts`` maps a file name to the whole text of that file."""
        margin = " " * len(str(self.span.line))
        lines = [f"{self.severity}[{self.code}]: {self.message}", f"{margin}--> {self.span}"]
        source = _lines(texts.get(self.span.file, ""))
        if 0 < self.span.line <= len(source):
            line = source[self.span.line - 1]
            end = self.span.end_column - 1 if self.span.end_line == self.span.line else len(line)
            shown, carets = _excerpt(line, self.span.column - 1, end)
            lines += [f"{margin} |", f"{self.span.line} | {shown}", f"{margin} | {carets}"]
        if self.note:
            lines.append(f"{margin} = note: {self.note}")
        if self.help:
            lines.append(f"{margin} = help: {self.help}")
        return "\n".join(lines)


@lru_cache(maxsize=4)
def _lines(text: str) -> list[str]:
    # Only line feeds count, as for the parser: str.splitlines() knows eight more ends of lines.
    return text.split("\n")


def _excerpt(line: str, start: int, end: int) -> tuple[str, str]:
    """Give a line as a terminal can show it, and the carets under ``start`` to ``end``, however wide its characters."""
    plain = "".join(character if character.isprintable() else " " for character in line)
    first = max(0, start - _EXCERPT // 2) if len(plain) > _EXCERPT else 0
    last = first + _EXCERPT
    before = ("..." if first else "") + plain[first:start]
    marked = plain[start : min(end, last)]
    after = plain[max(start, min(end, last)) : last] + ("..." if len(plain) > last else "")
    return (before + marked + after).rstrip(), " " * _width(before) + "^" * max(1, _width(marked))


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


class DatalogError(Exception):
    """The root of what the engine raises on purpose."""


class ProgramError(DatalogError):
    """The program text is wrong. ``diagnostics`` lists every finding, errors first; ``str()`` renders them all."""

    def __init__(self, diagnostics: Iterable[Diagnostic], texts: dict[str, str]) -> None:
        self.diagnostics = tuple(sorted(diagnostics, key=lambda d: (d.severity != "error", d.span, d.code)))
        super().__init__("\n\n".join(d.render(texts) for d in self.diagnostics))


class FactError(DatalogError):
    """A fact names no relation of the program, or does not have its columns' number or types."""


class UnknownRelationError(DatalogError):
    """A question names a relation that the program does not declare."""


class OracleError(DatalogError):
    """The second evaluator could not answer: a limit was reached, it failed, or the program is outside its safe part."""
