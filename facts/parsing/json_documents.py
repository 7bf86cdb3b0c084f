"""JSON text in, parsed documents out: one, or several after each other, as kubectl prints them."""

import json
import re
from collections.abc import Iterator
from typing import Final, NamedTuple, cast

from liqo_connectivity.facts.base.problems import one_line, show
from liqo_connectivity.facts.parsing.documents import UnparsableError

_TOKEN = re.compile(r'(?P<open>[{\[])|(?P<close>[}\]])|(?P<text>"(?:[^"\\]|\\.)*")\s*(?P<colon>:)?')
_SPACE = re.compile(r"[ \t\n\r]*")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LONE = re.compile("[\ud800-\udfff]")
_CUT: Final = "the file looks cut off: write it again"


class JsonDocument(NamedTuple):
    """One document of a JSON text: its value, and the offset in the text where it begins."""

    value: object
    start: int


def parse_json(text: str) -> object:
    """The value of a JSON text of one document.

    Raises:
        UnparsableError: the text is not JSON, repeats a key in an object, nests too deeply, or holds half a character.
    """
    documents = list(parse_json_documents(text))
    if len(documents) == 1:
        return documents[0].value
    line = 1 + text.count("\n", 0, documents[1].start if documents else len(text.rstrip()))
    raise UnparsableError(line, "is not one JSON value", "correct the JSON")


def parse_json_documents(text: str) -> Iterator[JsonDocument]:
    """The documents of a JSON text, with white space or nothing between them.

    Raises:
        UnparsableError: as ``parse_json``; the documents before have been given.
    """
    start = _skip(text, 0)
    while start < len(text):
        value, end = _decode(text, start)
        if _SURROGATE.search(text, start, end):
            _refuse_lone_surrogates(value, text, start)
        yield JsonDocument(value, start)
        start = _skip(text, end)


def _skip(text: str, offset: int) -> int:
    match = _SPACE.match(text, offset)
    return match.end() if match else offset


def _decode(text: str, start: int) -> tuple[object, int]:
    first = text.count("\n", 0, start) + 1
    try:
        return cast("tuple[object, int]", _JSON.raw_decode(text, start))
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
            raise UnparsableError(error.lineno, "ends inside a JSON value", _CUT) from None
        raise UnparsableError(error.lineno, f"is not JSON: {one_line(error.msg)}", "correct the JSON") from None
    except RecursionError:
        help_text = "no Kubernetes object does: check where it comes from"
        raise UnparsableError(first, "nests too deeply", help_text) from None
    except _RepeatedKeyError as error:
        line = _line_of_repeated_key(text, start)
        raise UnparsableError(line, f"has the key {show(error.key)} twice in one object", "keep one of them") from None
    except ValueError:
        raise UnparsableError(first, "has a number with thousands of digits", "correct the JSON") from None


class _RepeatedKeyError(Exception):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _RepeatedKeyError(key)
            seen.add(key)
    return result


def _line_of_repeated_key(text: str, start: int) -> int:
    levels: list[set[str]] = []
    for token in _TOKEN.finditer(text, start):
        if token["open"]:
            levels.append(set())
        elif token["close"]:
            levels.pop()
        elif token["colon"]:
            key = json.loads(token["text"])
            if key in levels[-1]:
                return text.count("\n", 0, token.start()) + 1
            levels[-1].add(key)
    return 1


def _refuse_lone_surrogates(value: object, text: str, start: int) -> None:
    """Refuse a text with half a character, which UTF-8 cannot write. Nothing recurses: depth is the decoder's affair."""
    pending = [value]
    while pending:
        found = pending.pop()
        if isinstance(found, dict):
            pending += [*found, *found.values()]
        elif isinstance(found, list):
            pending += cast("list[object]", found)
        elif isinstance(found, str) and _LONE.search(found):
            escape = json.dumps(_LONE.findall(found)[0])[1:-1]
            at = text.lower().find(escape, start)
            line = text.count("\n", 0, max(at, start)) + 1
            raise UnparsableError(
                line, f"has {escape} without its other half", "repair the text: it is not valid Unicode"
            )


_JSON: Final = json.JSONDecoder(object_pairs_hook=_unique)
