"""Facts written to files and read back: as JSON Lines with their sources, or as a folder of tab-separated relations.

The same facts give the same bytes, in whatever order they came.

JSON Lines: a header, then one fact a line, sorted by relation, row, source and field, and at the end how many they are,
so that a dump that was cut off does not pass for a smaller cluster. Folder: one file
``<relation>.facts`` for each declared relation, one row a line, sorted, with tabs between the columns. In a column,
a backslash is written ``\\\\`` and a character that is not printable ``\\uXXXX`` or ``\\UXXXXXXXX``.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import Final, cast, get_type_hints

from liqo_connectivity.facts.base.fact import Fact, ObjectKey, Row, Source, make_row
from liqo_connectivity.facts.base.fact_base import FactBase
from liqo_connectivity.facts.base.problems import Problem, show
from liqo_connectivity.facts.parsing.documents import UnparsableError
from liqo_connectivity.facts.parsing.json_documents import parse_json
from liqo_connectivity.rules.relations import RELATION_NAMES, Flow, FlowPort

FORMAT: Final = "liqo-connectivity-facts"
VERSION: Final = 2
HEADER: Final = json.dumps({"format": FORMAT, "version": VERSION}, separators=(",", ":"))
"""The first line of a JSON Lines dump."""
FACTS_FILE: Final = "FactsFile"
"""The kind of the source of a fact that was read from a folder: the file, in which ``field`` is empty."""

_END: Final = "facts"
"""The one member of the last line, the number of facts."""
_QUESTION: Final = (Flow, FlowPort)
_CLASSES: Final = {relation: row for row, relation in RELATION_NAMES.items() if row not in _QUESTION}
_SOURCE: Final = ("kind", "namespace", "name", "uid", "resourceVersion")
_ESCAPE = re.compile(r"\\(?:\\|u([0-9a-f]{4})|U([0-9a-f]{8}))")
_HELP: Final = "write the dump again"
_NUMBERS: Final = range(-(2**31), 2**31)
"""The numbers that a column of a rule can hold."""
_RUN: Final = 1000
"""Facts that are sorted in one call."""


@dataclass(slots=True)
class Loaded:
    """The facts of a dump by object, and a problem for each line that could not be read."""

    facts: dict[ObjectKey, list[Fact]] = field(default_factory=dict[ObjectKey, list[Fact]])
    problems: list[Problem] = field(default_factory=list[Problem])


def jsonl_lines(base: FactBase) -> Iterator[str]:
    """The lines of a JSON Lines dump, in ASCII, without line ends."""
    return sorted_lines(base.facts())


def sorted_lines(facts: Iterable[Fact]) -> Iterator[str]:
    """The lines of a JSON Lines dump of these facts, as ``jsonl_lines`` gives those of a base.

    They are sorted in runs that are merged as lines are taken: sorting all in one call would stop the other threads of
    a controller for most of a second.
    """
    yield HEADER
    rest = iter(facts)
    runs: list[list[Fact]] = []
    while run := sorted(islice(rest, _RUN), key=_order):
        runs.append(run)
    count = sum(map(len, runs))
    for fact in merge(*runs, key=_order):
        source: dict[str, object] = dict(zip(_SOURCE, fact.source, strict=True))
        source |= {"field": fact.field, "value": fact.value}
        yield json.dumps({"relation": fact.relation, "row": fact.row, "source": source}, separators=(",", ":"))
    yield json.dumps({_END: count}, separators=(",", ":"))


def _order(fact: Fact) -> tuple[str, Row, Source, str]:
    return (fact.relation, fact.row, fact.source, fact.field)


def write_jsonl(base: FactBase, path: Path) -> None:
    """Write a JSON Lines dump. Raises OSError."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(line + "\n" for line in jsonl_lines(base))


def write_folder(base: FactBase, folder: Path) -> None:
    """Write a folder of ``.facts`` files, over existing ones; create it if necessary.

    Raises OSError with the name of the file, and then leaves none: part of a dump would read as a smaller cluster.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{relation}.facts" for relation in RELATION_NAMES.values()]
    for path in paths:
        lines = ["\t".join(_escape(str(column)) for column in row) + "\n" for row in sorted(base.rows(path.stem))]
        try:
            path.write_text("".join(lines), encoding="utf-8", newline="\n")
        except OSError as error:
            for written in paths:
                written.unlink(missing_ok=True)
            raise OSError(error.errno, error.strerror, str(path)) from None


def is_dump(text: str) -> bool:
    """Whether the first line of a text is the header of a JSON Lines dump, of any version."""
    return f'"{FORMAT}"' in text[:200] and _format(_object(text.partition("\n")[0])) == FORMAT


def load_jsonl(text: str, file: str) -> Loaded:
    """The facts of a JSON Lines dump. ``file`` names it in problems: a line that is no fact, or a dump that is not whole."""
    loaded = Loaded()
    lines = text.split("\n")
    header = _object(lines[0])
    if header is None or _format(header) != FORMAT or header.get("version") != VERSION:
        message = f"is not version {VERSION} of {FORMAT}"
        loaded.problems.append(Problem(file, 1, message=message, help="write the dump with this version of the tool"))
        return loaded
    sources: dict[Source, Source] = {}
    if lines[-1]:
        loaded.problems.append(Problem(file, len(lines), message="ends inside a line", help=_HELP))
    elif (entry := _object(lines[-2])) is None or set(entry) != {_END}:
        message = "has no line with the number of its facts at the end, so that some may be missing"
        loaded.problems.append(Problem(file, len(lines) - 1, message=message, help=_HELP))
    else:
        stated, found = entry[_END], len(lines) - 3
        if type(stated) is not int or stated != found:
            message = f"has {found} facts, and not {show(stated)}, as it says"
            loaded.problems.append(Problem(file, len(lines) - 1, message=message, help=_HELP))
        lines.pop(-2)
    for number, line in enumerate(lines[1:-1], start=2):
        entry = _object(line)
        fact = _fact(entry) if entry is not None else None
        if fact is None:
            loaded.problems.append(Problem(file, number, message="is not a fact", help=_HELP))
        else:
            shared = sources.setdefault(fact.source, fact.source)
            loaded.facts.setdefault(shared.key, []).append(fact._replace(source=shared))
    return loaded


def load_folder(folder: Path) -> Loaded:
    """The rows of a folder of ``.facts`` files, each with the file as its source. A missing file is an empty relation.

    Raises:
        OSError: a file cannot be read.
    """
    loaded = Loaded()
    for path in sorted(folder.glob("*.facts")):
        relation = path.name.removesuffix(".facts")
        if relation in {RELATION_NAMES[row] for row in _QUESTION}:
            continue
        if relation not in _CLASSES:
            message = f"{show(relation)} is not a relation"
            loaded.problems.append(Problem(str(path), message=message, help="remove or rename the file"))
            continue
        try:
            lines = path.read_bytes().decode("utf-8").split("\n")
        except UnicodeDecodeError:
            loaded.problems.append(Problem(str(path), message="is not UTF-8 text", help=_HELP))
            continue
        source = Source(FACTS_FILE, "", str(path), "", "")
        if lines[-1]:
            loaded.problems.append(Problem(str(path), len(lines), message="ends inside a line", help=_HELP))
        for number, line in enumerate(lines[:-1], start=1):
            row = _row(relation, [_unescape(column) for column in line.split("\t")])
            if row is None:
                message = f"is not a row of {relation}"
                loaded.problems.append(Problem(str(path), number, message=message, help=_HELP))
            else:
                loaded.facts.setdefault(source.key, []).append(Fact(row, source, "", line))
    return loaded


def _format(header: Mapping[str, object] | None) -> object:
    return header.get("format") if header is not None else None


def _object(line: str) -> Mapping[str, object] | None:
    try:
        value = parse_json(line)
    except UnparsableError:
        return None
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def _fact(entry: Mapping[str, object]) -> Fact | None:
    relation, columns, source = entry.get("relation"), entry.get("row"), entry.get("source")
    if not isinstance(relation, str) or not isinstance(columns, list) or not isinstance(source, dict):
        return None
    fields = cast("dict[str, object]", source)
    texts = [text for name in (*_SOURCE, "field") if isinstance(text := fields.get(name), str)]
    value = fields.get("value")
    row = _row(relation, cast("list[object]", columns), integers=True)
    if row is None or len(texts) != len(_SOURCE) + 1 or not isinstance(value, str | bool | int):
        return None
    if not all(_is_text(text) for text in (*texts, str(value))):
        return None
    return Fact(row, Source(*texts[:-1]), texts[-1], value)


def _row(relation: str, columns: list[object] | list[str | None], integers: bool = False) -> Row | None:
    """The row of a relation with these columns, or None when they do not fit; numbers are texts unless ``integers``."""
    types = _types(relation)
    if types is None or len(types) != len(columns):
        return None
    typed: list[str | int] = []
    for column, wanted in zip(columns, types, strict=True):
        value = column
        if wanted is int and not integers and isinstance(column, str) and re.fullmatch(r"-?[0-9]{1,18}", column):
            value = int(column)
        if type(value) is not wanted or not isinstance(value, str | int) or not _is_text(str(value)):
            return None
        if isinstance(value, int) and value not in _NUMBERS:
            return None
        typed.append(value)
    return make_row(_CLASSES[relation], typed)


@cache
def _types(relation: str) -> tuple[type, ...] | None:
    return tuple(get_type_hints(_CLASSES[relation]).values()) if relation in _CLASSES else None


def _is_text(text: str) -> bool:
    """Whether a text can be written in UTF-8, which a lone surrogate cannot."""
    return text.isascii() or not re.search("[\ud800-\udfff]", text)


def _escape(column: str) -> str:
    if column.isprintable() and "\\" not in column:
        return column
    return "".join(_escaped(char) for char in column)


def _escaped(char: str) -> str:
    if char == "\\":
        return "\\\\"
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def _unescape(column: str) -> str | None:
    """The text of a column, or None when a backslash is not followed by what it has to be."""
    if "\\" not in column:
        return column
    if "\\" in _ESCAPE.sub("", column):
        return None
    try:
        return _ESCAPE.sub(lambda match: chr(int(match[1] or match[2], 16)) if match[1] or match[2] else "\\", column)
    except (ValueError, OverflowError):
        return None
