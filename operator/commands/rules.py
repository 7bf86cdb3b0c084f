"""``rules show`` and ``rules graph``: prints the policy program and the dependencies of its relations."""

import shutil
import subprocess

import click

from liqo_connectivity.engine import Clause, RelationDeclaration, format_statement
from liqo_connectivity.operator import exits
from liqo_connectivity.operator.commands.options import output_option, rules_option
from liqo_connectivity.operator.explain.dot import rules_dot
from liqo_connectivity.operator.explain.text.strata import strata_lines
from liqo_connectivity.operator.sources.rules import build_program, rule_texts


@click.group("rules")
def command() -> None:
    """Show the Datalog rules and their dependencies."""


@command.command("show", epilog="\b\nExamples:\n  liqo-connectivity rules show\n  liqo-connectivity rules show member")
@click.argument("relation", required=False)
@rules_option
def show(relation: str | None, rules: tuple[str, ...]) -> int:
    """Print the whole program, or the declaration and rules of one RELATION."""
    program = build_program(rule_texts(rules))
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
@rules_option
@output_option("text", "dot", "svg")
def graph(rules: tuple[str, ...], output: str) -> int:
    """Print the relations by stratum: as text, as a Graphviz graph (dot), or as a drawing (svg, needs Graphviz)."""
    program = build_program(rule_texts(rules))
    if output == "text":
        click.echo("\n".join(strata_lines(program)))
        return exits.OK
    dot = rules_dot(program)
    if output == "dot":
        click.echo(dot, nl=False)
        return exits.OK
    renderer = shutil.which("dot")
    if renderer is None:
        raise click.UsageError("-o svg needs Graphviz's dot on the PATH; -o dot does not")
    drawn = subprocess.run([renderer, "-Tsvg"], input=dot, text=True, capture_output=True, check=True)  # noqa: S603
    click.echo(drawn.stdout, nl=False)
    return exits.OK
