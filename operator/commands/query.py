"""``query``: answers a conjunctive goal over facts and derived relations as a table."""

import click

from liqo_connectivity.engine import Explainer, ProgramError, pattern, prove, why_not
from liqo_connectivity.engine.syntax.parser import parse_goal
from liqo_connectivity.operator import exits
from liqo_connectivity.operator.commands.options import input_options, operator_option, output_option
from liqo_connectivity.operator.explain import report
from liqo_connectivity.operator.explain.document.absence import absence_document
from liqo_connectivity.operator.explain.document.output import echo_document
from liqo_connectivity.operator.explain.document.proof import proof_document
from liqo_connectivity.operator.explain.proof_steps import relations_of
from liqo_connectivity.operator.explain.text.table import no_row_lines, row_proof_lines, table_lines
from liqo_connectivity.operator.sources.input import Input
from liqo_connectivity.operator.sources.session import Session

ANSWER = "the answer"
"""The relation that holds the answers. No program can declare it, because of the space."""
DEPTH = 4
"""How many rules deep ``--why-not`` follows a goal without rows, counting the goal itself."""


@click.command(
    "query",
    epilog="\b\nExamples:\n"
    "  liqo-connectivity query 'member(P, \"offloaded\", Ip), pod_ip(Pod, Ip)' -f examples/provider\n"
    "  liqo-connectivity query 'finding(Code, Kind, Object, _)' -f examples/consumer --why\n"
    '  liqo-connectivity query \'member(P, "vc-local", "10.71.9.9")\' -f examples/consumer --why-not',
)
@click.argument("goal", metavar="GOAL")
@click.option("--why", "with_proof", is_flag=True, help="Prove each row.")
@click.option("--why-not", "with_reason", is_flag=True, help="If there is no row, explain what fails first.")
@operator_option
@output_option("text", "json", "yaml")
@input_options
def command(given: Input, goal: str, with_proof: bool, with_reason: bool, output: str) -> int:
    """Query facts and derived relations with a Datalog goal.

    GOAL is a comma-separated list of atoms, negated atoms (!) and comparisons. Prints a row for each way to satisfy it,
    with a column for each variable. `rules graph` lists the relations.

    Exits with 0 if there is a row, 1 if there is none, 3 if an object could not be read.
    """
    session = Session.open(given)
    try:
        program, columns = session.program.with_goal(parse_goal(goal), "goal", goal, ANSWER)
    except ProgramError as error:
        raise click.UsageError(f"the goal cannot be answered\n\n{error}") from None
    report.problems(session.reading)
    model = session.solve([ANSWER], program=program)
    rows = model.rows(ANSWER)
    explainer = Explainer(model)
    proofs = [prove(explainer, ANSWER, row) for row in rows] if with_proof else []
    reason = why_not(explainer, pattern(ANSWER, [None] * len(columns)), DEPTH) if with_reason else None
    used = {ANSWER, *(name for proof in proofs if proof for name in relations_of(proof))}
    used |= reason.relations() if reason else set()
    session.verify(model, used)
    base = session.reading.base
    if output == "text":
        lines = table_lines(columns, rows)
        if with_proof:
            # Below each row stand the proofs of the literals that it satisfies.
            texts = [row_proof_lines(proof, base) for proof in proofs if proof]
            lines = [lines[0], *(line for row, text in zip(lines[1:], texts, strict=True) for line in (row, *text))]
        click.echo("\n".join([*lines, *(no_row_lines(reason, base) if reason else [])]))
    else:
        entries: list[dict[str, object]] = [{"row": dict(zip(columns, row, strict=True))} for row in rows]
        for entry, proof in zip(entries, proofs, strict=False):
            entry["proof"] = proof_document(proof, base) if proof else None
        document: dict[str, object] = {"columns": list(columns), "rows": entries}
        if with_reason:
            document["whyNot"] = absence_document(reason, base) if reason else None
        echo_document(document, output)
    if session.reading.problems:
        return exits.UNKNOWN
    return exits.OK if rows else exits.DENIED
