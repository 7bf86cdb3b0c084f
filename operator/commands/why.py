"""``why``: prints the verdict on a flow and what decided it, in a few sentences or with the proof."""

import click

from liqo_connectivity.engine import Explainer
from liqo_connectivity.operator import exits
from liqo_connectivity.operator.commands.options import input_options, operator_option, output_option, state_option
from liqo_connectivity.operator.explain import answer, endpoints, report
from liqo_connectivity.operator.explain.flows import flows_between
from liqo_connectivity.operator.explain.text.answer import answer_lines
from liqo_connectivity.operator.explain.text.summary import summary_lines
from liqo_connectivity.operator.sources.input import Input
from liqo_connectivity.operator.sources.session import Session

GOALS = (*answer.RELATIONS, "finding", "finished")
EXITS = {"allowed": exits.OK, "denied": exits.DENIED, "unknown": exits.UNKNOWN}


@click.command(
    "why",
    epilog="\b\nExamples:\n  liqo-connectivity why shop/web-2 shop/web-0:8080/tcp -f examples/consumer\n"
    "  liqo-connectivity why shop/web-2 shop/web-0:8080/tcp -f examples/consumer --proof\n"
    "  liqo-connectivity why ip:10.71.9.9 shop/db-0 -f examples/consumer\n"
    "  liqo-connectivity why group:vc-remote@milan group:local-cluster@milan -f examples/consumer -o json",
)
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST[:PORT/PROTO|:icmp]")
@state_option
@click.option(
    "--proofs",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    metavar="N",
    help="Print up to N proofs of each peering's verdict, the lowest first. Implies --proof if N is more than 1.",
)
@click.option("--proof", "with_proof", is_flag=True, help="Print the proof, down to the fields of the objects.")
@click.option(
    "--full",
    is_flag=True,
    help="Print every step of the proof, even those that only restate the question. Implies --proof.",
)
@operator_option
@output_option("text", "json", "yaml", "dot")
@input_options
def command(
    given: Input,
    source: str,
    destination: str,
    state: str,
    proofs: int,
    with_proof: bool,
    full: bool,
    output: str,
) -> int:
    """Tell whether a flow is allowed, and why.

    Prints at most twelve lines: the verdict, the rule that decides, the object and field by which each end matches it,
    and what the answer does not cover. --proof prints the whole proof instead.

    SRC and DST are NAMESPACE/POD, ip:ADDRESS or group:GROUP@PEERING; DST may be NAMESPACE/svc/SERVICE or an address of a
    Service, which stands for its endpoints. A port is a number and tcp, udp or sctp, or icmp alone. Without one, the
    answer is about all ports: where policies tell them apart, it says which have which verdict. Between several addresses, the verdict is "allowed" only if
    every pair of addresses is, and every port; the rest of the answer is about the pair and the ports that decide.

    Exits with 0 if allowed, 1 if denied, 3 if unknown.
    """
    start = endpoints.parse_endpoint(source, given.namespace)
    end, port = endpoints.parse_destination(destination, given.namespace)
    session = Session.open(given)
    report.problems(session.reading)
    try:
        asked = flows_between(session.solve_verified, session.reading.base, start, end, port, state)
    except endpoints.UnknownEndpointError as error:
        found = answer.unresolved(start, end, port, state, error)
    else:
        model = session.solve(GOALS, asked)
        report.endpoints(model, [e.name for e in (start, end) if e.kind == "pod"])
        explainer = Explainer(model)
        found = answer.make(explainer, session.reading.base, asked, start, end, port)
        with_proof = with_proof or full or proofs > 1
        if with_proof:
            found = answer.with_passed_over(found, explainer)
        if proofs > 1:
            found = answer.with_alternatives(found, explainer, proofs)
        if output in ("json", "yaml"):
            found = answer.with_every_proof(found, explainer)
        session.verify(model, {*GOALS, *answer.relations_used(found)}, asked)
    found = found._replace(enforcer=session.enforcer)
    if output == "text":
        click.echo("\n".join(answer_lines(found, full) if with_proof else summary_lines(found)))
    elif output == "dot":
        # The forms that are asked for less often are imported with their use.
        from liqo_connectivity.operator.explain.dot import proofs_dot

        click.echo(proofs_dot(answer.proofs_of(found), found.base), nl=False)
    else:
        from liqo_connectivity.operator.explain.document.answer import answer_document
        from liqo_connectivity.operator.explain.document.output import echo_document

        echo_document(answer_document(found), output)
    return EXITS[found.verdict]
