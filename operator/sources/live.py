"""The live cluster, listed once, for commands without ``-f``.

A kind without a CRD has no objects. A kind that cannot be listed is unreadable, and so is what depends on it.
"""

from collections.abc import Iterable, Mapping
from typing import Final, cast

import click

from liqo_connectivity.facts import FIREWALL_CRD, KINDS, Collector, Edits, FixedLine, Kind, Origin, Problem, Reading
from liqo_connectivity.operator.kube.connection import NotConfigured, connect
from liqo_connectivity.operator.kube.errors import ApiError, Forbidden, NotFound, Unreachable
from liqo_connectivity.operator.kube.rest_client import NO_ANSWER, RestClient
from liqo_connectivity.operator.sources.input import FIREWALLS

PAGE: Final = 500
"""Objects for each request; kubectl uses the same number."""
TIMEOUT: Final = 60.0
"""Seconds, for each request."""


_SINGLE: Final = {"CustomResourceDefinition": FIREWALL_CRD}
"""The name of the one object that is read of a kind: listing all definitions would read megabytes."""
KEPT: Final = {FIREWALLS: "/apis/networking.liqo.io/v1beta1/firewallconfigurations"}
"""The paths of kinds that no rule reads, each as ``group/name``."""


def read_cluster(
    kubeconfig: str,
    context: str,
    kinds: Iterable[Kind] = KINDS,
    single: Mapping[str, str] = _SINGLE,
    instead: str = "-f reads files instead",
    keep: Iterable[str] = (),
    edits: Edits | None = None,
) -> Reading:
    """List the objects of some kinds, by default of every kind that rules read; of those in ``single``, get the named one.

    ``instead`` says what to do without a cluster. The objects of the kinds in ``keep``, a choice of KEPT, are listed as well
    and kept as they are. ``edits`` are those of Collector.

    Raises click.UsageError if no cluster is configured, or its API server does not answer or refuses the credentials.
    """
    answers: list[str] = []
    try:
        api = RestClient(
            connect(kubeconfig, context), deadline=TIMEOUT, observe=lambda _method, _host, code, _: answers.append(code)
        )
    except NotConfigured as error:
        raise click.UsageError(f"{error}; {instead}") from None
    keep = tuple(keep)
    collector = Collector(keep, edits)
    # Objects of a live cluster have no lines.
    origin = Origin("", FixedLine(0))
    paths = [(kind.name, _path(kind)) for kind in kinds] + [(kind, KEPT[kind]) for kind in keep]
    for kind, path in paths:
        try:
            for document in _documents(api, path, single.get(kind)):
                collector.add_document(document, origin)
        except NotFound:
            # The kind has no CRD, or Liqo is not installed.
            continue
        except ApiError as error:
            # One error for one cause, which holds for all kinds.
            if isinstance(error, Unreachable) and {*answers} == {NO_ANSWER}:
                raise click.UsageError(f"the API server does not answer: {error}; {instead}") from None
            if isinstance(error, Forbidden) and error.status == 401:
                raise click.UsageError(f"the API server refuses the credentials: {error}") from None
            message = f"cannot be listed: {error}"
            hint = "check the cluster and your permission to list it"
            collector.add_problem(Problem(kind=kind.rpartition("/")[2], message=message, help=hint))
    return collector.reading()


def _path(kind: Kind) -> str:
    prefix = f"/apis/{kind.group}" if kind.group else "/api"
    return f"{prefix}/{kind.version}/{kind.plural}"


def _documents(api: RestClient, path: str, name: str | None) -> list[object]:
    if name is not None:
        return [api.get(f"{path}/{name}")]
    pages: list[object] = []
    query = [("limit", str(PAGE))]
    while True:
        page = api.get(path, query)
        # Items of a list have neither kind nor apiVersion: both come from the list.
        # The pages are read to the last one, so what they say about further ones is left out.
        pages.append({**page, "metadata": {}})
        metadata = cast("dict[str, object]", page.get("metadata") or {})
        token = metadata.get("continue")
        if not token:
            return pages
        query = [("limit", str(PAGE)), ("continue", str(token))]
