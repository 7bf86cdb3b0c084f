"""Certificates of a recorded cluster, and ways to find something in one."""

import atexit
import copy
import json
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from functools import cache
from gzip import decompress
from io import StringIO
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

from liqo_connectivity import checker
from liqo_connectivity.operator.cli import run
from liqo_connectivity.rules.program import builtin_texts
from tests.support.checkout import ROOT

POLICY = """\
apiVersion: security.liqo.io/v1
kind: PeeringConnectivity
metadata: {name: milan, namespace: liqo-tenant-milan, uid: "1", resourceVersion: "2", creationTimestamp: "2026-11-22T23:50:00Z"}
spec:
  rules:
  - {source: {group: vc-remote}, destination: {group: vc-local}, action: allow}
  - {source: {group: remote-cluster}, destination: {namespace: infra}, action: deny}
  - {source: {group: remote-cluster}, action: deny}
"""
FLOWS = {
    "allowed": ("shop/web-0", "shop/web-2"),
    "denied": ("shop/web-0", "infra/dns-0:53/udp"),
    "default": ("shop/web-2", "shop/web-0"),
    "established": ("shop/web-0", "infra/dns-0", "--state", "established"),
    "ungoverned": ("ip:1.1.1.1", "ip:2.2.2.2"),
    "ungoverned-v6": ("ip:fd00::1", "ip:FD00:0:0::2"),
    "group-denied": ("group:vc-remote@milan", "group:local-cluster@milan"),
}
SCHEMA: Any = json.loads((ROOT / "operator" / "explain" / "why.schema.json").read_text("utf-8"))
RULES = checker.read_rules(builtin_texts())


def call(*arguments: str) -> tuple[int, str]:
    """Run a command; give its exit code and what it printed."""
    out = StringIO()
    with redirect_stdout(out):
        code = run(list(arguments))
    return code, out.getvalue()


@cache
def dump() -> Path:
    """The facts of the recorded cluster ``rome`` with a policy for its peering, as a file of JSON Lines."""
    folder = Path(mkdtemp(prefix="certificates-"))
    atexit.register(rmtree, folder)
    (folder / "rome.yaml").write_bytes(
        decompress((ROOT / "tests" / "data" / "snapshots" / "rome.yaml.gz").read_bytes())
    )
    (folder / "policy.yaml").write_text(POLICY)
    code, text = call("facts", "dump", "-f", str(folder))
    assert code == 0
    (folder / "facts.jsonl").write_text(text)
    return folder / "facts.jsonl"


@cache
def facts() -> checker.SourcedFacts:
    """The same facts, as the checker reads them."""
    return checker.read_facts(dump().read_text().splitlines(keepends=True), RULES)


@cache
def _text(name: str, proofs: int) -> str:
    return call("why", *FLOWS[name], "-f", str(dump()), "-o", "json", "--proofs", str(proofs))[1]


def certificate(name: str, proofs: int = 1) -> Any:
    """The answer about a flow of ``FLOWS``, to be changed at will."""
    return json.loads(_text(name, proofs))


def nodes(node: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every object of a document with its pointer, in reading order."""
    if isinstance(node, dict):
        yield place, node
        for name, value in node.items():
            yield from nodes(value, f"{place}/{name}")
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from nodes(value, f"{place}/{number}")


def first(document: Any, wanted: Callable[[Any], bool]) -> tuple[str, Any]:
    """The first object of a kind, and its pointer."""
    return next((place, node) for place, node in nodes(document) if wanted(node))


def derives(relation: str) -> Callable[[Any], bool]:
    """Tell steps that derive a tuple of a relation."""
    return lambda node: node.get("relation") == relation and "rule" in node


def states(relation: str) -> Callable[[Any], bool]:
    """Tell steps that are a fact of a relation."""
    return lambda node: node.get("relation") == relation and "sources" in node


def use(steps: Any, number: int) -> tuple[str, list[Any], int]:
    """Where the first step that rests on another names it: the pointer from the proof, the list and the index."""
    for step in steps:
        for place, premises in _lists(step):
            if number in premises:
                index = premises.index(number)
                return f"/steps/{step['step']}/{place}/{index}", premises, index
    raise AssertionError(f"nothing rests on step {number}")


def _lists(step: Any) -> Iterator[tuple[str, list[Any]]]:
    premises = step.get("premises", [])
    yield "premises", premises
    for position, premise in enumerate(premises):
        for number, witness in enumerate(premise["aggregated"]["witnesses"] if "aggregated" in nested(premise) else ()):
            yield f"premises/{position}/aggregated/witnesses/{number}", witness


def nested(premise: Any) -> dict[str, Any]:
    """The object that a premise is; none if it is the number of a step."""
    return premise if isinstance(premise, dict) else {}


def renumbered(steps: list[Any], order: list[int]) -> list[Any]:
    """Some steps in another order, with the numbers that they then have; what is named and is not there gets -1."""
    number = {old: new for new, old in enumerate(order)}

    def premise(found: Any) -> Any:
        if not isinstance(found, dict):
            return number.get(found, -1)
        found = copy.deepcopy(found)
        for witness in nested(found.get("aggregated")).get("witnesses", ()):
            witness[:] = map(premise, witness)
        return found

    chosen = [copy.deepcopy(steps[old]) for old in order]
    for new, step in enumerate(chosen):
        step["step"] = new
        if "premises" in step:
            step["premises"] = [premise(found) for found in step["premises"]]
    return chosen
