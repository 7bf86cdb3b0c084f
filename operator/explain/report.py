"""What commands print to stderr besides their answer: problems of the input, pending policies, findings."""

from collections.abc import Iterable

import click

from liqo_connectivity.engine import Model
from liqo_connectivity.facts import Reading
from liqo_connectivity.operator.explain.findings import invalid_rules
from liqo_connectivity.operator.explain.findings import pending as pending_policies
from liqo_connectivity.operator.explain.reasons import in_namespace, sentence


def problems(reading: Reading) -> None:
    """Print every object or part of a file that could not be read, and how many objects were ignored."""
    for problem in reading.problems:
        click.echo(f"error: {problem}", err=True)
    if reading.unknown_kinds:
        counts = ", ".join(f"{count} {kind.split()[-1]}" for kind, count in reading.unknown_kinds.items())
        click.echo(f"note: ignored, because no rule reads their kinds: {counts}", err=True)


def pending(model: Model, namespace: str) -> None:
    """Print every policy without a chain and the reason; ``namespace`` selects policies unless it is empty."""
    for policy, _, line in pending_policies(model, namespace):
        click.echo(f"pending: PeeringConnectivity {policy}: {line}", err=True)
    for line in invalid_rules(model, namespace):
        click.echo(line, err=True)
    if namespace and not in_namespace(model.rows("policy"), namespace):
        click.echo(f"note: there is no policy in namespace {namespace}", err=True)


def findings(model: Model) -> None:
    """Print the findings about the cluster."""
    for code, kind, found, detail in model.rows("finding"):
        click.echo(f"warning: {sentence(str(code), kind, found, detail)}", err=True)


def endpoints(model: Model, pods: Iterable[str]) -> None:
    """Print the findings about the pods that a question names."""
    for pod in dict.fromkeys(pods):
        for code, kind, found, detail in model.rows("finding"):
            if (kind, found) == ("Pod", pod):
                click.echo(f"warning: {sentence(code, kind, found, detail)}", err=True)
        if model.contains("finished", (pod,)):
            click.echo(f"warning: Pod {pod} has finished: another Pod may have its address by now", err=True)
