"""Cases as they lie on disk: what a folder may hold, and how it is read. It must not know how a case is run.

A case is a folder ``tests/data/cases/<name>/``; the names of those for a scenario that this project promises to handle begin
with its two digits. The folder holds

- ``case.yaml``: what must come out, written by hand (see `Case`);
- any other files: the input, given as they are. A document whose object is also in the base replaces the base's;
- ``*.dl``: rules that are added with ``--rules``;
- the files of ``EXPECTED``: what came out when they were last written, by ``pytest tests/rules/test_cases.py --update``.

To add a case, add a folder with ``case.yaml`` and its input, run with ``--update``, and read what was written.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

CASES: Final = Path(__file__).parents[1] / "data" / "cases"
BASES: Final = CASES / "_base"
EXPECTED: Final = ("facts.jsonl", "chains.yaml", "chains.nft", "report.txt", "why.txt")
"""The dump of the case's own files, ``render -o yaml`` and ``-o nft``, its stderr, and the answers of ``why``. The nft script is
that for an agent if an agent enforces."""

_SEPARATOR: Final = "---\n"
_EXPECTATIONS: Final = {
    "render", "nft", "check", "pending", "invalid", "findings", "shadowed", "unreadable", "notes", "tables", "members", "present", "absent"
}  # fmt: skip


@dataclass(frozen=True)
class FlowIntent:
    """A question and its answer.

    ``decided_by`` holds ``<peering> rule <index>``, ``<peering> default``, ``<peering> established`` or ``<peering>
    unknown`` for each peering that governs the flow, or is ``None`` where a case does not care. ``because`` holds the
    reasons of an unknown verdict, and ``not_covered`` the codes of the blind spots that the answer names, ``None`` where a
    case does not care.
    """

    source: str
    destination: str
    state: str
    verdict: str
    decided_by: tuple[str, ...] | None
    because: tuple[str, ...]
    not_covered: tuple[str, ...] | None


@dataclass(frozen=True)
class Case:
    """A case.

    ``about`` says in a sentence what is right. ``base`` names a folder of ``_base`` with objects that are given too, but
    for those listed in ``without`` (``Kind namespace/name``). ``enforcer`` is what ``why`` and ``check`` take to load the chains:
    liqo, nftables or agent. ``complete`` says that the files are all there is, so that the
    cluster has nothing of a kind that they lack. ``expect`` holds what ``render`` has to do:

    - ``render``, ``nft``, ``check``: exit codes; ``render`` is 0 unless given, and ``nft``, that of ``render -o nft``, the
      same. If it is given, nft loads what Liqo's agents cannot match;
    - ``pending`` (``namespace/name Reason``), ``findings`` (``Code Kind name``), ``invalid`` (``policy field``),
      ``unreadable`` (``file:line Kind name field``): all of them, none unless given;
    - ``shadowed``: all ``policy rule`` that ``check`` reports as never deciding, not looked at unless given;
    - ``notes``: the code and kind of all blind spots that ``check`` names, not looked at unless given;
    - ``tables``: the peerings with a chain, all with a policy that is not pending unless given;
    - ``members``: by ``group@peering`` or ``namespace:name@peering`` all addresses;
    - ``present``, ``absent``: texts in, or not in, the nft script.
    """

    name: str
    about: str
    base: str
    without: tuple[str, ...]
    complete: bool
    enforcer: str
    flows: tuple[FlowIntent, ...]
    expect: Mapping[str, Any]

    @property
    def folder(self) -> Path:
        return CASES / self.name

    @property
    def rules(self) -> tuple[str, ...]:
        """The names of the added rule files."""
        return tuple(sorted(file.name for file in self.folder.glob("*.dl")))

    def inputs(self) -> dict[str, bytes]:
        """The content of each input file by its name; the base's objects are in ``base.yaml``."""
        given = {
            file.name: file.read_bytes()
            for file in sorted(self.folder.iterdir())
            if file.name not in {"case.yaml", *EXPECTED, *self.rules}
        }
        if self.base:
            own = {key for content in given.values() for key in _keys(content)}
            kept = [
                text
                for file in sorted((BASES / self.base).glob("*.yaml"))
                for text in documents(file.read_text("utf-8"))
                if _key(text) not in own and _key(text) not in self.without
            ]
            given["base.yaml"] = _SEPARATOR.join(kept).encode()
        return given


def load(folder: Path) -> Case:
    """Read a case's intent."""
    written = yaml.load((folder / "case.yaml").read_text("utf-8"), yaml.CSafeLoader)
    unknown = set(written) - {"about", "base", "without", "complete", "enforcer", "flows", "expect"}
    expect = written.get("expect", {})
    unknown |= set(expect) - _EXPECTATIONS
    assert not unknown, f"{folder.name}/case.yaml: there is no field {', '.join(sorted(unknown))}"
    return Case(
        name=folder.name,
        about=written["about"],
        base=written.get("base", ""),
        without=tuple(written.get("without", ())),
        complete=written.get("complete", False),
        enforcer=written.get("enforcer", "liqo"),
        flows=tuple(_flow(flow) for flow in written.get("flows", ())),
        expect=expect,
    )


def cases() -> Iterator[Case]:
    """All cases by name."""
    for folder in sorted(CASES.iterdir()):
        if not folder.name.startswith("_"):
            yield load(folder)


def documents(text: str) -> list[str]:
    """The documents of a YAML file as texts, so that what is malformed can be moved about too."""
    found: list[list[str]] = [[]]
    for line in text.splitlines(keepends=True):
        if line == _SEPARATOR:
            found.append([])
        else:
            found[-1].append(line)
    return [text for text in ("".join(lines) for lines in found) if text.strip()]


def turned(content: bytes) -> bytes:
    """The same documents in the opposite order."""
    try:
        return _SEPARATOR.join(reversed(documents(content.decode()))).encode()
    except UnicodeDecodeError:
        return content


def _flow(written: Mapping[str, Any]) -> FlowIntent:
    unknown = set(written) - {"from", "to", "state", "verdict", "decidedBy", "because", "notCovered"}
    assert not unknown, f"a flow has no field {', '.join(sorted(unknown))}"
    decided = written.get("decidedBy")
    return FlowIntent(
        source=written["from"],
        destination=written["to"],
        state=written.get("state", "new"),
        verdict=written["verdict"],
        decided_by=None if decided is None else tuple(sorted([decided] if isinstance(decided, str) else decided)),
        because=tuple(sorted(written.get("because", ()))),
        not_covered=None if "notCovered" not in written else tuple(sorted(written["notCovered"])),
    )


def _keys(content: bytes) -> Iterator[str]:
    try:
        texts = documents(content.decode())
    except UnicodeDecodeError:
        return
    for text in texts:
        key = _key(text)
        if key:
            yield key


def _key(text: str) -> str:
    try:
        found = yaml.load(text, yaml.CSafeLoader)
        metadata = found["metadata"]
        return " ".join((found["kind"], "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))))
    except (yaml.YAMLError, KeyError, TypeError):
        return ""
