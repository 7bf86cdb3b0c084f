"""``diff``: tells which flows change their verdict between two states of a cluster, or by an edit of policies."""

from typing import Final

import click

from liqo_connectivity.operator import exits
from liqo_connectivity.operator.commands.options import input_options, operator_option, output_option
from liqo_connectivity.operator.explain import report
from liqo_connectivity.operator.explain.changes import KINDS, Comparison, compare
from liqo_connectivity.operator.explain.pairs import State
from liqo_connectivity.operator.sources.edited import read_edits
from liqo_connectivity.operator.sources.input import Input, ObjectSource
from liqo_connectivity.operator.sources.session import Session

_ANY: Final = "any"


@click.command(
    "diff",
    epilog="\b\nExamples:\n  liqo-connectivity diff --policy examples/diff/wider.yaml -f examples/consumer\n"
    "  liqo-connectivity diff examples/consumer/policy.yaml examples/diff/wider.yaml -f examples/consumer/cluster.yaml "
    "-f examples/consumer/liqo.yaml -f examples/consumer/pods.yaml --fail-on opened\n"
    "  liqo-connectivity diff monday.json tuesday.json -o json",
)
@click.argument("before", metavar="[BEFORE", required=False)
@click.argument("after", metavar="[AFTER]]", required=False)
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="FILE",
    help="Compare what is with what these policies would change: each takes the place of the one of its name. Repeatable.",
)
@click.option(
    "--fail-on",
    type=click.Choice((_ANY, *KINDS)),
    default=_ANY,
    show_default=True,
    help="The changes for which the exit code is 1.",
)
@operator_option
@output_option("text", "json", "yaml")
@input_options
def command(
    given: Input, before: str | None, after: str | None, policies: tuple[str, ...], fail_on: str, output: str
) -> int:
    """Tell which flows change their verdict.

    BEFORE and AFTER are manifests, dumps or folders of two states of a cluster, each read together with -f. Without AFTER
    it is the state that the other options name: -f, the live cluster or --operator. With --policy the two are that state
    without and with an edit of policies; nothing is written.

    A change is "opened" (denied before, allowed now), "closed", or "other", where a verdict is unknown. For each there
    is what decides before and after, the number of pairs of pods, and an example. Pods that only one state has are named.

    Exits with 0 if no verdict changes, 1 for a change of --fail-on, 3 if something unknown may be one.
    """
    first, second = _sessions(given, before, after, policies)
    report.problems(first.reading, second.reading)
    found = compare(*(State(each.solve_verified, each.reading.base) for each in (first, second)))
    report.without_address(found.without_address)
    # Each form is imported with its use.
    if output == "text":
        from liqo_connectivity.operator.explain.text.changes import changes_lines

        click.echo("\n".join(changes_lines(found)))
    else:
        from liqo_connectivity.operator.explain.document.changes import changes_document
        from liqo_connectivity.operator.explain.document.output import echo_document

        echo_document(changes_document(found), output)
    return _exit_code(found, fail_on, problems=bool(first.reading.problems or second.reading.problems))


def _sessions(
    given: Input, before: str | None, after: str | None, policies: tuple[str, ...]
) -> tuple[Session, Session]:
    if policies:
        if before is not None:
            raise click.UsageError(
                "--policy is an edit of the state that -f, --context or --operator name: leave out BEFORE"
            )
        edits, problems = read_edits(policies)
        first = Session.open(given, edits=edits)
        edited = first.reading.edited or first.reading
        return first, first._replace(reading=edited._replace(problems=(*edited.problems, *problems)))
    if before is None:
        raise click.UsageError("nothing to compare: give BEFORE and AFTER, or --policy FILE")
    if after is None:
        alone = ObjectSource((before,), assume_complete=given.objects.assume_complete)
        return Session.open(given._replace(objects=alone)), Session.open(given)
    if given.objects.operator:
        raise click.UsageError("--operator is one state: leave out AFTER")
    common = given.objects.files
    first, second = (
        Session.open(given._replace(objects=given.objects._replace(files=(*common, path)))) for path in (before, after)
    )
    return first, second


def _exit_code(found: Comparison, fail_on: str, *, problems: bool) -> int:
    kinds = {change.kind for change in found.changes}
    if fail_on in kinds or (fail_on == _ANY and kinds):
        return exits.DENIED
    # What is unknown may be a change of that kind.
    return exits.UNKNOWN if problems or found.undecided or "other" in kinds else exits.OK
