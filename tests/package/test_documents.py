"""What the documents name exists: every link and its heading, every path of the repository, test module and program."""

import re
from fnmatch import fnmatch

import pytest

from tests.support.checkout import PACKAGE, ROOT
from tests.support.layers import LAYERS

DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "examples/**/README.md", "benchmarks/README.md", "changelog.d/README.md")
    for path in ROOT.glob(pattern)
)
MADE = {"build", "dist"}
"""Folders that `make` creates, whose content a document may name."""

TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")

_FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?://)([^)\s]+)\)")
_SPAN = re.compile(r"`([^`\n]+)`")
_TEST = re.compile(r"test_\w+(\*|\.py)?")
_PROGRAM = re.compile(rf"-m ((?:{PACKAGE}|benchmarks|tools|tests)(?:\.\w+)*)")


def dead_links(document: str, text: str) -> list[str]:
    """The links of a document to files or headings that do not exist."""
    found: list[str] = []
    for target in _LINK.findall(_FENCE.sub("", text)):
        path, _, anchor = target.partition("#")
        file = (ROOT / document).parent / path
        if not file.exists() or (anchor and anchor not in anchors(file.read_text("utf-8") if path else text)):
            found.append(target)
    return found


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_names(text: str) -> list[str]:
    """The code spans that name a path, a test module or a program of this repository that does not exist.

    A path begins with a folder of the repository. ``*`` stands for any text, and ``<…>`` for a name that the reader chooses.
    """
    spans = _SPAN.findall(_FENCE.sub("", text))
    found = [span for span in spans if not (exists(span) and module_exists(span))]
    return found + [name for name in _PROGRAM.findall(text) if not program_exists(name)]


def exists(span: str) -> bool:
    """Whether a span is no path of the repository, or one that exists."""
    first, slash, _ = span.partition("/")
    path, chosen, _ = span.partition("::")[0].partition("<")
    path = path.rpartition("/")[0] if chosen else path
    if not slash or " " in path or first in MADE or not first.strip(".") or not (ROOT / first).is_dir():
        return True
    return any(ROOT.glob(path.rstrip("/")))


def dead_targets(text: str) -> set[str]:
    """The targets of ``make``, in code spans and shell blocks, that the Makefile does not have."""
    code = [*_SPAN.findall(_FENCE.sub("", text)), *_FENCE.findall(text)]
    commands = [
        words for part in code for words in re.findall(r"^(?:\$ )?make ([a-z][a-z -]*[a-z])", part, re.MULTILINE)
    ]
    return {target for words in commands for target in words.split()} - TARGETS


def module_exists(span: str) -> bool:
    """Whether a span is no name of a test module, or one that exists."""
    pattern = span.removesuffix(".py")
    return not _TEST.fullmatch(span) or any(fnmatch(path.stem, pattern) for path in (ROOT / "tests").rglob("test_*.py"))


def program_exists(name: str) -> bool:
    """Whether ``python -m`` finds a module."""
    path = ROOT.joinpath(*name.removeprefix(f"{PACKAGE}.").split("."))
    return name == PACKAGE or path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    assert not dead_links(document, (ROOT / document).read_text("utf-8"))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_names_of_the_repository_exist(document: str) -> None:
    assert not dead_names((ROOT / document).read_text("utf-8"))


def test_the_architecture_quotes_the_table_of_imports() -> None:
    (quoted,) = re.findall(r"```python\n(.*?)```", ARCHITECTURE, re.DOTALL)
    assert quoted.startswith("MAY_IMPORT")
    assert quoted in (ROOT / "tests" / "support" / "layers.py").read_text("utf-8")


@pytest.mark.parametrize("folder", ["engine", "facts", "operator", "operator/controller"])
def test_the_architecture_lists_the_folders_in_their_order(folder: str) -> None:
    listed = re.findall(rf"^\| `{folder}/(\w+)/` \|", ARCHITECTURE, re.MULTILINE)
    assert listed == [name for name in LAYERS[folder] if (ROOT / folder / name).is_dir()]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_targets_of_make_exist(document: str) -> None:
    assert not dead_targets((ROOT / document).read_text("utf-8"))


def test_a_target_that_does_not_exist_is_seen() -> None:
    text = "`make quick`, `make nothing-a`\n```sh\nmake lint nothing-b   # and so on\n$ make test KEEP=1\n```\n"
    assert dead_targets(text) == {"nothing-a", "nothing-b"}


def test_documents_are_found() -> None:
    assert {"README.md", "CONTRIBUTING.md", "docs/architecture.md", "examples/consumer/README.md"} <= set(DOCUMENTS)


@pytest.mark.parametrize(
    ("text", "dead"),
    [
        ("`engine/syntax/`, `rules/*.dl`, `tests/data/cases/<name>/`, `README.md`, `security.liqo.io/v1`", []),
        ("`engine/nothing.py`", ["engine/nothing.py"]),
        ("`tests/data/nothing/<name>`", ["tests/data/nothing/<name>"]),
        ("`rules/nothing*.dl`", ["rules/nothing*.dl"]),
        ("`test_cases`, `test_certificate*`, `test_documents.py`", []),
        ("`test_nothing`", ["test_nothing"]),
        ("```sh\npython -m tools.soak\npython -m tools.nothing\n```", ["tools.nothing"]),
        ("`python -m benchmarks`, `python -m liqo_connectivity.rules.generate`", []),
    ],
)
def test_a_name_that_does_not_exist_is_seen(text: str, dead: list[str]) -> None:
    assert dead_names(text) == dead


def test_a_link_that_leads_nowhere_is_seen() -> None:
    text = "[a](README.md) [b](nothing.md) [c](#here) [d](README.md#the-house) [e](README.md#nothing)\n# Here\n"
    assert dead_links("CONTRIBUTING.md", text) == ["nothing.md", "README.md#nothing"]
