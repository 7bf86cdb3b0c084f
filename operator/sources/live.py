"""The live cluster, listed once, for the commands that are given no files.

Lists are paged and read as plain JSON, so that no typed model of the client stands between the server's bytes and
facts. A kind whose CRD is absent has no objects; a kind that cannot be listed is unreadable, and so is what depends on
it. This module must not know what objects mean.
"""

from typing import Final, cast

import click

from liqo_connectivity.facts import KINDS, Kind, Problem, Reading
from liqo_connectivity.facts.objects.core_objects import FIREWALL_CRD
from liqo_connectivity.facts.parsing.locators import FixedLine
from liqo_connectivity.facts.reading.collector import Collector, Origin
from liqo_connectivity.operator.kube.connection import NotConfigured, connect
from liqo_connectivity.operator.kube.errors import ApiError, NotFound
from liqo_connectivity.operator.kube.rest_client import RestClient

PAGE: Final = 500
"""Objects for each request, as kubectl asks for."""
TIMEOUT: Final = 60.0
"""Seconds for each request."""


def read_cluster(kubeconfig: str, context: str) -> Reading:
    """List every kind that is read. Raises click.UsageError when no cluster is configured."""
    try:
        api = RestClient(connect(kubeconfig, context), deadline=TIMEOUT)
    except NotConfigured as error:
        raise click.UsageError(f"no cluster to read: {error}; or name files with -f") from None
    collector = Collector()
    # Objects of a live cluster have no lines.
    origin = Origin("", FixedLine(0))
    for kind in KINDS:
        try:
            for document in _documents(api, kind):
                collector.add_document(document, origin)
        except NotFound:
            # A kind without CRD, or no Liqo at all.
            continue
        except ApiError as error:
            message = f"cannot be listed: {error}"
            hint = "check the cluster and your permission to list it"
            collector.add_problem(Problem(kind=kind.name, message=message, help=hint))
    return collector.reading()


def _documents(api: RestClient, kind: Kind) -> list[object]:
    prefix = f"/apis/{kind.group}" if kind.group else "/api"
    path = f"{prefix}/{kind.version}/{kind.plural}"
    if kind.name == "CustomResourceDefinition":
        # Listing all of them would read megabytes.
        return [api.get(f"{path}/{FIREWALL_CRD}")]
    pages: list[object] = []
    query = [("limit", str(PAGE))]
    while True:
        page = api.get(path, query)
        # Items of a list carry neither kind nor apiVersion; the list's own kind names them.
        pages.append(page)
        metadata = cast("dict[str, object]", page.get("metadata") or {})
        token = metadata.get("continue")
        if not token:
            return pages
        query = [("limit", str(PAGE)), ("continue", str(token))]
