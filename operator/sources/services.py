"""Services and EndpointSlices for an answer of the controller, which does not watch them: no chain needs them, except for the
EndpointSlices of the cluster's DNS.

They are read from files, or else from the cluster where that is possible. Where it is not, the facts say that they could
not be read, and the verdict on an address that may be a Service's is unknown.
"""

from collections.abc import Iterable
from typing import Final

import click

from liqo_connectivity.facts import (
    DNS_NAMESPACE,
    KIND_BY_NAME,
    KINDS,
    Collector,
    Fact,
    FixedLine,
    ObjectKey,
    Origin,
    Problem,
    Reading,
    unreadable,
)
from liqo_connectivity.operator.sources.files import read_files
from liqo_connectivity.operator.sources.input import ObjectSource
from liqo_connectivity.operator.sources.live import read_cluster

_READ: Final = {kind.name: kind for kind in KINDS if not kind.watched}
"""The kinds that are read."""
CLUSTER: Final = ObjectKey("Namespace", "", "kube-system")
"""The object whose uid tells clusters apart."""
_HELP: Final = "give Services and EndpointSlices with -f (kubectl get -A -o yaml services,endpointslices)"


def add_services(collector: Collector, source: ObjectSource, cluster: str) -> None:
    """Add the Services and EndpointSlices of a source to facts of the cluster whose ``kube-system`` has this uid.

    Prints a note if the cluster could not be asked, or if files hold other objects. Raises click.UsageError for objects of another
    cluster, and for a path, kubeconfig or context that is named and of no use.
    """
    if source.files:
        reading = read_files(source.files, assume_complete=True)
        if "Service" in reading.absent and not (reading.problems or source.assume_complete):
            raise click.UsageError(f"the files hold no Service; beside --operator, {_HELP}")
        _add_files(collector, reading, cluster)
        return
    named = {"Namespace": CLUSTER.name}
    try:
        kinds = (*_READ.values(), KIND_BY_NAME["Namespace"])
        reading = read_cluster(source.kubeconfig, source.context, kinds, named, _HELP)
        _check_cluster(reading, cluster, "--kubeconfig and --context name the right one")
    except click.UsageError as error:
        if source.kubeconfig or source.context:
            raise
        problems = [Problem(kind=kind, message=f"cannot be listed: {error.message}") for kind in _READ]
    else:
        problems = [problem._replace(help=_HELP) for problem in reading.problems if problem.kind in _READ]
        _add(collector, reading, problems)
    for problem in problems:
        key, fact = unreadable(problem)
        collector.add_facts(key, (fact,), Origin("", FixedLine(0)))
    if problems:
        click.echo(f"note: not all Services are known: {problems[0]}", err=True)


def _add_files(collector: Collector, reading: Reading, cluster: str) -> None:
    _check_cluster(reading, cluster, "give the files of the cluster of the controller")
    problems = [problem for problem in reading.problems if problem.kind in _READ or not problem.kind]
    _add(collector, reading, problems)
    for problem in problems:
        collector.add_problem(problem)
    others = ", ".join(f"{count} {kind}" for kind, count in reading.objects.items() if kind not in _READ)
    if others:
        click.echo(f"note: passed over, because the controller has them: {others}", err=True)


def _add(collector: Collector, reading: Reading, problems: Iterable[Problem]) -> None:
    """Add what could be read and the controller does not know: the EndpointSlices of the DNS decide as it sees them."""
    broken = {unreadable(problem)[0] for problem in problems}
    for key in reading.base.keys() - broken:
        facts = reading.base.facts_of(key)
        if key.kind in _READ and not _is_watched(key, facts):
            collector.add_facts(key, facts, Origin("", FixedLine(0)))


def _is_watched(key: ObjectKey, facts: Iterable[Fact]) -> bool:
    return key.namespace == DNS_NAMESPACE and any(fact.relation == "endpoint_slice_dns" for fact in facts)


def _check_cluster(reading: Reading, cluster: str, help_text: str) -> None:
    own = reading.base.facts_of(CLUSTER)
    uid = own[0].source.uid if own else ""
    if uid and cluster and uid != cluster:
        message = "the Services are of another cluster than the controller: Namespace kube-system has another uid"
        raise click.UsageError(f"{message}; {help_text}")
