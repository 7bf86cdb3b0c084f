"""pyDatalog as the second opinion: the same program and facts, evaluated by an engine that shares no code with ours.

It runs in a child process with limits, one process for each evaluation, because it can hang, crash and leak. A rule
that it cannot evaluate correctly is refused: the answer is either the whole extension of a relation or an OracleError.
"""

import json
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, cast

from liqo_connectivity.engine.program.program import Program
from liqo_connectivity.engine.pydatalog.child_process import ChildLimits, exchange
from liqo_connectivity.engine.pydatalog.translation import translate
from liqo_connectivity.engine.storage.fact_check import FactCheck, Facts
from liqo_connectivity.engine.storage.model import FixedModel, Model
from liqo_connectivity.engine.storage.tables import Table
from liqo_connectivity.engine.syntax.diagnostics import FactError, OracleError, UnknownRelationError
from liqo_connectivity.engine.syntax.nodes import Row
from liqo_connectivity.engine.syntax.printer import format_rule, format_value

DEFAULT_LIMITS = ChildLimits()


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that only one side has: our model (``engine``) or pyDatalog (``oracle``)."""

    relation: str
    row: Row
    only_in: Literal["engine", "oracle"]

    def __str__(self) -> str:
        return f"{self.relation}({', '.join(map(format_value, self.row))}) is derived by the {self.only_in} only"


def evaluate_relations(
    program: Program, facts: Facts, relations: Iterable[str], *, limits: ChildLimits = DEFAULT_LIMITS
) -> dict[str, list[Row]]:
    """Return the complete, sorted rows of some relations, as pyDatalog derives them.

    Raises UnknownRelationError, FactError, and OracleError if a limit is reached, the child fails, pyDatalog cannot
    evaluate a rule, or the installed pyDatalog is not the known build.
    """
    wanted = sorted(set(relations))
    return {name: sorted(rows) for name, rows in _run(program, _checked_facts(program, facts), wanted, limits).items()}


def evaluate(
    program: Program, facts: Facts, relations: Iterable[str], *, limits: ChildLimits = DEFAULT_LIMITS
) -> Model:
    """Return a model of everything that some relations need, derived by pyDatalog. Raises like evaluate_relations."""
    part = program.slice(relations)
    loaded = _checked_facts(part, facts)
    rows = _run(part, loaded, sorted(part.rules_by_head), limits)

    def read(name: str) -> Table:
        given = loaded.get(name, {})
        return Table(name, dict.fromkeys(rows[name], 1) if name in rows else given, given)

    return FixedModel(part, read)


def first_difference(model: Model, oracle_rows: Mapping[str, Iterable[Row]]) -> Difference | None:
    """Return the first row, by relation and then by columns, that only one side has."""
    for name in sorted(oracle_rows):
        ours, theirs = set(model.rows(name)), set(oracle_rows[name])
        if ours != theirs:
            row = min(ours ^ theirs)
            return Difference(name, row, "engine" if row in ours else "oracle")
    return None


def _checked_facts(program: Program, facts: Facts) -> dict[str, dict[Row, int]]:
    check = FactCheck(program.schema)
    return {name: check.rows(name, rows) for name, rows in facts.items()}


def _run(
    program: Program, facts: Mapping[str, Iterable[Row]], wanted: list[str], limits: ChildLimits
) -> dict[str, list[Row]]:
    for name in wanted:
        if name not in program.schema.relations:
            raise UnknownRelationError(f"the program declares no relation {name!r}")
    translation = translate(program, wanted)
    table_of = translation.table_of
    job = {
        "arities": translation.arities,
        "facts": {table: list(facts[name]) for name, table in table_of.items() if name in facts},
        "steps": [asdict(step) for step in translation.steps],
        "wanted": [table_of[name] for name in wanted],
    }
    with as_file(files("liqo_connectivity.engine.pydatalog").joinpath("child.py")) as child:
        request = json.dumps(job).encode()
        command = [*_INTERPRETER, str(child.resolve()), str(math.ceil(limits.seconds)), str(limits.megabytes)]
        answer = exchange([*command, _location()], request, limits)
    rows = _rows(answer, program, limits)
    return {name: _checked(program, name, rows.get(table_of[name])) for name in wanted}


# Without site packages and the script's folder on the path, the child finds only what its command names.
_INTERPRETER = (sys.executable, "-P", "-s", "-S", "-B")


def _location() -> str:
    spec = find_spec("pyDatalog")
    if spec is None or spec.origin is None:
        raise OracleError("pyDatalog is not installed: install what pyproject.toml names")
    return str(Path(spec.origin).resolve().parent.parent)


def _rows(answer: bytes, program: Program, limits: ChildLimits) -> dict[str, Any]:
    try:
        reply = cast("dict[str, Any]", json.loads(answer))
    except ValueError:
        raise OracleError("pyDatalog's process ended without an answer") from None
    if "memory" in reply:
        raise OracleError(f"pyDatalog needed more than {limits.megabytes} MB of memory and was stopped")
    if "build" in reply:
        raise OracleError(f"pyDatalog is not the build that is known to be right: {reply['build']}")
    if "why" in reply:
        rule = next(rule for rule in program.rules if rule.number == reply["rule"])
        raise OracleError(f"pyDatalog cannot evaluate the rule at {rule.span}: {reply['why']}: {format_rule(rule)}")
    return cast("dict[str, Any]", reply["rows"])


def _checked(program: Program, relation: str, rows: Any) -> list[Row]:
    try:
        checked: list[Row] = [tuple(row) for row in rows]
        for row in checked:
            program.schema.check_row(relation, row)
    except (TypeError, FactError) as error:
        raise OracleError(f"pyDatalog's process gave no rows of {relation}: {error}") from None
    return checked
