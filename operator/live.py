"""The live cluster, listed once: the only module of the command line that speaks to an API server.

Lists are paged and read as plain JSON, so that no typed model of the client stands between the server's bytes and
facts. A kind whose CRD is absent has no objects; a kind that cannot be listed is unreadable, and so is what depends on
it. This module must not know what objects mean.
"""

# The Kubernetes client declares types for hardly any of this.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

import json
from typing import Final, cast

import click
from kubernetes.client.api_client import ApiClient
from kubernetes.config import ConfigException, new_client_from_config
from urllib3.exceptions import HTTPError

from liqo_connectivity.facts import KINDS, Kind, Problem, Reading
from liqo_connectivity.facts.collect import Collector, Origin
from liqo_connectivity.facts.locate import FixedLine

PAGE: Final = 500
"""Objects for each request, as kubectl asks for."""
TIMEOUT: Final = (5.0, 60.0)
"""Seconds to connect, and to wait for bytes."""
FIREWALL_CRD: Final = "firewallconfigurations.networking.liqo.io"
"""The one CustomResourceDefinition that is read; listing all of them would read megabytes."""


class _ListError(Exception):
    """A kind cannot be listed: what the server, or the way to it, said."""


def read_cluster(kubeconfig: str, context: str) -> Reading:
    """List every kind that is read. Raises click.UsageError when no cluster is configured."""
    try:
        client = new_client_from_config(kubeconfig or None, context or None)  # type: ignore[no-untyped-call]  # theirs
    except (ConfigException, OSError) as error:
        hint = "name files with -f, or a cluster with --kubeconfig and --context"
        raise click.UsageError(f"no cluster to read: {error}; {hint}") from None
    collector = Collector()
    # Objects of a live cluster have no lines.
    origin = Origin("", FixedLine(0))
    for kind in KINDS:
        try:
            for document in _documents(client, kind):
                collector.add_document(document, origin)
        except _ListError as error:
            message = f"cannot be listed: {error}"
            hint = "check the cluster and your permission to list it"
            collector.add_problem(Problem(kind=kind.name, message=message, help=hint))
    return collector.reading()


def _documents(client: ApiClient, kind: Kind) -> list[object]:
    prefix = f"/apis/{kind.group}" if kind.group else "/api"
    path = f"{prefix}/{kind.version}/{kind.plural}"
    if kind.name == "CustomResourceDefinition":
        found = _get(client, f"{path}/{FIREWALL_CRD}", [])
        return [found] if found else []
    pages: list[object] = []
    query = [("limit", str(PAGE))]
    while True:
        page = _get(client, path, query)
        if page is None:
            return []
        # Items of a list carry neither kind nor apiVersion; the list's own kind names them.
        pages.append(page)
        metadata = cast("dict[str, object]", page.get("metadata") or {})
        token = metadata.get("continue")
        if not token:
            return pages
        query = [("limit", str(PAGE)), ("continue", str(token))]


def _get(client: ApiClient, path: str, query: list[tuple[str, str]]) -> dict[str, object] | None:
    """Get one JSON object; ``None`` if the path does not exist. Raises _ListError."""
    method, url, headers, body, posted = client.param_serialize(
        "GET", path, query_params=query, header_params={"Accept": "application/json"}, auth_settings=["BearerToken"]
    )
    try:
        response = client.call_api(method, url, headers, body, posted, _request_timeout=TIMEOUT)
        data = cast("bytes", response.read())  # type: ignore[no-untyped-call]  # theirs
    except HTTPError as error:
        raise _ListError(str(error)) from None
    status = cast("int", response.status)
    if status == 404:
        return None
    if status != 200:
        raise _ListError(f"the API server answered {status} {response.reason}")
    try:
        found: object = json.loads(data)
    except ValueError:
        raise _ListError("the API server's answer is not JSON") from None
    if not isinstance(found, dict):
        raise _ListError("the API server's answer is not an object")
    return cast("dict[str, object]", found)
