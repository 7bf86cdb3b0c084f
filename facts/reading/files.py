"""Files, folders and standard input in, one ``Reading`` out.

What cannot be read is a problem in the result: nothing is printed or raised.
"""

import errno
import gc
import os
import stat
import sys
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from liqo_connectivity.facts.base.problems import Problem, one_line
from liqo_connectivity.facts.dumps.dump import is_dump, load_folder, load_jsonl
from liqo_connectivity.facts.parsing.container_logs import without_logs
from liqo_connectivity.facts.parsing.documents import (
    UnparsableError,
    build,
    check_aliases,
    has_anchors,
    parse_yaml,
)
from liqo_connectivity.facts.parsing.json_documents import JsonDocument, parse_json_documents
from liqo_connectivity.facts.parsing.locators import FixedLine, JsonLines, JsonLocator, YamlLocator
from liqo_connectivity.facts.parsing.text import text_of
from liqo_connectivity.facts.reading.collector import Collector, Edits, Reading
from liqo_connectivity.facts.reading.states import Origin

MAX_BYTES: Final = 1 << 30
"""The largest file that is read, in bytes."""
SUFFIXES: Final = (".yaml", ".yml", ".json", ".jsonl")
"""The suffixes of the files that are read from a folder; ``.gz`` may follow."""
PACKED: Final = ".gz"
BESIDE: Final = (".md", ".dl", ".facts")
"""The suffixes of files that nobody takes for manifests: texts, rules, and the relations of a dump."""
STDIN: Final = "-"
"""The path that stands for standard input."""

_EMPTY: Final = "has no object in it"
_HELP: Final = "if a command wrote it, check whether the command failed"

Progress = Callable[[int, int], None]
"""Called with the bytes read so far and the total, as far as it is known."""


def read(
    paths: Sequence[str | Path],
    *,
    stdin: BinaryIO | None = None,
    progress: Progress | None = None,
    max_bytes: int = MAX_BYTES,
    keep: Collection[str] = (),
    edits: Edits | None = None,
) -> Reading:
    """Read manifests and dumps of facts from files, folders and standard input (``-``).

    A folder is read recursively, without hidden files and links to folders. A file may hold YAML or JSON documents,
    ``List`` objects and events of a watch included, or a dump as :mod:`~liqo_connectivity.facts.dumps.dump` writes it, also
    as a folder. It may be packed by gzip. ``stdin`` replaces the standard input of the process. ``progress`` is called while and after each file is read.
    ``keep`` and ``edits`` are those of
    :class:`~liqo_connectivity.facts.Collector`.
    """
    reader = _Reader(stdin if stdin is not None else sys.stdin.buffer, progress, max_bytes, Collector(keep, edits))
    with _no_garbage_collection():
        return reader.read(paths)


@contextmanager
def _no_garbage_collection() -> Generator[None]:
    """Decoded objects form no cycles, and looking for some takes as long as decoding."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Reader:
    def __init__(self, stdin: BinaryIO, progress: Progress | None, max_bytes: int, collector: Collector) -> None:
        self._stdin = stdin
        self._progress = progress
        self._max_bytes = max_bytes
        self._done = 0
        self._total = 0
        self._left = 0
        self._collector = collector

    def read(self, paths: Sequence[str | Path]) -> Reading:
        files: list[str] = []
        for path in paths:
            text = str(path)
            if text != STDIN and os.path.isdir(text):
                files += self._folder(text)
            else:
                files.append(text)
        # A file that is named twice, by itself and by its folder, is one file.
        files = list(dict.fromkeys(files))
        sizes = {file: _size(file) for file in files}
        self._total = sum(sizes.values())
        for file in files:
            self._left = sizes[file]
            self._report(0)
            self._file(file)
            self._report(self._left)
        return self._collector.reading()

    def _parsed(self) -> None:
        """Report about half of a file: its text is parsed, and its objects are about to be decoded."""
        half = self._left // 2
        self._left -= half
        self._report(half)

    def _report(self, size: int) -> None:
        self._done += size
        if self._progress is not None:
            self._progress(self._done, max(self._total, self._done))

    def _folder(self, folder: str) -> list[str]:
        files: list[str] = []
        readable = os.access(folder, os.R_OK)
        dump = readable and any(name.endswith(".facts") for name in os.listdir(folder))
        if dump:
            self._dump_folder(folder)
        for parent, folders, names in os.walk(folder, onerror=self._unlistable):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
            for name in (*links, *sorted(name for name in names if not name.startswith("."))):
                path = os.path.join(parent, name)
                if name not in links and name.removesuffix(PACKED).endswith(SUFFIXES):
                    files.append(path)
                elif not name.endswith(BESIDE):
                    self._collector.pass_over(one_line(path))
        if readable and not files and not dump:
            self._problem(folder, 0, "has no manifest", f"put files there that end in {', '.join(SUFFIXES)}")
        return [path for path in files if self._is_regular(path)]

    def _is_regular(self, path: str) -> bool:
        """Whether a path is that of a file; opening a pipe would wait for somebody who writes into it."""
        try:
            mode = os.stat(path).st_mode
        except OSError as error:
            self._problem(path, 0, f"cannot be read: {error.strerror}", "check the path and its permissions")
            return False
        if not stat.S_ISREG(mode):
            self._problem(path, 0, f"is {_nature(mode)}, not a file", "remove it from the folder, or name it with -f")
        return stat.S_ISREG(mode)

    def _unlistable(self, error: OSError) -> None:
        self._problem(
            str(error.filename), 0, f"cannot be listed: {error.strerror}", "check the path and its permissions"
        )

    def _dump_folder(self, folder: str) -> None:
        try:
            loaded = load_folder(Path(folder))
        except OSError as error:
            self._problem(str(error.filename), 0, f"cannot be read: {error.strerror}", "check the file")
        else:
            self._collector.add_dump(loaded, Origin(one_line(folder), FixedLine(0)))

    def _file(self, path: str) -> None:
        name = "stdin" if path == STDIN else path
        try:
            data = self._bytes(path)
        except OSError as error:
            self._problem(name, 0, f"cannot be read: {error.strerror}", "check the path and its permissions")
            return
        if path == STDIN:
            self._total += len(data)
            self._done += len(data)
        try:
            text = text_of(data, self._max_bytes)
        except UnparsableError as error:
            self._problem(name, error.line, error.message, error.help)
            return
        del data
        self._text(name.removesuffix(PACKED), one_line(name), text)

    def _bytes(self, path: str) -> bytes:
        if path == STDIN:
            return self._stdin.read(self._max_bytes + 1)
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISBLK(mode) or (stat.S_ISCHR(mode) and not file.isatty()):
                raise OSError(errno.EINVAL, f"it is {_nature(mode)}, not a file")
            return file.read(self._max_bytes + 1)

    def _text(self, name: str, shown: str, text: str) -> None:
        if is_dump(text):
            self._collector.add_dump(load_jsonl(text, shown), Origin(shown, FixedLine(0)))
            return
        try:
            text, logs = without_logs(text)
        except UnparsableError as error:
            self._problem(shown, error.line, error.message, error.help)
            return
        self._collector.pass_over_logs(logs)
        start = text.lstrip()[:1]
        if name.endswith((".json", ".jsonl")) or start in ("{", "["):
            documents: list[JsonDocument] = []
            try:
                # The documents before an error stay in the list.
                documents.extend(parse_json_documents(text))
            except UnparsableError as error:
                # YAML may start like JSON: with flow style, or with documents in JSON and three dashes between them.
                if name.endswith((".yaml", ".yml")) or "\n---" in text:
                    self._yaml(shown, text)
                    return
                self._problem(shown, error.line, error.message, error.help)
            else:
                if not documents:
                    self._problem(shown, 1, _EMPTY, _HELP)
            self._parsed()
            lines = JsonLines(text)
            for value, offset in documents:
                self._collector.add_document(value, Origin(shown, JsonLocator(lines, offset)))
            return
        self._yaml(shown, text)

    def _yaml(self, shown: str, text: str) -> None:
        anchors = has_anchors(text)
        empty = True
        try:
            for document in parse_yaml(text):
                empty = False
                try:
                    if anchors:
                        check_aliases(document.node)
                    value = build(document.node)
                except UnparsableError as error:
                    self._problem(shown, error.line, error.message, error.help)
                    continue
                self._parsed()
                locator = YamlLocator(text, document.number)
                self._collector.add_document(value, Origin(shown, locator))
        except UnparsableError as error:
            self._problem(shown, error.line, error.message, error.help)
            return
        if empty:
            self._problem(shown, 1, _EMPTY, _HELP)

    def _problem(self, name: str, line: int, message: str, help_text: str) -> None:
        self._collector.add_problem(Problem(one_line(name), line, message=message, help=help_text))


def _nature(mode: int) -> str:
    for is_one, nature in ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISDIR, "a folder")):
        if is_one(mode):
            return nature
    return "a device"


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size if path != STDIN else 0
    except OSError:
        return 0
