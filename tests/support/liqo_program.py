"""Liqo's own agent: its released Go code, which applies objects to a real kernel. Built by tools/, run in a namespace.

The released Liqo knows neither sets nor connection states, so objects for it have none. It must not know what a ruleset is
expected to be.
"""

import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeAlias

from tools.go_programs import built
from tools.liqo_agent import LIQO_AGENT

Spec: TypeAlias = Mapping[str, Any]


class Rule(NamedTuple):
    """A rule in the kernel: its comment, and its expressions as netlink attributes."""

    name: str
    expressions: str


class Outcome(NamedTuple):
    """What became of one version of an object: the error of the reconciler, and the rules after it.

    ``alone`` are the rules after the same version was applied where there was nothing.
    """

    error: str
    rules: tuple[Rule, ...]
    alone: tuple[Rule, ...]


def applied(sequences: Iterable[Sequence[Spec]]) -> list[list[Outcome]]:
    """What became of each version of each object; a sequence is the versions of one object, and each starts with no rules."""
    assert shutil.which("unshare"), "unshare is not installed; these tests need it"
    lines = "".join(json.dumps(versions) + "\n" for versions in sequences)
    run = subprocess.run(["unshare", "-rn", _program()], input=lines, text=True, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr
    return [[_outcome(each) for each in json.loads(line)] for line in run.stdout.splitlines()]


@cache
def _program() -> str:
    return str(built(LIQO_AGENT))


def _outcome(found: Mapping[str, Any]) -> Outcome:
    rules, alone = (tuple(Rule(**rule) for rule in found[name]) for name in ("rules", "alone"))
    return Outcome(found["error"], rules, alone)
