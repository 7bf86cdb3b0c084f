"""Manifests as a cluster printed them, recreated in a control plane, and then given their status.

What the server sets itself is left out, and so are owners, which do not exist there. It must not know what is tested.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.support.api_client import Client, Object

_SERVERS = (
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "managedFields",
    "ownerReferences",
    "selfLink",
    "deletionTimestamp",
)


def documents(folder: Path) -> Iterator[Object]:
    """The objects of a folder, Namespaces first."""
    found: list[Any] = []
    for path in sorted(folder.glob("*.yaml")):
        found += yaml.load_all(path.read_text("utf-8"), Loader=yaml.CSafeLoader)
    yield from sorted((each for each in found if each), key=lambda each: each["kind"] != "Namespace")


def plant(client: Client, folder: Path) -> list[Object]:
    """Create the objects of a folder but its CustomResourceDefinitions; what was created, without status."""
    made: list[Object] = []
    for found in documents(folder):
        if found["kind"] == "CustomResourceDefinition":
            continue
        metadata = {name: value for name, value in found["metadata"].items() if name not in _SERVERS}
        body = {name: value for name, value in found.items() if name != "status"} | {"metadata": metadata}
        if body["kind"] == "Namespace" and metadata["name"] in ("default", "kube-system", "kube-public"):
            client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        else:
            made.append(client.create(body))
        if "status" in found and found["kind"] not in ("Namespace", "Node"):
            # No rule reads conditions, and printed ones may lack what the server wants of them.
            status = {name: value for name, value in found["status"].items() if name != "conditions"}
            client.patch_status(client.path(body), status)
    return made
