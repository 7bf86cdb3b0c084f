"""``check``: are the policies and rule files right? What is wrong, what never decides, what is odd.

This module must not judge: it lists what the rules derive.
"""

import json

import click

from liqo_connectivity.operator.commands import exits
from liqo_connectivity.operator.commands.options import Input, input_options, output_option
from liqo_connectivity.operator.explain import report
from liqo_connectivity.operator.sources.session import Session

GOALS = ("pending", "invalid_rule", "shadowed", "finding", "governing", "misplaced", "policy", "group")


@click.command(
    "check",
    epilog="\b\nExamples:\n  liqo-connectivity check -f examples/consumer\n"
    "  liqo-connectivity check -f policy.yaml --rules my-group.dl",
)
@output_option("text", "json")
@input_options
def command(given: Input, output: str) -> int:
    """Validate policies and rule files, and report findings.

    Prints a line for each policy rule that is wrong or can never decide, each policy that governs nothing, each finding
    about the cluster and each warning about the rules. Exits with 1 when there are any, 3 when an object could not be
    read. What merely waits for the cluster (a CIDR that is not assigned yet) is a note.
    """
    session = Session.open(given)
    model = session.solve(GOALS)
    session.verify(model, GOALS)
    report.report_problems(session.reading)
    policies = report.in_namespace(model.rows("policy"), given.namespace)
    lines = report.invalid_rules(model, given.namespace)
    misplaced = set(model.rows("misplaced"))
    for policy, *why in report.in_namespace(model.rows("pending"), given.namespace):
        if (policy, why[0]) in misplaced:
            lines.append(f"error: PeeringConnectivity {policy}: {report.sentence(*why)}")
        elif why[0] != "InvalidPolicy":
            click.echo(f"note: PeeringConnectivity {policy} is pending: {report.sentence(*why)}", err=True)
    governing = {peering: policy for peering, policy in model.rows("governing")}  # noqa: C416  dict() loses the types
    shadowed = [(governing[peering], rule, by) for peering, rule, by in model.rows("shadowed")]
    lines += [
        f"warning: PeeringConnectivity {policy} /spec/rules/{rule}: never decides, rule {by} matches all that it matches"
        for policy, rule, by in report.in_namespace(shadowed, given.namespace)
    ]
    lines += [f"warning: {report.sentence(*row)}" for row in model.rows("finding")]
    lines += [warning.render(dict(session.program.texts)) for warning in session.program.warnings()]
    if output == "json":
        click.echo(json.dumps({"findings": lines, "policies": len(policies)}, indent=2))
    elif lines:
        click.echo("\n".join(lines))
    else:
        click.echo(f"{len(policies)} policies, nothing to report")
    if session.reading.problems:
        return exits.UNKNOWN
    return exits.DENIED if lines else exits.OK
