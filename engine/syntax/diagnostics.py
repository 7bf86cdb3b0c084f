"""Diagnostics: code, place, cause and fix of each error in a program.

Every pass reports this one type, so that all errors look alike and a caller can collect many before it stops.
The layout follows rustc: code and message, place, the line with carets, cause, fix.

The engine's exceptions::

    DatalogError
    ├── ProgramError      the program text is wrong; carries diagnostics
    ├── EvaluationError   a term without a value (in ``arithmetic``)
    ├── LimitError        an evaluation exceeded its limits; names the rule that ran away
    ├── FactError         a fact does not fit its relation
    ├── UnknownRelationError   a question names an undeclared relation
    └── OracleError       the second evaluator failed, exceeded a limit, or refused the program
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from unicodedata import combining, east_asian_width

Severity = Literal["error", "warning", "note"]

_EXCERPT: Final = 160
"""Maximum number of characters shown of a line."""


class Span(NamedTuple):
    """A place in a program text: lines and columns count from 1, ``end_column`` is one past the last character.

    A tuple, because a program has thousands of places, and tuples are the quickest to make.
    """

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Diagnostic(NamedTuple):
    """One error, warning or note about a program: its code (``DL001``), place, cause (``note``) and fix (``help``)."""

    code: str
    severity: Severity
    message: str
    span: Span
    note: str = ""
    help: str = ""

    def render(self, texts: dict[str, str]) -> str:
        """Format the diagnostic for a terminal; ``texts`` maps each file name to the file's whole text."""
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
    # Split at line feeds only, as the parser does: str.splitlines() splits at eight other characters too.
    return text.split("\n")


def _excerpt(line: str, start: int, end: int) -> tuple[str, str]:
    """Return a printable excerpt of a line, and carets under ``start`` to ``end`` that allow for wide characters."""
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
    """Base class of the engine's exceptions."""


class ProgramError(DatalogError):
    """The program text is wrong. ``diagnostics`` holds all diagnostics, errors first; ``str()`` renders them."""

    def __init__(self, diagnostics: Iterable[Diagnostic], texts: dict[str, str]) -> None:
        self.diagnostics = tuple(sorted(diagnostics, key=lambda d: (d.severity != "error", d.span, d.code)))
        super().__init__("\n\n".join(d.render(texts) for d in self.diagnostics))


class FactError(DatalogError):
    """A fact names an undeclared relation, or its values do not match the relation's columns."""


class LimitError(DatalogError):
    """An evaluation exceeded its ``Limits`` and was stopped. ``place`` is ``file:line:column`` of the rule at fault.

    That is the rule that has read most rows since the evaluation began; ``place`` is empty if no rule has read any.
    """

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(message)
        self.place = place


class UnknownRelationError(DatalogError):
    """A question names a relation that the program does not declare."""


class OracleError(DatalogError):
    """The second evaluator failed, exceeded a limit, or refused a program outside the subset that is safe for it."""
