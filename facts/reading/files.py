"""Files, folders and standard input in, one ``Reading`` out.

What cannot be read is a problem in the result: nothing is printed or raised.
"""

import gc
import os
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from liqo_connectivity.facts.base.problems import Problem, one_line
from liqo_connectivity.facts.dumps.dump import Loaded, is_dump, load_folder, load_jsonl
from liqo_connectivity.facts.parsing.documents import (
    UnparsableError,
    build,
    check_aliases,
    has_anchors,
    parse_json,
    parse_yaml,
)
from liqo_connectivity.facts.parsing.locators import FixedLine, JsonLocator, YamlLocator
from liqo_connectivity.facts.reading.collector import Collector, Origin, Reading

MAX_BYTES: Final = 1 << 30
"""The largest file that is read, in bytes."""
SUFFIXES: Final = (".yaml", ".yml", ".json")
"""The suffixes of the files that are read from a folder."""
STDIN: Final = "-"
"""The path that stands for standard input."""

Progress = Callable[[int, int], None]
"""Called with the bytes read so far and the total, as far as it is known."""


def read(
    paths: Sequence[str | Path],
    *,
    stdin: BinaryIO | None = None,
    progress: Progress | None = None,
    max_bytes: int = MAX_BYTES,
) -> Reading:
    """Read manifests and dumps of facts from files, folders and standard input (``-``).

    A folder is read recursively, without hidden files and links to folders. A file may hold YAML or JSON documents,
    ``List`` objects included, or a dump as :mod:`~liqo_connectivity.facts.dumps.dump` writes it, also as a folder.
    ``stdin`` replaces the standard input of the process. ``progress`` is called while and after each file is read.
    """
    reader = _Reader(stdin if stdin is not None else sys.stdin.buffer, progress, max_bytes)
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
    def __init__(self, stdin: BinaryIO, progress: Progress | None, max_bytes: int) -> None:
        self._stdin = stdin
        self._progress = progress
        self._max_bytes = max_bytes
        self._done = 0
        self._total = 0
        self._left = 0
        self._collector = Collector()

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
        dump = any(name.endswith(".facts") for name in os.listdir(folder)) if os.access(folder, os.R_OK) else False
        if dump:
            self._dump_folder(folder)
        for parent, folders, names in os.walk(folder, onerror=self._unlistable):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            candidates = (os.path.join(parent, name) for name in sorted(names) if not name.startswith("."))
            files += [path for path in candidates if path.endswith(SUFFIXES) and not os.path.isdir(path)]
        if not files and not dump and os.access(folder, os.R_OK):
            self._problem(folder, 0, "has no manifest", f"put files there that end in {', '.join(SUFFIXES)}")
        return files

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
            self._loaded(loaded, Origin(one_line(folder), FixedLine(0)))

    def _file(self, path: str) -> None:
        name = "stdin" if path == STDIN else path
        try:
            data = self._bytes(path)
        except OSError as error:
            self._problem(name, 0, f"cannot be read: {error.strerror}", "check the path and its permissions")
            return
        if len(data) > self._max_bytes:
            self._problem(name, 0, f"is larger than {self._max_bytes} bytes", "split it into several files")
            return
        if path == STDIN:
            self._total += len(data)
            self._done += len(data)
        zero = data.find(b"\0")
        if zero >= 0:
            line = data.count(b"\n", 0, zero) + 1
            self._problem(name, line, "has a NUL byte: it is not text", "give a manifest in YAML or JSON, in UTF-8")
            return
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            self._problem(name, line, "is not UTF-8 text", "give a manifest in YAML or JSON, in UTF-8")
            return
        self._text(name, text)

    def _bytes(self, path: str) -> bytes:
        if path == STDIN:
            return self._stdin.read(self._max_bytes + 1)
        with open(path, "rb") as file:
            return file.read(self._max_bytes + 1)

    def _text(self, name: str, text: str) -> None:
        shown = one_line(name)
        if is_dump(text):
            self._loaded(load_jsonl(text, shown), Origin(shown, FixedLine(0)))
            return
        start = text.lstrip()[:1]
        if name.endswith(".json") or start in ("{", "["):
            try:
                value = parse_json(text)
            except UnparsableError as error:
                # YAML may start like JSON: with flow style, or with several documents in JSON.
                if not name.endswith((".yaml", ".yml")) and not (start and error.message.endswith("Extra data")):
                    self._problem(name, error.line, error.message if start else "is empty", error.help)
                    return
            else:
                self._parsed()
                self._collector.add_document(value, Origin(shown, JsonLocator(text)))
                return
        self._yaml(name, shown, text)

    def _yaml(self, name: str, shown: str, text: str) -> None:
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
                    self._problem(name, error.line, error.message, error.help)
                    continue
                self._parsed()
                locator = YamlLocator(text, document.index)
                self._collector.add_document(value, Origin(shown, locator))
        except UnparsableError as error:
            self._problem(name, error.line, error.message, error.help)
            return
        if empty:
            self._problem(name, 1, "has no object in it", "if a command wrote it, check whether the command failed")

    def _loaded(self, loaded: Loaded, origin: Origin) -> None:
        for key, facts in loaded.facts.items():
            self._collector.add_facts(key, tuple(facts), origin)
        for problem in loaded.problems:
            self._collector.add_problem(problem)

    def _problem(self, name: str, line: int, message: str, help_text: str) -> None:
        self._collector.add_problem(Problem(one_line(name), line, message=message, help=help_text))


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size if path != STDIN else 0
    except OSError:
        return 0
