"""The patterns of ``match``, written from docs/dialect.md and not from the engine.

A pattern becomes a machine whose states are all followed at once (Thompson 1968), so that nothing goes back in the text.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_PLACES: Final = 500
_DEPTH: Final = 50
_KEPT: Final = 1000
"""How many steps of a text are remembered, to save time."""
_SPECIAL: Final = "()[]{}|*+?.^$"
_CONTROLS: Final = {"n": "\n", "r": "\r", "t": "\t"}


class PatternError(Exception):
    """A text is no pattern."""


@dataclass(frozen=True, slots=True)
class _One:
    """One character inside, or outside, of some classes or ranges."""

    inside: bool
    parts: "tuple[_One | tuple[str, str], ...]"

    def takes(self, character: str) -> bool:
        found = any(p.takes(character) if isinstance(p, _One) else p[0] <= character <= p[1] for p in self.parts)
        return found == self.inside


@dataclass(frozen=True, slots=True)
class _Either:
    rows: "tuple[_Row, ...]"


@dataclass(frozen=True, slots=True)
class _Times:
    """From ``least`` to ``most`` times; a ``most`` of -1 is without end."""

    row: "_Row"
    least: int
    most: int


_Part = _One | _Either | _Times
_Row = tuple[_Part, ...]
_NAMED: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "d": (("0", "9"),),
    "w": (("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z")),
    "s": ((" ", " "), ("\t", "\r")),
}


def _places(part: _Part) -> int:
    if isinstance(part, _Either):
        return sum(max(1, sum(map(_places, row))) for row in part.rows)
    if isinstance(part, _Times):
        return sum(map(_places, part.row)) * max(1, part.least, part.most)
    return 1


class _Reader:
    def __init__(self, text: str) -> None:
        self._rest = list(reversed(text))

    def _next(self) -> str:
        return self._rest[-1] if self._rest else ""

    def _take(self) -> str:
        if not self._rest:
            raise PatternError
        return self._rest.pop()

    def whole(self) -> _Either:
        found = self._either(0)
        if self._rest:
            raise PatternError
        return found

    def _either(self, depth: int) -> _Either:
        if depth > _DEPTH:
            raise PatternError
        rows = [self._row(depth)]
        while self._next() == "|":
            self._take()
            rows.append(self._row(depth))
        return _Either(tuple(rows))

    def _row(self, depth: int) -> _Row:
        parts: list[_Part] = []
        while self._next() not in ("", "|", ")"):
            parts.append(self._times(self._item(depth)))
        return tuple(parts)

    def _times(self, part: _Part) -> _Part:
        bounds = {"*": (0, -1), "+": (1, -1), "?": (0, 1)}
        if self._next() in bounds:
            least, most = bounds[self._take()]
        elif self._next() == "{":
            least, most = self._braces()
        else:
            return part
        if self._next() in ("*", "+", "?", "{"):
            raise PatternError
        return _Times((part,), least, most)

    def _braces(self) -> tuple[int, int]:
        self._take()
        written = ""
        while self._next() != "}":
            written += self._take()
        self._take()
        least, comma, most = written.partition(",")
        numbers = [least, most] if most else [least]
        if not all(n.isascii() and n.isdigit() and len(n) < 5 and int(n) <= _PLACES for n in numbers):
            raise PatternError
        if most and int(most) < int(least):
            raise PatternError
        return int(least), int(most) if most else -1 if comma else int(least)

    def _item(self, depth: int) -> _Part:
        mark = self._next()
        if mark == "(":
            self._take()
            if self._next() == "?":
                raise PatternError
            found = self._either(depth + 1)
            if self._take() != ")":
                raise PatternError
            return found
        if mark == "[":
            self._take()
            return self._class()
        if mark == ".":
            self._take()
            return _One(False, (("\n", "\n"), ("\r", "\r")))
        if mark in _SPECIAL:
            raise PatternError
        part = self._character()
        return part if isinstance(part, _One) else _One(True, ((part, part),))

    def _character(self) -> _One | str:
        """Read a character, or the class that an escape stands for."""
        mark = self._take()
        if mark != "\\":
            return mark
        mark = self._take()
        if mark.lower() in _NAMED:
            return _One(mark.islower(), _NAMED[mark.lower()])
        if mark in _CONTROLS:
            return _CONTROLS[mark]
        if not " " <= mark <= "~" or mark.isalnum():
            raise PatternError
        return mark

    def _class(self) -> _One:
        inside = self._next() != "^"
        if not inside:
            self._take()
        parts: list[_One | tuple[str, str]] = []
        while self._next() != "]":
            parts.append(self._range())
        self._take()
        if not parts:
            raise PatternError
        return _One(inside, tuple(parts))

    def _range(self) -> _One | tuple[str, str]:
        if self._next() == "[":
            raise PatternError
        first = self._character()
        if self._next() != "-" or self._rest[-2:-1] in ([], ["]"]):
            return first if isinstance(first, _One) else (first, first)
        self._take()
        if self._next() == "[":
            raise PatternError
        last = self._character()
        if isinstance(first, _One) or isinstance(last, _One) or last < first:
            raise PatternError
        return first, last


class _Machine:
    """States that read a character and lead to another, or read nothing and lead to several; 0 is the end."""

    def __init__(self, pattern: _Part) -> None:
        self._states: list[tuple[_One | None, tuple[int, ...]]] = [(None, ())]
        self._start = self._part(pattern, 0)

    def _add(self, reads: _One | None, *leads: int) -> int:
        self._states.append((reads, leads))
        return len(self._states) - 1

    def _row(self, row: _Row, after: int) -> int:
        for part in reversed(row):
            after = self._part(part, after)
        return after

    def _part(self, part: _Part, after: int) -> int:
        """Add the states of a part that leads to a state; give its first."""
        if isinstance(part, _One):
            return self._add(part, after)
        if isinstance(part, _Either):
            return self._add(None, *[self._row(row, after) for row in part.rows])
        first = after
        if part.most < 0:
            first = self._add(None)
            self._states[first] = None, (self._row(part.row, first), after)
        for _ in range(part.most - part.least):
            first = self._add(None, self._row(part.row, first), after)
        for _ in range(part.least):
            first = self._row(part.row, first)
        return first

    def _reached(self, states: Iterable[int]) -> frozenset[int]:
        """Give some states, and those that they lead to without reading."""
        found: set[int] = set()
        waiting = list(states)
        while waiting:
            state = waiting.pop()
            if state not in found:
                found.add(state)
                reads, leads = self._states[state]
                waiting += leads if reads is None else ()
        return frozenset(found)

    def matches(self, text: str) -> bool:
        at = self._reached([self._start])
        known: dict[tuple[frozenset[int], str], frozenset[int]] = {}
        for character in text:
            step = at, character
            if step not in known:
                if len(known) >= _KEPT:
                    known.clear()
                reading = [(reads, leads) for reads, leads in map(self._states.__getitem__, at) if reads is not None]
                known[step] = self._reached(leads[0] for reads, leads in reading if reads.takes(character))
            at = known[step]
        return 0 in at


@lru_cache(maxsize=128)
def _machine(pattern: str) -> _Machine:
    found = _Reader(pattern).whole()
    if _places(found) > _PLACES:
        raise PatternError
    return _Machine(found)


def is_match(pattern: str, text: str) -> bool:
    """Tell whether the whole text matches. Raises PatternError for what is no pattern."""
    return _machine(pattern).matches(text)
