"""``matrix``: prints who can reach whom, on which ports, and what decides it."""

from textwrap import wrap
from typing import Final

import click

from liqo_connectivity.operator import exits
from liqo_connectivity.operator.commands.options import input_options, operator_option, output_option
from liqo_connectivity.operator.explain import ends, report
from liqo_connectivity.operator.explain.matrix import matrix
from liqo_connectivity.operator.sources.input import Input
from liqo_connectivity.operator.sources.session import Session

_WIDTH: Final = 100
_PARTIES: Final = {"namespace": ends.namespaces, "group": ends.groups, "pod": ends.alike}


@click.command(
    "matrix",
    epilog="\b\nExamples:\n  liqo-connectivity matrix -f examples/consumer\n"
    "  liqo-connectivity matrix -f examples/provider --by pod\n"
    "  liqo-connectivity matrix -f examples/consumer --only shop 'cluster milan' -o json\n"
    "  liqo-connectivity matrix -f examples/consumer --by group -o csv",
)
@click.option(
    "--by",
    type=click.Choice(tuple(_PARTIES)),
    default="namespace",
    show_default=True,
    help="What the rows and columns are: namespaces, the groups of policies, or pods, those that no rule tells apart "
    "together.",
)
@click.option("--only", nargs=2, default=None, metavar="SRC DST", help="Print only the cell from one party to another.")
@operator_option
@output_option("text", "markdown", "csv", "json", "yaml")
@input_options
def command(given: Input, by: str, only: tuple[str, str] | None, output: str) -> int:
    """Print who can reach whom, on which ports, and what decides it.

    Rows send, columns receive. Each cell is about all new connections between two parties, and counts the pairs of pods
    with each outcome. Besides the pods that were read there are the other addresses of each remote cluster, `cluster ID`,
    those of this cluster's nodes, `the nodes`, and those that belong to no cluster, `the world`. Pods that no rule tells apart are asked about once.

    Exits with 0, or 3 if an object could not be read or a verdict may change once more is known.
    """
    session = Session.open(given)
    report.problems(session.reading)
    found = _PARTIES[by](session.solve_verified, session.reading.base)
    if only is not None:
        for name in only:
            if name not in found.parties:
                raise click.UsageError(f"--only {name!r}: there is no such party; parties: {', '.join(found.parties)}")
    derived = matrix(session.solve_verified, session.reading.base, found.parties, only)
    report.without_address(found.without_address)
    # Each form is imported with its use.
    if output == "text":
        from liqo_connectivity.operator.explain.text.matrix import LEGEND, matrix_lines

        click.echo("\n".join([*matrix_lines(derived, found.labels), "", *wrap(LEGEND, _WIDTH)]))
    elif output in ("markdown", "csv"):
        from liqo_connectivity.operator.explain.text.matrix_tables import csv_text, markdown_lines

        click.echo(csv_text(derived) if output == "csv" else "\n".join(markdown_lines(derived, found.labels)))
    else:
        from liqo_connectivity.operator.explain.document.matrix import matrix_document
        from liqo_connectivity.operator.explain.document.output import echo_document

        echo_document(matrix_document(derived, by, found.parties, found.without_address), output)
    unknown = any(not outcome.decision.is_certain for cell in derived.cells for outcome in cell.outcomes)
    return exits.UNKNOWN if unknown or session.reading.problems else exits.OK
