"""``query``: any conjunctive goal over facts and derived relations, as a table. This module must not know any relation."""

import json

import click

from liqo_connectivity.engine import Absent, ProgramError, Proof, Value, prove
from liqo_connectivity.engine.proofs.proof import Premise
from liqo_connectivity.engine.syntax.parser import parse_goal
from liqo_connectivity.engine.why_not.failures import Absence, pattern, why_not
from liqo_connectivity.facts import FactBase
from liqo_connectivity.operator.commands import exits
from liqo_connectivity.operator.commands.options import Input, input_options, operator_option, output_option
from liqo_connectivity.operator.explain import report
from liqo_connectivity.operator.explain.absence_json import absence_json
from liqo_connectivity.operator.explain.absence_text import failure_lines
from liqo_connectivity.operator.explain.document import echo_document
from liqo_connectivity.operator.explain.proof_json import proof_json
from liqo_connectivity.operator.explain.proof_text import caveat, proof_lines
from liqo_connectivity.operator.sources.session import Session, relations_of

ANSWER = "the answer"
"""The name of the relation that holds the answers: no program can declare one with a space in it."""
_DEPTH = 4
"""How many rules deep a goal without rows is followed; the first is the goal itself."""


@click.command(
    "query",
    epilog="\b\nExamples:\n"
    "  liqo-connectivity query 'member(P, \"offloaded\", Ip), pod_ip(Pod, Ip)' -f examples/provider\n"
    "  liqo-connectivity query 'finding(Code, Kind, Object, _)' -f examples/consumer --why\n"
    '  liqo-connectivity query \'member(P, "vc-local", "10.71.9.9")\' -f examples/consumer --why-not',
)
@click.argument("goal", metavar="GOAL")
@click.option("--why", "with_proof", is_flag=True, help="Prove each row.")
@click.option("--why-not", "with_reason", is_flag=True, help="If there is no row, say what fails first, and why.")
@operator_option
@output_option("text", "json", "yaml")
@input_options
def command(given: Input, goal: str, with_proof: bool, with_reason: bool, output: str) -> int:
    """Answer a Datalog goal over facts and derived relations.

    A row for each way to satisfy GOAL, a column for each of its variables. `rules show` lists the relations. Exits with
    1 when there is no row, 3 when an object could not be read.
    """
    session = Session.open(given)
    try:
        program, columns = session.program.with_goal(parse_goal(goal), "goal", goal, ANSWER)
    except ProgramError as error:
        raise click.UsageError(f"the goal cannot be answered\n\n{error}") from None
    report.report_problems(session.reading)
    model = session.solve([ANSWER], program=program)
    rows = model.rows(ANSWER)
    proofs = [prove(model, ANSWER, row) for row in rows] if with_proof else []
    reason = why_not(model, pattern(ANSWER, [None] * len(columns)), _DEPTH) if with_reason else None
    used = {ANSWER, *(name for proof in proofs if proof for name in relations_of(proof))}
    used |= reason.relations() if reason else set()
    session.verify(model, used)
    base = session.reading.base
    if output == "text":
        lines = table(columns, rows)
        if with_proof:
            # Below the header, each row is followed by the proofs of the goal's own literals.
            texts = [_proof_lines(proof, base) for proof in proofs if proof]
            lines = [lines[0], *(line for row, text in zip(lines[1:], texts, strict=True) for line in (row, *text))]
        click.echo("\n".join([*lines, *(_reason_lines(reason, base) if reason else [])]))
    else:
        entries: list[dict[str, object]] = [{"row": dict(zip(columns, row, strict=True))} for row in rows]
        for entry, proof in zip(entries, proofs, strict=False):
            entry["proof"] = proof_json(proof, base) if proof else None
        document: dict[str, object] = {"columns": list(columns), "rows": entries}
        if with_reason:
            document["whyNot"] = absence_json(reason, base) if reason else None
        echo_document(document, output)
    if session.reading.problems:
        return exits.UNKNOWN
    return exits.OK if rows else exits.DENIED


def _proof_lines(proof: Proof, base: FactBase) -> list[str]:
    lines = [*caveat(proof), *(line for premise in proof.premises for line in _premise_lines(premise, base))]
    return [f"  {line}" for line in lines]


def _premise_lines(premise: Premise, base: FactBase) -> list[str]:
    if isinstance(premise, Proof):
        return proof_lines(premise, base)
    return [f"{'not found' if isinstance(premise, Absent) else 'true'}: {premise}"]


def _reason_lines(reason: Absence, base: FactBase) -> list[str]:
    return ["no row:", *(f"  {line}" for line in failure_lines(reason, base))]


def table(columns: tuple[str, ...], rows: list[tuple[Value, ...]]) -> list[str]:
    """Lay rows out under their columns; a goal without variables has the one column ``true``."""
    texts = [columns or ("true",), *((tuple(map(_printable, row)) or ("yes",)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in texts]


def _printable(value: Value) -> str:
    text = str(value)
    return text if text.isprintable() else json.dumps(text)
