"""``why``: the verdict on a flow, who decided it, and the proof. This module must not decide anything."""

import click

from liqo_connectivity.operator.commands import exits
from liqo_connectivity.operator.commands.options import Input, input_options, operator_option, output_option
from liqo_connectivity.operator.explain import answer, answer_text, endpoints, proof_text, report
from liqo_connectivity.operator.explain.document import echo_document
from liqo_connectivity.operator.sources.session import Session, relations_of
from liqo_connectivity.rules.relations import Flow

ENDS = ("peering", "group", "member", "member_cidr", "local_cidr", "remote_cidr")
CLASSES = ("in_group", "in_scope", "namespace_member", "located")
VERDICTS = ("flow_verdict", "peering_verdict", "decided_by", "governs", "unknown_because", "rule", "policy")
ODDITIES = ("finding", "finished")
EXITS = {"allowed": exits.OK, "denied": exits.DENIED, "unknown": exits.UNKNOWN}
_MANY = 16


@click.command(
    "why",
    epilog="\b\nExamples:\n  liqo-connectivity why shop/web-2 shop/web-0:8080/tcp -f examples/consumer\n"
    "  liqo-connectivity why ip:10.71.9.9 shop/db-0 -f examples/consumer\n"
    "  liqo-connectivity why group:vc-remote@milan group:local-cluster@milan -f examples/consumer -o json",
)
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST[:PORT/PROTO]")
@click.option(
    "--state",
    type=click.Choice(["new", "established"]),
    default="new",
    show_default=True,
    help="The state of the connection that the packet belongs to.",
)
@click.option(
    "--proofs",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    metavar="N",
    help="How many proofs of each peering's verdict to give, the lowest first, if there are so many.",
)
@click.option("--full", is_flag=True, help="Print every step of the proof, those that only restate the question too.")
@operator_option
@output_option("text", "json", "yaml", "dot")
@input_options
def command(given: Input, source: str, destination: str, state: str, proofs: int, full: bool, output: str) -> int:
    """Say whether a flow is allowed, and prove it down to the fields of the objects.

    SRC and DST are NAMESPACE/POD, ip:ADDRESS or group:GROUP@PEERING. Between groups the verdict is "allowed" only if
    every pair of addresses may talk; the pair that decides is shown. Exits with 0 when allowed, 1 when denied, 3 when
    the input does not tell.
    """
    start = endpoints.parse_endpoint(source, given.namespace)
    end, service = endpoints.parse_destination(destination, given.namespace)
    session = Session.open(given)
    report.report_problems(session.reading)
    try:
        flows = questions(session, start, end, state)
    except endpoints.UnknownEndpointError as error:
        found = answer.unresolved(start, end, service, state, error)
    else:
        model = session.solve((*VERDICTS, *ODDITIES), flows)
        report.report_endpoints(model, [e.name for e in (start, end) if e.kind == "pod"])
        found = answer.make(model, session.reading.base, flows, start, end, service)
        if proofs > 1:
            found = answer.with_alternatives(found, model, proofs)
        used = {
            *VERDICTS,
            *ODDITIES,
            *(name for p in found.peerings for proof in (p.proof, *p.alternatives) for name in relations_of(proof)),
        }
        used.update(
            name for peering in found.peerings for absence in peering.passed_over for name in absence.relations()
        )
        session.verify(model, used, flows)
    _print(found, output, full)
    return EXITS[found.verdict]


def questions(session: Session, start: endpoints.Endpoint, end: endpoints.Endpoint, state: str) -> list[Flow]:
    """Make the questions: one, or one for each pair of classes of addresses between groups.

    Raises click.UsageError, and UnknownEndpointError for an end whose address is not known.
    """
    if "group" in (start.kind, end.kind):
        sources, destinations = _group_ends(session, start, end)
    else:
        sources, destinations = ([endpoints.pod_address(e, session.reading.base)] for e in (start, end))
    found = list(endpoints.pairs(sources, destinations))
    families = {(":" in s, ":" in d) for s, d in found}
    if any(first != second for first, second in families):
        raise click.UsageError("the two ends have addresses of different families")
    return [Flow(f"{s} -> {d}", s, d, state) for s, d in found]


def _group_ends(session: Session, start: endpoints.Endpoint, end: endpoints.Endpoint) -> tuple[list[str], list[str]]:
    model = session.solve(ENDS)
    session.verify(model, ENDS)
    sources, destinations = (
        endpoints.group_addresses(e, model) if e.kind == "group" else [endpoints.pod_address(e, session.reading.base)]
        for e in (start, end)
    )
    if len(sources) * len(destinations) > _MANY:
        asked = [Flow(address, address, address, "new") for address in sorted({*sources, *destinations})]
        told = session.solve(CLASSES, asked)
        session.verify(told, CLASSES, asked)
        sources, destinations = endpoints.classes(sources, told), endpoints.classes(destinations, told)
    return sources, destinations


def _print(found: answer.Answer, output: str, full: bool) -> None:
    if output == "dot":
        click.echo(
            proof_text.to_dot([proof for p in found.peerings for proof in (p.proof, *p.alternatives)], found.base),
            nl=False,
        )
    elif output == "text":
        click.echo("\n".join(answer_text.to_lines(found, full)))
    else:
        echo_document(answer.to_json(found), output)
