"""``why-not``: explains a denial. For each allow rule, prints what it lacks, or that it comes too late."""

import click

from liqo_connectivity.engine import Explainer
from liqo_connectivity.operator import exits
from liqo_connectivity.operator.commands.options import input_options, operator_option, output_option, state_option
from liqo_connectivity.operator.explain import answer, denial, endpoints, report
from liqo_connectivity.operator.explain.document.denial import denials_document
from liqo_connectivity.operator.explain.document.output import echo_document
from liqo_connectivity.operator.explain.flows import flows_between
from liqo_connectivity.operator.explain.text.denial import denials_lines
from liqo_connectivity.operator.explain.text.summary import summary_lines
from liqo_connectivity.operator.sources.input import Input
from liqo_connectivity.operator.sources.session import Session

DEPTH = 8
EXITS = {"allowed": exits.DENIED, "denied": exits.OK, "unknown": exits.UNKNOWN}


@click.command(
    "why-not",
    epilog="\b\nExamples:\n  liqo-connectivity why-not ip:10.71.9.9 shop/db-0:5432/tcp -f examples/consumer\n"
    "  liqo-connectivity why-not shop/web-0 infra/dns-0 -f examples/consumer -o json",
)
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST[:PORT/PROTO|:icmp]")
@state_option
@click.option(
    "--depth",
    type=click.IntRange(1, 20),
    default=DEPTH,
    show_default=True,
    metavar="N",
    help="Follow a failure up to N rules deep.",
)
@click.option("--full", is_flag=True, help="Print every rule that fails, not only those that fail last.")
@operator_option
@output_option("text", "json", "yaml")
@input_options
def command(given: Input, source: str, destination: str, state: str, depth: int, full: bool, output: str) -> int:
    """Explain why a flow is denied.

    For each peering that denies it, prints the allow rules of its policy, the side that does not match, and the first
    condition that fails, down to the missing fact or the proof of what should not hold. SRC and DST are as for `why`.

    Exits with 0 if the flow is denied, 1 if it is allowed or 3 if unknown; then the output is that of `why`.
    """
    start = endpoints.parse_endpoint(source, given.namespace)
    end, port = endpoints.parse_destination(destination, given.namespace)
    session = Session.open(given)
    report.problems(session.reading)
    denials: tuple[denial.Denial, ...] = ()
    try:
        asked = flows_between(session.solve_verified, session.reading.base, start, end, port, state)
    except endpoints.UnknownEndpointError as error:
        found = answer.unresolved(start, end, port, state, error)
    else:
        goals = (*answer.RELATIONS, *denial.RELATIONS)
        model = session.solve(goals, asked)
        explainer = Explainer(model)
        found = answer.make(explainer, session.reading.base, asked, start, end, port)
        if output != "text":
            found = answer.with_every_proof(found, explainer)
        denials = denial.denials_of(found, explainer, depth)
        used = {*goals, *answer.relations_used(found), *denial.relations_used(denials)}
        session.verify(model, used, asked)
    found = found._replace(enforcer=session.enforcer)
    if output == "text":
        click.echo("\n".join(denials_lines(found, denials, full) if denials else summary_lines(found)))
    else:
        echo_document(denials_document(found, denials), output)
    return EXITS[found.verdict]
