"""Finds the phrases of ``wording.txt`` that this project avoids, and names what to write instead.

``wording.txt`` is a dictionary of codespell, which finds single words only. This program finds the entries of several words,
also where a line break or the sign of a comment stands between two of them.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DICTIONARY = ROOT / "tools" / "wording.txt"

# What may stand between two words of a phrase: white space, and what begins a line of a comment, a quote or a list.
_GAP = r"(?:\s|^\s*(?:#|//|>|\*))+"


def phrases(dictionary: str) -> dict[str, str]:
    """The entries of several words, each with what to write instead."""
    entries = (line.partition("->") for line in dictionary.splitlines())
    return {phrase: better.rstrip(",") for phrase, _, better in entries if " " in phrase}


def found(text: str, avoided: Mapping[str, str]) -> Iterator[tuple[int, str, str]]:
    """Line number, phrase and replacement of each phrase in a text."""
    for phrase, better in avoided.items():
        pattern = rf"\b{_GAP.join(map(re.escape, phrase.split()))}\b"
        for match in re.finditer(pattern, text, re.IGNORECASE | re.MULTILINE):
            yield text.count("\n", 0, match.start()) + 1, phrase, better


def checked_files() -> Iterable[str]:
    """The files under version control, and new ones that git does not ignore."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    return subprocess.run(listing, cwd=ROOT, text=True, capture_output=True, check=True).stdout.split("\0")


def main(files: list[str]) -> int:
    """Check the files, or all of the repository; 1 if a phrase was found."""
    skipped = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["codespell"]["skip"]
    avoided = phrases(DICTIONARY.read_text())
    bad = False
    for name in files or checked_files():
        path = ROOT / name
        if not path.is_file() or any(fnmatch(f"./{name}", each) or fnmatch(path.name, each) for each in skipped):
            continue
        for line, phrase, better in found(path.read_text("utf-8", errors="replace"), avoided):
            print(f"{name}:{line}: {phrase!r} ==> {better}")
            bad = True
    return bad


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
