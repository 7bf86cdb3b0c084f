"""What commands print to stderr besides their answer: problems of the input, pending policies, findings."""

from collections.abc import Iterable, Sequence
from typing import Final

import click

from liqo_connectivity.engine import Model
from liqo_connectivity.facts import KIND_BY_NAME, Reading
from liqo_connectivity.operator.explain.findings import invalid_rules, without_policies
from liqo_connectivity.operator.explain.findings import pending as pending_policies
from liqo_connectivity.operator.explain.reasons import folded, in_namespace, sentence

_SHOWN: Final = 3


def problems(*readings: Reading) -> None:
    """Print every object or part of a file that could not be read, and what was ignored; what holds for several once."""
    errors = [f"error: {problem}" for reading in readings for problem in reading.problems]
    notes = [note for reading in readings for note in ignored(reading)]
    for line in dict.fromkeys((*errors, *notes)):
        click.echo(line, err=True)


def ignored(reading: Reading) -> list[str]:
    """List the objects, counted by kind, and the files that were not read, because no rule reads such."""
    notes: list[str] = []
    if reading.unknown_kinds:
        # Another project may have a kind of a name that rules read, so that one is named in full.
        kinds = [(kind.split()[-1], kind, count) for kind, count in reading.unknown_kinds.items()]
        counts = ", ".join(f"{count} {full if name in KIND_BY_NAME else name}" for name, full, count in kinds)
        notes.append(f"note: ignored, because no rule reads their kinds: {counts}")
    passed = reading.passed_over
    if passed:
        more = f" and {len(passed) - _SHOWN} more" if len(passed) > _SHOWN else ""
        notes.append(f"note: passed over, because manifests have other names: {', '.join(passed[:_SHOWN])}{more}")
    if reading.logs:
        notes.append(f"note: passed over: the logs of {reading.logs} containers")
    return notes


def pending(model: Model, namespace: str) -> None:
    """Print every policy without a chain and the reason; ``namespace`` selects policies unless it is empty."""
    for policy, _, line in pending_policies(model, namespace):
        click.echo(f"pending: PeeringConnectivity {policy}: {line}", err=True)
    for note in without_policies(model):
        click.echo(note, err=True)
    for line in invalid_rules(model, namespace):
        click.echo(line, err=True)
    if namespace and not in_namespace(model.rows("policy"), namespace):
        click.echo(f"note: there is no policy in namespace {namespace}", err=True)


def findings(model: Model) -> None:
    """Print the findings about the cluster."""
    for line in folded(sentence(*row) for row in model.rows("finding")):
        click.echo(f"warning: {line}", err=True)


def endpoints(model: Model, pods: Iterable[str]) -> None:
    """Print the findings about the pods that a question names."""
    for pod in dict.fromkeys(pods):
        for code, kind, found, detail in model.rows("finding"):
            if (kind, found) == ("Pod", pod):
                click.echo(f"warning: {sentence(code, kind, found, detail)}", err=True)
        if model.contains("finished", (pod,)):
            click.echo(f"warning: Pod {pod} has finished: another Pod may have its address by now", err=True)


def without_address(pods: Sequence[str]) -> None:
    """Print the pods of which no address is known, so that nothing is said of them."""
    if pods:
        more = f" and {len(pods) - _SHOWN} more" if len(pods) > _SHOWN else ""
        click.echo(f"warning: left out, because they have no address yet: {', '.join(pods[:_SHOWN])}{more}", err=True)
