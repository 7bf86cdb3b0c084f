"""The line of a field in the text that it was read from, looked for only when a problem needs it.

The first look into a document takes time linear in its size, later ones little.
"""

import json
import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import Protocol

import yaml

from liqo_connectivity.facts.parsing.documents import parse_yaml


class Locator(Protocol):
    """Finds the lines of a document's fields."""

    def line(self, path: Sequence[str | int]) -> int:
        """The line, counted from 1, of the field at a path, or of its nearest existing parent."""
        ...


class FixedLine:
    """The locator of a document with one line for all its fields."""

    __slots__ = ("_line",)

    def __init__(self, line: int) -> None:
        self._line = line

    def line(self, path: Sequence[str | int]) -> int:
        """The same line for every path."""
        return self._line


class YamlLocator:
    """The locator of one document of a YAML text. It parses the text again when first used."""

    __slots__ = ("_index", "_root", "_text")

    def __init__(self, text: str, index: int) -> None:
        self._text = text
        self._index = index
        self._root: yaml.Node | None = None

    def line(self, path: Sequence[str | int]) -> int:
        """The line of the key of the last field of the path that exists, or of the item of a list."""
        if self._root is None:
            self._root = next(document.node for document in parse_yaml(self._text) if document.index == self._index)
        node = self._root
        line = node.start_mark.line + 1
        for step in path:
            if isinstance(node, yaml.MappingNode):
                found = next((pair for pair in node.value if pair[0].value == str(step)), None)
                if found is None:
                    break
                line = found[0].start_mark.line + 1
                node = found[1]
            elif isinstance(node, yaml.SequenceNode) and int(step) < len(node.value):
                node = node.value[int(step)]
                line = node.start_mark.line + 1
            else:
                break
        return line


class JsonLocator:
    """The locator of a JSON text that has been parsed without error.

    Values are skipped by the decoder, so nothing recurses here. The members of every object or list on the way are
    remembered, so that many problems in one long list cost no more than one.
    """

    __slots__ = ("_decoder", "_members", "_newlines", "_text")

    _SPACE = re.compile(r"[ \t\n\r]*")

    def __init__(self, text: str) -> None:
        self._text = text
        self._decoder = json.JSONDecoder()
        self._members: dict[int, dict[str, int]] = {}
        self._newlines: list[int] = []

    def line(self, path: Sequence[str | int]) -> int:
        """The line on which the value at the path starts, or that of its nearest existing parent."""
        offset = self._skip(0)
        for step in path:
            members = self._members.get(offset)
            if members is None:
                members = self._members[offset] = self._scan(offset)
            found = members.get(str(step))
            if found is None:
                break
            offset = found
        if not self._newlines:
            self._newlines = [match.start() for match in re.finditer("\n", self._text)]
        return bisect_left(self._newlines, offset) + 1

    def _skip(self, offset: int) -> int:
        match = self._SPACE.match(self._text, offset)
        return match.end() if match else offset

    def _scan(self, offset: int) -> dict[str, int]:
        opening = self._text[offset]
        members: dict[str, int] = {}
        if opening not in "{[":
            return members
        at = self._skip(offset + 1)
        while self._text[at] not in "}]":
            key = str(len(members))
            if opening == "{":
                decoded, at = self._decoder.raw_decode(self._text, at)
                key = str(decoded)
                at = self._skip(self._skip(at) + 1)
            members[key] = at
            at = self._skip(self._decoder.raw_decode(self._text, at)[1])
            if self._text[at] == ",":
                at = self._skip(at + 1)
        return members
