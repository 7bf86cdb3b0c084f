"""Problems: what could not be read, with the place and what to do about it."""

import json
from typing import NamedTuple

from liqo_connectivity.facts.base.fact import Fact, ObjectKey, Source, symbol
from liqo_connectivity.rules.relations import Unreadable

_SHOWN = 60


class Problem(NamedTuple):
    """One object, or part of a file, that could not be read.

    ``file`` is empty for an object of the live cluster, ``line`` counts from 1 and is 0 when it is unknown; ``column`` too,
    and is 0 for a whole line. ``kind``, ``namespace`` and ``name`` are as far as they are known, ``field`` is a JSON
    pointer, empty for the whole object. ``message`` says what is wrong and ``help`` what to do. All texts are on one line.
    """

    file: str = ""
    line: int = 0
    kind: str = ""
    namespace: str = ""
    name: str = ""
    field: str = ""
    message: str = ""
    help: str = ""
    column: int = 0

    @property
    def place(self) -> str:
        """``file:line:column``, ``file:line``, ``file``, or empty."""
        numbers = [str(number) for number in (self.line, self.column if self.line else 0) if number]
        return ":".join([self.file, *numbers]) if self.file else ""

    @property
    def text(self) -> str:
        """Field and message, without the place and the object."""
        return f"{self.field}: {self.message}" if self.field else self.message

    def __str__(self) -> str:
        parts = (self.place, f"{self.kind} {symbol(self.namespace, self.name)}".strip(), self.text)
        line = ": ".join(part for part in parts if part)
        return f"{line}; {self.help}" if self.help else line


def unreadable(problem: Problem, uid: str = "", resource_version: str = "") -> tuple[ObjectKey, Fact]:
    """The fact that says what is unknown because of a problem, and the key of the object to put it under.

    When the name is unknown, the place stands for it in the source and is part of the row's text.
    """
    text = problem.text
    name = problem.name
    if not name:
        name = problem.place or "unnamed"
        text = f"{problem.place}: {text}" if problem.place else text
    source = Source(problem.kind, problem.namespace, name, uid, resource_version)
    row = Unreadable(problem.kind, problem.namespace, problem.name, text)
    return source.key, Fact(row, source, problem.field, problem.place)


def show(value: object) -> str:
    """A value of an untrusted object for a message: one short line of ASCII; of objects and lists only the type."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, bool | int | float | None):
        return json.dumps(value)[:_SHOWN]
    text = str(value)
    return json.dumps(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def one_line(text: str) -> str:
    """A text with everything but printable characters escaped, so that it cannot forge lines of output."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
