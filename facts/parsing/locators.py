"""The place of a field in the text that it was read from, looked for only when a problem needs it.

The first look into a document takes time linear in its size, later ones little.
"""

import json
import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import yaml

from liqo_connectivity.facts.parsing.documents import parse_yaml


class Position(NamedTuple):
    """A place in a text: line and column, both counted from 1, or 0 where they are unknown."""

    line: int
    column: int


class Locator(Protocol):
    """Finds a document's fields in its text."""

    def position(self, path: Sequence[str | int]) -> Position:
        """Where the field at a path, or its nearest existing parent, begins: at its key, or at the item of a list."""
        ...


class FixedLine:
    """The locator of a document with one line for all its fields."""

    __slots__ = ("_line",)

    def __init__(self, line: int) -> None:
        self._line = line

    def position(self, path: Sequence[str | int]) -> Position:
        """The same line for every path."""
        return Position(self._line, 0)


class YamlLocator:
    """The locator of one document of a YAML text. It parses the text again when first used."""

    __slots__ = ("_index", "_root", "_text")

    def __init__(self, text: str, index: int) -> None:
        self._text = text
        self._index = index
        self._root: yaml.Node | None = None

    def position(self, path: Sequence[str | int]) -> Position:
        """Where the last field of the path that exists begins."""
        if self._root is None:
            self._root = next(document.node for document in parse_yaml(self._text) if document.number == self._index)
        node = self._root
        mark = node.start_mark
        for step in path:
            if isinstance(node, yaml.MappingNode):
                found = next((pair for pair in node.value if pair[0].value == str(step)), None)
                if found is None:
                    break
                mark = found[0].start_mark
                node = found[1]
            elif isinstance(node, yaml.SequenceNode) and int(step) < len(node.value):
                node = node.value[int(step)]
                mark = node.start_mark
            else:
                break
        return Position(mark.line + 1, mark.column + 1)


class JsonLines:
    """A JSON text with the offsets of its line ends, which the locators of its documents share."""

    __slots__ = ("_ends", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._ends: list[int] = []

    def position(self, offset: int) -> Position:
        """The line and column of an offset."""
        if not self._ends:
            self._ends = [-1, *(match.start() for match in re.finditer("\n", self.text))]
        line = bisect_left(self._ends, offset)
        return Position(line, offset - self._ends[line - 1])


class JsonLocator:
    """The locator of one document, from an offset on, of a JSON text that has been parsed without error.

    Values are skipped by the decoder, so nothing recurses here. The members of every object or list on the way are
    remembered, so that many problems in one long list cost no more than one.
    """

    __slots__ = ("_decoder", "_lines", "_members", "_start", "_text")

    _SPACE = re.compile(r"[ \t\n\r]*")

    def __init__(self, lines: JsonLines, start: int) -> None:
        self._lines = lines
        self._text = lines.text
        self._start = start
        self._decoder = json.JSONDecoder()
        self._members: dict[int, dict[str, tuple[int, int]]] = {}

    def position(self, path: Sequence[str | int]) -> Position:
        """Where the last field of the path that exists begins."""
        begins = offset = self._skip(self._start)
        for step in path:
            members = self._members.get(offset)
            if members is None:
                members = self._members[offset] = self._scan(offset)
            found = members.get(str(step))
            if found is None:
                break
            begins, offset = found
        return self._lines.position(begins)

    def _skip(self, offset: int) -> int:
        match = self._SPACE.match(self._text, offset)
        return match.end() if match else offset

    def _scan(self, offset: int) -> dict[str, tuple[int, int]]:
        """Where the members of an object or list begin: their keys, if they have any, and their values."""
        opening = self._text[offset]
        members: dict[str, tuple[int, int]] = {}
        if opening not in "{[":
            return members
        at = self._skip(offset + 1)
        while self._text[at] not in "}]":
            key = str(len(members))
            begins = at
            if opening == "{":
                decoded, at = self._decoder.raw_decode(self._text, at)
                key = str(decoded)
                at = self._skip(self._skip(at) + 1)
            members[key] = begins, at
            at = self._skip(self._decoder.raw_decode(self._text, at)[1])
            if self._text[at] == ",":
                at = self._skip(at + 1)
        return members
