"""``rules show`` and ``rules graph``: the policy program, and which relation is derived from which.

This module must not know what any rule means.
"""

import shutil
import subprocess

import click

from liqo_connectivity.engine import Program
from liqo_connectivity.engine.program.stratification import dependency_graph
from liqo_connectivity.engine.syntax.nodes import Aggregate, Clause, RelationDeclaration
from liqo_connectivity.engine.syntax.printer import format_statement
from liqo_connectivity.operator.commands import exits
from liqo_connectivity.operator.commands.options import output_option
from liqo_connectivity.operator.sources.inputs import load_rules

_RULES = click.option(
    "--rules", multiple=True, metavar="FILE", help="Datalog rules to add to the built-in ones. Repeatable."
)


@click.group("rules")
def command() -> None:
    """Show the policy program: its rules, and what depends on what."""


@command.command("show", epilog="\b\nExamples:\n  liqo-connectivity rules show\n  liqo-connectivity rules show member")
@click.argument("relation", required=False)
@_RULES
def show(relation: str | None, rules: tuple[str, ...]) -> int:
    """Print the program, or one RELATION: its declaration and the rules that derive it."""
    program = load_rules(rules)
    if relation is not None and relation not in program.schema.relations:
        raise click.UsageError(f"there is no relation {relation!r}; `rules graph` lists them")
    for statement in program.statements:
        if relation is None or _concerns(statement, relation):
            click.echo(format_statement(statement))
    return exits.OK


def _concerns(statement: object, relation: str) -> bool:
    match statement:
        case RelationDeclaration(name=name):
            return name == relation
        case Clause(heads=heads):
            return any(head.relation == relation for head in heads)
        case _:
            return False


@command.command(
    "graph", epilog="\b\nExamples:\n  liqo-connectivity rules graph\n  liqo-connectivity rules graph -o svg > rules.svg"
)
@_RULES
@output_option("text", "dot", "svg")
def graph(rules: tuple[str, ...], output: str) -> int:
    """Print the relations by stratum: as text, as a Graphviz graph (dot), or drawn (svg, which needs Graphviz)."""
    program = load_rules(rules)
    if output == "text":
        _print_strata(program)
        return exits.OK
    dot = _dot(program)
    if output == "dot":
        click.echo(dot, nl=False)
        return exits.OK
    renderer = shutil.which("dot")
    if renderer is None:
        raise click.UsageError("-o svg needs Graphviz's dot on the PATH; -o dot does not")
    drawn = subprocess.run([renderer, "-Tsvg"], input=dot, text=True, capture_output=True, check=True)  # noqa: S603
    click.echo(drawn.stdout, nl=False)
    return exits.OK


def _print_strata(program: Program) -> None:
    derived = {name: c.stratum for c in program.components for name in c.relations}
    given = [name for name in program.schema.relations if name not in derived]
    click.echo(f"facts: {', '.join(given)}")
    for stratum in range(max(derived.values(), default=-1) + 1):
        names = [name for name in program.schema.relations if derived.get(name) == stratum]
        click.echo(f"stratum {stratum}: {', '.join(names)}")


def _dot(program: Program) -> str:
    edges = dependency_graph(program.rules)
    strata = {name: c.stratum for c in program.components for name in c.relations}
    # Graphviz up to 2.43 loses edges of graphs like this one where ranks are made within each cluster.
    lines = ["digraph rules {", "  rankdir=BT; newrank=true;", '  node [shape=box, fontname="monospace"];']
    for stratum in range(max(strata.values(), default=-1) + 1):
        names = " ".join(f'"{name}";' for name in sorted(strata) if strata[name] == stratum)
        lines.append(f'  subgraph cluster_{stratum} {{ label="stratum {stratum}"; {names} }}')
    for source, target in sorted(edges.edges):
        whole = edges.edges[source, target]["whole"]
        label = whole.kind if isinstance(whole, Aggregate) else "not"
        style = f" [style=dashed, label={label}]" if whole else ""
        lines.append(f'  "{source}" -> "{target}"{style};')
    return "\n".join([*lines, "}"]) + "\n"
