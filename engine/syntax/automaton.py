"""Automata that match texts in time linear in the text.

Python's ``re`` backtracks: ``(a*)*b`` takes forever on some dozen letters, and a pattern may come from a fact. Here a
pattern becomes an automaton with a place for each of its characters (Glushkov 1961), which reads a text once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from liqo_connectivity.engine.syntax.patterns import (
    Characters,
    Choice,
    Node,
    Ranges,
    Repetition,
    Sequence,
    read_pattern,
)

_KEPT: Final = 4096
"""How many steps of an automaton, and how many characters, are remembered to save time."""


@dataclass(slots=True)
class Automaton:
    """Places as bits of a number; bit 0 is the start.

    ``follow`` has the places that may come after each, ``reading`` the places that read a character of some ranges.
    """

    follow: list[int] = field(default_factory=lambda: [0])
    reading: dict[Ranges, int] = field(default_factory=dict[Ranges, int])
    ends: int = 0
    _reads: dict[str, int] = field(default_factory=dict[str, int])
    _steps: dict[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])

    def matches(self, text: str) -> bool:
        """Tell whether the whole text matches."""
        at = 1
        for character in text:
            reads = self._reads.get(character)
            if reads is None:
                reads = self._read(character)
            after = self._steps.get((at, reads))
            at = self._step(at, reads) if after is None else after
            if not at:
                return False
        return bool(at & self.ends)

    def _step(self, at: int, reads: int) -> int:
        after = 0
        for place in _bits(at):
            after |= self.follow[place]
        if len(self._steps) >= _KEPT:
            self._steps.clear()
        self._steps[at, reads] = after & reads
        return after & reads

    def _read(self, character: str) -> int:
        """Return the places that read a character."""
        code, found = ord(character), 0
        for ranges, places in self.reading.items():
            if any(first <= code <= last for first, last in ranges):
                found |= places
        if len(self._reads) >= _KEPT:
            self._reads.clear()
        self._reads[character] = found
        return found

    def add(self, node: Node) -> tuple[bool, int, int]:
        """Add a part; return whether it matches the empty text, and the places it begins and ends with."""
        match node:
            case Characters(ranges=ranges):
                place = 1 << len(self.follow)
                self.follow.append(0)
                self.reading[ranges] = self.reading.get(ranges, 0) | place
                return False, place, place
            case Choice(parts=parts):
                empty, first, last = False, 0, 0
                for added in map(self.add, parts):
                    empty, first, last = empty or added[0], first | added[1], last | added[2]
                return empty, first, last
            case Sequence(parts=parts):
                found = True, 0, 0
                for part in parts:
                    found = self.joined(found, self.add(part))
                return found
            case Repetition():
                return self._repeat(node)

    def _repeat(self, node: Repetition) -> tuple[bool, int, int]:
        found = True, 0, 0
        for copy in range(max(node.least, 1) if node.most is None else node.most):
            empty, first, last = self.add(node.part)
            if node.most is None and copy >= node.least - 1:
                self.connect(last, first)
            found = self.joined(found, (empty or copy >= node.least, first, last))
        return found

    def joined(self, left: tuple[bool, int, int], right: tuple[bool, int, int]) -> tuple[bool, int, int]:
        """Connect a part with the one after it."""
        self.connect(left[2], right[1])
        first = left[1] | right[1] if left[0] else left[1]
        last = left[2] | right[2] if right[0] else right[2]
        return left[0] and right[0], first, last

    def connect(self, last: int, first: int) -> None:
        """Let some places come after others."""
        for place in _bits(last):
            self.follow[place] |= first


def _bits(number: int) -> Iterator[int]:
    while number:
        lowest = number & -number
        yield lowest.bit_length() - 1
        number ^= lowest


def automaton_of(pattern: str) -> Automaton:
    """Compile a pattern. Raises PatternError."""
    made = Automaton()
    empty, first, last = made.add(read_pattern(pattern))
    made.follow[0] = first
    made.ends = last | empty
    return made
