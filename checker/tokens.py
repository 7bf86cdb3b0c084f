"""A text of the dialect as tokens, read one ahead. A reader of rules can go back to a place that it has been at."""

import re
from typing import Final

from liqo_connectivity.checker.syntax import RulesError

_TOKEN: Final = re.compile(
    r"(?P<skip>\s+|//[^\n]*|/\*.*?\*/)"
    r'|(?P<string>"(?:[^"\\\n]|\\["\\nrt])*")'
    r"|(?P<number>[0-9]+)"
    r"|(?P<directive>\.(?:type|decl|functor|input|output|pragma|plan|printsize)\b)"
    r"|(?P<name>[A-Za-z?_][A-Za-z0-9_?]*)"
    r"|(?P<mark>:-|<:|!=|<=|>=|[=<>!.,;:(){}@+\-*/%])",
    re.DOTALL,
)
_ESCAPES: Final = {'\\"': '"', "\\\\": "\\", "\\n": "\n", "\\r": "\r", "\\t": "\t"}
_DIGITS: Final = 10
"""The most digits of a number of 32 bits."""


class Tokens:
    """The token at the present place of a text: its ``kind``, ``end`` after the last one, and what is written."""

    def __init__(self, text: str, file: str) -> None:
        self._text, self._file = text, file
        self._next = 0
        self._move(0)

    def _move(self, place: int) -> None:
        """Read the token at a place, or the first after white space and comments."""
        while place < len(self._text):
            found = _TOKEN.match(self._text, place)
            if found is None:
                self._place = place
                raise self._error("a token")
            if found.lastgroup != "skip":
                self._place, self._next = place, found.end()
                self.kind, self.token = str(found.lastgroup), found.group()
                return
            place = found.end()
        self._place = self._next = len(self._text)
        self.kind, self.token = "end", ""

    def _line(self) -> int:
        return self._text.count("\n", 0, self._place) + 1

    def _error(self, wanted: str) -> RulesError:
        return RulesError(f"{self._file}:{self._line()}: expected {wanted} at {self._text[self._place :][:20]!r}")

    def _take(self, *tokens: str) -> str:
        """Read over one of some tokens, or over a name for none."""
        good = self.token in tokens if tokens else self.kind == "name" and not self._is("_")
        if not good:
            raise self._error(" or ".join(tokens) or "a name")
        taken = self.token
        self._move(self._next)
        return taken

    def _is(self, *marks: str) -> bool:
        return self.kind != "string" and self.token in marks

    def _try(self, token: str) -> bool:
        if not self._is(token):
            return False
        self._move(self._next)
        return True

    def _symbol(self, written: str) -> str:
        """Give the text that a token in quotes stands for."""
        return re.sub(r'\\["\\nrt]', lambda found: _ESCAPES[found.group()], written[1:-1])

    def _number(self, digits: str) -> int:
        # Python reads no number of thousands of digits.
        if len(digits.lstrip("0")) > _DIGITS:
            raise self._error("a number of 32 bits")
        return int(digits)
