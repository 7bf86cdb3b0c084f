"""Short ways to a model and to what explains an absence in it."""

from collections.abc import Iterator

from liqo_connectivity.engine import (
    Facts,
    Model,
    Program,
    Row,
    Value,
    evaluate,
)
from liqo_connectivity.engine.why_not.absence import Absence, pattern
from tests.support.explaining import why_not

PATHS = """
.decl edge(source: symbol, target: symbol)
.input edge
.decl closed(node: symbol)
.input closed
.decl path(source: symbol, target: symbol)
path(X, Y) :- edge(X, Y), !closed(Y).
path(X, Z) :- path(X, Y), edge(Y, Z), !closed(Z).
"""


def model_of(text: str, facts: Facts) -> Model:
    return evaluate(Program.parse({"t.dl": text}), facts)


def explained(model: Model, relation: str, *row: Value | None, depth: int = 3, rows: int = 1000) -> Absence:
    found = why_not(model, pattern(relation, row), depth, rows)
    assert found is not None
    return found


def absences(found: Absence) -> Iterator[Absence]:
    yield found
    for failure in found.failures:
        if isinstance(failure.because, Absence):
            yield from absences(failure.because)


def model_facts(model: Model) -> dict[str, list[Row]]:
    return {name: model.rows(name) for name in model.program.schema.inputs}
