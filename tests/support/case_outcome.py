"""What the command line says about a case: every verb run in process, in its own folder. It must not judge.

Rules are read once for all runs, as a process of the command line reads them once.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeAlias
from unittest.mock import patch

import yaml

from liqo_connectivity.engine import Model, Program, Row, evaluate
from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.cli import run
from liqo_connectivity.operator.sources import rules as rule_files
from liqo_connectivity.operator.sources.files import read_files
from liqo_connectivity.rules.program import load
from liqo_connectivity.rules.relations import Flow
from tests.support.case_folder import Case, FlowIntent, turned

Configurations: TypeAlias = Sequence[Mapping[str, Any]]

_RULE_LINE: Final = re.compile(r"\[(rules/[a-z_]+\.dl):\d+\]")


@dataclass(frozen=True)
class Said:
    """What one command said."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Answer:
    """The answer of ``why`` to one flow: the text that people read, and the published form."""

    flow: FlowIntent
    text: Said
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """Everything that is said about a case, and the text of each expected file."""

    case: Case
    render: Said
    nft: Said
    check: Said
    facts: Said
    answers: tuple[Answer, ...]

    def texts(self) -> dict[str, str]:
        return {
            "facts.jsonl": self.facts.stdout,
            "chains.yaml": self.render.stdout,
            "chains.nft": self.nft.stdout,
            "report.txt": self.render.stderr,
            "why.txt": "\n".join(_why_text(answer) for answer in self.answers),
        }

    def configurations(self) -> Configurations:
        return configurations(self.render.stdout)

    def lines(self, prefix: str) -> list[str]:
        """The lines of ``render``'s report that begin with a word, without it."""
        return [line.removeprefix(prefix) for line in self.render.stderr.splitlines() if line.startswith(prefix)]


@contextmanager
def laid_out(files: Mapping[str, bytes]) -> Iterator[tuple[str, ...]]:
    """Give the files to commands that run meanwhile: their names, in a folder that is the current one."""
    with TemporaryDirectory() as folder, chdir(folder), patch.object(rule_files, "load", _load):
        for name, content in files.items():
            Path(name).write_bytes(content)
        yield tuple(files)


def command(*arguments: str, files: Iterable[str] = (), rules: Iterable[str] = (), complete: bool = False) -> Said:
    """Run the command line on files, which may be all there is."""
    arguments = (*arguments, "--assume-complete") if complete else arguments
    given = [part for file in files for part in ("-f", file)] + [part for file in rules for part in ("--rules", file)]
    stdout, stderr = StringIO(), StringIO()
    with redirect_stdout(stdout), redirect_stderr(stderr):
        code = run([*arguments, *given])
    return Said(code, stdout.getvalue(), stderr.getvalue())


def configurations(text: str) -> Configurations:
    """The FirewallConfigurations of ``render -o yaml``."""
    return [found for found in yaml.load_all(text, yaml.CSafeLoader) if found]


def run_case(case: Case) -> Outcome:
    """Ask everything about a case."""
    with laid_out(case.inputs() | _rule_files(case)) as names:
        files = [name for name in names if name not in case.rules]
        own = [name for name in files if name != "base.yaml"]
        return Outcome(
            case,
            render=command("render", files=files, rules=case.rules, complete=case.complete),
            nft=command(*_render_nft(case), files=files, rules=case.rules, complete=case.complete),
            check=command("check", "--enforcer", case.enforcer, files=files, rules=case.rules, complete=case.complete),
            facts=command("facts", "dump", files=own, complete=True),
            answers=tuple(_answer(case, flow, files) for flow in case.flows),
        )


def _render_nft(case: Case) -> Sequence[str]:
    """``render -o nft``, which is for nft itself unless an agent enforces."""
    return ("render", "-o", "nft", *(["--enforcer", case.enforcer] if case.enforcer == "agent" else []))


def run_turned(case: Case) -> tuple[Said, Said, Said]:
    """``render`` as YAML and as nft, and the facts, when files and their documents are given in the opposite order."""
    given = {name: turned(content) for name, content in reversed(case.inputs().items())}
    with laid_out(given | _rule_files(case)):
        own = [name for name in given if name != "base.yaml"]
        return (
            command("render", files=given, rules=case.rules, complete=case.complete),
            command(*_render_nft(case), files=given, rules=case.rules, complete=case.complete),
            command("facts", "dump", files=own, complete=True),
        )


def relations(case: Case, names: Iterable[str], flows: Iterable[Flow] = ()) -> dict[str, set[tuple[Any, ...]]]:
    """The tuples of some relations when all the flows are asked about at once."""
    names = tuple(names)
    with laid_out(case.inputs()) as files:
        base = read_files(files, case.complete).base
    added = {name: content.decode() for name, content in _rule_files(case).items()}
    model = solve(base, names, flows, _load(added))
    return {name: {tuple(row) for row in model.rows(name)} for name in names}


def solve(base: FactBase, names: Iterable[str], flows: Iterable[Flow] = (), program: Program | None = None) -> Model:
    """Derive some relations from facts and questions, by the built-in rules unless a program is given."""
    facts: dict[str, Iterable[Row]] = dict(base.relations())
    facts["flow"] = list(flows)
    return evaluate((program or _load()).slice(tuple(names)), facts)


def _answer(case: Case, flow: FlowIntent, files: Iterable[str]) -> Answer:
    asked = ("why", flow.source, flow.destination, "--state", flow.state, "--enforcer", case.enforcer)
    text = command(*asked, files=files, rules=case.rules, complete=case.complete)
    data = command(*asked, "-o", "json", files=files, rules=case.rules, complete=case.complete)
    assert text.code == data.code, text.stderr
    assert data.stdout, f"why {flow.source} {flow.destination}: exit code {data.code}\n{data.stderr}"
    return Answer(flow, text, json.loads(data.stdout))


def _why_text(answer: Answer) -> str:
    # The lines of rules are left out: a new comment in a rule file is not another answer.
    return _RULE_LINE.sub(r"[\1]", answer.text.stdout) + f"exit code {answer.text.code}\n"


def _rule_files(case: Case) -> dict[str, bytes]:
    return {name: (case.folder / name).read_bytes() for name in case.rules}


def _load(added: Mapping[str, str] | None = None) -> Program:
    return _program(tuple(sorted((added or {}).items())))


@cache
def _program(added: tuple[tuple[str, str], ...]) -> Program:
    return load(dict(added))
