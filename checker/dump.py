"""Facts read from a JSON Lines dump: each row, and which fields of which objects assert it.

A second reader of what ``facts dump`` writes. One bad line rejects the whole dump.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast

from liqo_connectivity.checker.syntax import Row, TrustedRules, Value

HEADER: Final = {"format": "liqo-connectivity-facts", "version": 2}
END: Final = "facts"
"""The one member of the last line: the number of facts."""
QUESTION: Final = "flow"
"""The flow in question, which no object asserts."""
QUESTION_PORT: Final = "flow_port"
"""The destination port of a question, which no object asserts either."""
ENFORCER: Final = "enforcer"
"""What loads the chains, which the question says."""
ASKED: Final = (QUESTION, QUESTION_PORT, ENFORCER)
"""The input relations that no object asserts."""
SOURCE: Final = ("kind", "namespace", "name", "uid", "resourceVersion", "field", "value")

Source = tuple[object, ...]
"""The object, the field and its value, as in ``SOURCE``."""
SourcedFacts = Mapping[str, Mapping[Row, frozenset[Source]]]
"""The rows of each input relation, with their sources."""


class DumpError(Exception):
    """A dump cannot be read: the line and what is wrong."""


@dataclass(slots=True)
class _Line:
    number: int
    text: str

    def error(self, problem: str) -> DumpError:
        return DumpError(f"line {self.number}: {problem}")


def read_facts(lines: Iterable[str], rules: TrustedRules) -> SourcedFacts:
    """Read the lines of a dump, with their line ends. Raises DumpError."""
    facts: dict[str, dict[Row, frozenset[Source]]] = {name: {} for name in rules.inputs if name not in ASKED}
    line, count, stated = _Line(0, ""), 0, None
    for line in (_Line(number, text) for number, text in enumerate(lines, 1)):
        entry = _object(line)
        if line.number == 1:
            if entry != HEADER:
                raise line.error(f"is not the header of a facts dump of version {HEADER['version']}")
            continue
        if stated is not None:
            raise line.error("comes after the end of the dump")
        if set(entry) == {END}:
            stated = entry[END]
            if type(stated) is not int or stated != count:
                raise line.error(f"the dump has {count} facts, and not as many as it says")
            continue
        count += 1
        relation, source = entry.get("relation"), entry.get("source")
        if not isinstance(relation, str) or relation not in facts:
            raise line.error("names no relation that objects assert")
        row = row_of(entry.get("row"), rules.columns[relation])
        if row is None:
            raise line.error(f"is not a row of {relation}")
        fields = cast("dict[str, object]", source) if isinstance(source, dict) else {}
        if set(fields) != set(SOURCE):
            raise line.error("has no source")
        known = facts[relation].get(row, frozenset())
        facts[relation][row] = known | {source_of(fields)}
    if not line.text.endswith("\n"):
        raise line.error("the dump ends inside a line" if line.number else "the dump is empty")
    if stated is None:
        raise line.error("the dump has no end: some facts may be missing")
    return facts


def source_of(fields: Mapping[str, object]) -> Source:
    """Give a source as a tuple; its type tells a truth value from a number."""
    return tuple((type(fields.get(name)).__name__, str(fields.get(name))) for name in SOURCE)


def row_of(columns: object, types: tuple[str, ...]) -> Row | None:
    """Give a row if the columns have these types, else ``None``."""
    given = cast("list[object]", columns) if isinstance(columns, list) else []
    if not isinstance(columns, list) or len(given) != len(types):
        return None
    row: list[Value] = []
    for value, wanted in zip(given, types, strict=True):
        # A truth value is an int to Python.
        if (type(value) is str and wanted == "symbol") or (
            type(value) is int and wanted == "number" and -(2**31) <= value < 2**31
        ):
            row.append(value)
        else:
            return None
    return tuple(row)


def _object(line: _Line) -> Mapping[str, object]:
    try:
        found: object = json.loads(line.text)
    except (ValueError, RecursionError):
        raise line.error("is not JSON") from None
    if not isinstance(found, dict):
        raise line.error("is not an object")
    return cast("dict[str, object]", found)
