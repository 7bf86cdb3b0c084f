"""What commands print on stderr besides their answer: problems of the input, pending policies, findings."""

from collections.abc import Iterable

import click

from liqo_connectivity.engine import Model
from liqo_connectivity.facts import Reading
from liqo_connectivity.operator.explain.findings import invalid_rules
from liqo_connectivity.operator.explain.reasons import in_namespace, sentence


def problems(reading: Reading) -> None:
    """Name every object or part of a file that could not be read, and count what was left alone."""
    for problem in reading.problems:
        click.echo(f"error: {problem}", err=True)
    if reading.unknown_kinds:
        counts = ", ".join(f"{count} {kind.split()[-1]}" for kind, count in reading.unknown_kinds.items())
        click.echo(f"note: left alone, since no rule reads their kinds: {counts}", err=True)


def pending(model: Model, namespace: str) -> None:
    """Name every policy without a chain of its own, and why; ``namespace`` narrows it down unless empty."""
    for policy, *why in in_namespace(model.rows("pending"), namespace):
        click.echo(f"pending: PeeringConnectivity {policy}: {sentence(*why)}", err=True)
    for line in invalid_rules(model, namespace):
        click.echo(line, err=True)
    if namespace and not in_namespace(model.rows("policy"), namespace):
        click.echo(f"note: there is no policy in namespace {namespace}", err=True)


def findings(model: Model) -> int:
    """Name what is odd about the cluster; give the number of findings."""
    rows = model.rows("finding")
    for code, kind, found, detail in rows:
        click.echo(f"warning: {sentence(str(code), kind, found, detail)}", err=True)
    return len(rows)


def endpoints(model: Model, pods: Iterable[str]) -> None:
    """Say what is odd about the pods that a question names."""
    for pod in dict.fromkeys(pods):
        for code, kind, found, detail in model.rows("finding"):
            if (kind, found) == ("Pod", pod):
                click.echo(f"warning: {sentence(code, kind, found, detail)}", err=True)
        if model.contains("finished", (pod,)):
            click.echo(f"warning: Pod {pod} has ended: its address may be another Pod's by now", err=True)
