"""pyDatalog beside the engine on one program, for tests that compare them."""

from pathlib import Path

from liqo_connectivity.engine import Facts, Program, Row, evaluate
from liqo_connectivity.engine.pydatalog.child_process import ChildLimits
from liqo_connectivity.engine.pydatalog.second_opinion import evaluate_relations, first_difference

GRAPH = ".decl edge(a: symbol, b: symbol)\n.input edge\n.decl path(a: symbol, b: symbol)\npath(X, Y) :- edge(X, Y).\n"
RIGHT = GRAPH + "path(X, Z) :- edge(X, Y), path(Y, Z).\n"
LIMITS = ChildLimits(seconds=30)


def program(text: str) -> Program:
    return Program.parse({"test.dl": text})


def ring(size: int) -> dict[str, list[Row]]:
    return {"edge": [(f"v{number}", f"v{(number + 1) % size}") for number in range(size)]}


def assert_agrees(text: str, facts: Facts, limits: ChildLimits = LIMITS) -> dict[str, list[Row]]:
    parsed = program(text)
    rows = evaluate_relations(parsed, facts, parsed.schema.relations, limits=limits)
    assert first_difference(evaluate(parsed, facts), rows) is None
    return rows


def children() -> set[str]:
    """The processes that this one started and that are not gone, dead ones included."""
    return {pid for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()}
