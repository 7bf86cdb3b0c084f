"""Reads the patterns of ``match``: regular expressions, in the part of them that an automaton decides.

docs/dialect.md lists what a pattern may hold; anything else is an error, and never a pattern that matches nothing.
"""

from dataclasses import dataclass
from typing import Final, NoReturn

MAX_PLACES: Final = 500
"""Maximum number of characters and classes of a pattern, a repetition written out: ``(ab){3}`` has six."""
MAX_GROUPS: Final = 50
"""Maximum depth of groups."""
_LAST: Final = 0x10FFFF
_DIGIT: Final = ((0x30, 0x39),)
_WORD: Final = (*_DIGIT, (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_SPACE: Final = ((0x09, 0x0D), (0x20, 0x20))
_LINE_ENDS: Final = ((0x0A, 0x0A), (0x0D, 0x0D))
_CONTROLS: Final = {"n": "\n", "r": "\r", "t": "\t"}

Ranges = tuple[tuple[int, int], ...]
"""Code points from the first to the last, sorted."""


def _others(ranges: Ranges) -> Ranges:
    found: list[tuple[int, int]] = []
    start = 0
    for first, last in sorted(ranges):
        if start < first:
            found.append((start, first - 1))
        start = max(start, last + 1)
    return (*found, (start, _LAST)) if start <= _LAST else tuple(found)


_CLASSES: Final = {
    "d": _DIGIT,
    "w": _WORD,
    "s": _SPACE,
    "D": _others(_DIGIT),
    "W": _others(_WORD),
    "S": _others(_SPACE),
}


class PatternError(ValueError):
    """A text is no pattern: the number of the character, from 1, and why."""


@dataclass(frozen=True, slots=True)
class Characters:
    """One character of some ranges."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Sequence:
    """One part after another."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some parts."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Repetition:
    """A part from ``least`` to ``most`` times; ``None`` is without end."""

    part: "Node"
    least: int
    most: int | None


Node = Characters | Sequence | Choice | Repetition


def read_pattern(text: str) -> Node:
    """Read a pattern. Raises PatternError."""
    return _Reader(text).pattern()


class _Reader:
    """Reads a pattern; each method returns what it has read and how many places that has."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._next = 0

    def pattern(self) -> Node:
        node, _ = self._choice(0)
        if self._next < len(self._text):
            self._fail("this ) closes no group; write \\)")
        return node

    def _fail(self, why: str) -> NoReturn:
        raise PatternError(f"character {self._next + 1}: {why}")

    def _peek(self) -> str:
        return self._text[self._next : self._next + 1]

    def _take(self, mark: str) -> bool:
        found = self._peek() == mark
        self._next += found
        return found

    def _choice(self, depth: int) -> tuple[Node, int]:
        if depth > MAX_GROUPS:
            self._fail(f"groups nest more than {MAX_GROUPS} deep")
        parts = [self._sequence(depth)]
        while self._take("|"):
            parts.append(self._sequence(depth))
        return Choice(tuple(node for node, _ in parts)), self._bounded(sum(places for _, places in parts))

    def _sequence(self, depth: int) -> tuple[Node, int]:
        nodes: list[Node] = []
        total = 0
        while self._peek() not in ("", "|", ")"):
            node, places = self._repeated(*self._single(depth))
            nodes.append(node)
            total = self._bounded(total + places)
        # An empty sequence counts too, so that repetitions of nothing are bounded.
        return Sequence(tuple(nodes)), max(total, 1)

    def _bounded(self, places: int) -> int:
        if places > MAX_PLACES:
            self._fail(f"the pattern has more than {MAX_PLACES} places, each repetition written out")
        return places

    def _repeated(self, node: Node, places: int) -> tuple[Node, int]:
        least, most = 0, None
        if self._take("?"):
            most = 1
        elif self._take("+"):
            least = 1
        elif self._take("{"):
            least, most = self._bounds()
        elif not self._take("*"):
            return node, places
        if self._peek() in ("?", "*", "+", "{"):
            self._fail("a repetition follows a repetition: there are no lazy or possessive ones; write a group")
        return Repetition(node, least, most), self._bounded(places * max(least, most or 1, 1))

    def _bounds(self) -> tuple[int, int | None]:
        least = self._number()
        most: int | None = least
        if self._take(","):
            most = None if self._peek() == "}" else self._number()
        if not self._take("}"):
            self._fail("a repetition is written {m}, {m,} or {m,n}; a brace that is meant is \\{")
        if most is not None and most < least:
            self._fail(f"{{{least},{most}}} ends before it begins")
        return least, most

    def _number(self) -> int:
        digits = ""
        while self._peek() and self._peek() in "0123456789":
            digits += self._peek()
            self._next += 1
        if not digits:
            self._fail("a repetition is written {m}, {m,} or {m,n}; a brace that is meant is \\{")
        if len(digits) > 4 or int(digits) > MAX_PLACES:
            self._fail(f"a repetition of more than {MAX_PLACES}")
        return int(digits)

    def _single(self, depth: int) -> tuple[Node, int]:
        mark = self._peek()
        if mark in "?*+{":
            self._fail(f"{mark} repeats nothing; write \\{mark}")
        if mark in "]}":
            self._fail(f"{mark} closes nothing; write \\{mark}")
        if mark in "^$":
            self._fail(f"a pattern always matches the whole text, without {mark}; write \\{mark} for the character")
        if self._take("("):
            if self._peek() == "?":
                self._fail("groups that begin with (? do not exist: no lookaround, flags or names")
            node, places = self._choice(depth + 1)
            if not self._take(")"):
                self._fail("a group has no end; write \\( for the character")
            return node, places
        if self._take("["):
            return Characters(self._class()), 1
        if self._take("."):
            return Characters(_others(_LINE_ENDS)), 1
        return Characters(self._character()), 1

    def _character(self) -> Ranges:
        """Read one character, or an escape, which may be a class."""
        mark = self._peek()
        self._next += 1
        if mark == "\\":
            mark = self._peek()
            self._next += 1
            if mark in _CLASSES:
                return _CLASSES[mark]
            if mark == "" or not (mark in _CONTROLS or (mark.isascii() and mark.isprintable() and not mark.isalnum())):
                self._next -= 2
                self._fail(f"there is no escape \\{mark}")
            mark = _CONTROLS.get(mark, mark)
        return ((ord(mark), ord(mark)),)

    def _class(self) -> Ranges:
        negated = self._take("^")
        ranges: list[tuple[int, int]] = []
        while not self._take("]"):
            if self._peek() in ("", "["):
                self._fail("a class has no end, or holds a [; write \\[ for the character")
            first = self._character()
            if self._peek() == "-" and self._text[self._next + 1 : self._next + 2] not in ("", "]"):
                self._next += 1
                if self._peek() == "[":
                    self._fail("a range ends with a character; write \\[")
                start, end = _only_code(first), _only_code(self._character())
                if start is None or end is None:
                    self._fail("a range goes from a character to a character")
                if end < start:
                    self._fail("a range ends before it begins")
                first = ((start, end),)
            ranges += first
        if not ranges:
            self._fail("a class is empty")
        return _others(tuple(ranges)) if negated else tuple(ranges)


def _only_code(ranges: Ranges) -> int | None:
    """Return the code point of what is a single character."""
    codes = [code for first, last in ranges for code in (first, last)]
    return codes[0] if len(ranges) == 1 and codes[0] == codes[-1] else None
