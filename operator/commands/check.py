"""``check``: validates policies and rule files, and reports findings."""

import json

import click

from liqo_connectivity.operator import exits
from liqo_connectivity.operator.commands.options import input_options, output_option
from liqo_connectivity.operator.explain import findings, report
from liqo_connectivity.operator.explain.reasons import blind_spot_sentences, folded, in_namespace, sentence
from liqo_connectivity.operator.sources.input import Input
from liqo_connectivity.operator.sources.session import Session

GOALS = (
    "pending",
    "invalid_rule",
    "invalid_field",
    "invalid_default",
    "shadowed",
    "redundant",
    "finding",
    "governing",
    "misplaced",
    "policy",
    "group",
    "object_blind_spot",
)


@click.command(
    "check",
    epilog="\b\nExamples:\n  liqo-connectivity check -f examples/consumer\n"
    "  liqo-connectivity check -f policy.yaml --rules my-group.dl",
)
@output_option("text", "json")
@input_options
def command(given: Input, output: str) -> int:
    """Validate policies and rule files, and report findings.

    Prints a line for each invalid policy rule, each rule that never decides, each policy that governs nothing or whose
    chain does not fit or Liqo's agents cannot match, each finding about the cluster and each warning about rule files. A policy that only waits for
    the cluster, such as for a CIDR that is not assigned yet, is a note on stderr, as is what was not read, and so is
    each object that chains do not cover and each rule that changes nothing.

    Exits with 0 if there is nothing to report, 1 if there is, 3 if an object could not be read. A policy that only waits
    changes none of these: what is written is right. To fail on it, use render, which exits with 3.
    """
    session = Session.open(given)
    model = session.solve_verified(GOALS)
    reading = session.reading
    errors = [f"error: {problem}" for problem in reading.problems]
    notes = [
        *report.ignored(reading),
        *findings.waiting(model, given.namespace),
        *findings.without_policies(model),
        *findings.redundant(model, given.namespace),
        *(f"note: not covered: {line}" for line in blind_spot_sentences(model.rows("object_blind_spot"))),
    ]
    for line in (*errors, *notes):
        click.echo(line, err=True)
    about_cluster = [sentence(*row) for row in model.rows("finding")]
    if output == "text":
        about_cluster = folded(about_cluster)
    lines = [
        *findings.invalid_rules(model, given.namespace),
        *findings.misplaced(model, given.namespace),
        *findings.beyond_enforcer(model, given.namespace),
        *findings.shadowed(model, given.namespace),
        *(f"warning: {line}" for line in about_cluster),
        *(warning.render(dict(session.program.texts)) for warning in session.program.warnings()),
    ]
    policies = in_namespace(model.rows("policy"), given.namespace)
    if output == "json":
        document = {"findings": lines, "policies": len(policies), "errors": errors, "notes": notes}
        click.echo(json.dumps(document, indent=2))
    elif lines:
        click.echo("\n".join(lines))
    else:
        found = "no findings, but errors or notes on stderr" if errors or notes else "nothing to report"
        click.echo(f"{len(policies)} {'policy' if len(policies) == 1 else 'policies'}, {found}")
    if reading.problems:
        return exits.UNKNOWN
    return exits.DENIED if lines else exits.OK
