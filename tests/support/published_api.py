"""An API server in memory for chains and slices, with what their definitions ask of a change, and with faults on demand."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from liqo_connectivity.operator.kube.errors import Conflict, Invalid, NotFound
from liqo_connectivity.operator.kube.response import Json


class PublishedApi:
    """The objects by path. ``fault`` is called before and after the effect of each write, and may raise; ``writes`` are their
    methods and paths, ``events`` what a watch shows of them: the type of the event, and the object.
    """

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, Any]] = {}
        self.writes: list[tuple[str, str]] = []
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.fault: Callable[[], None] = lambda: None
        self._version = 0

    def objects(self) -> list[Any]:
        """All objects."""
        return deepcopy(list(self.stored.values()))

    def get(self, path: str, query: Sequence[tuple[str, str]] = ()) -> Json:
        if not query:
            return deepcopy(self._at(path))
        wanted = dict(each.split("=") for each in dict(query)["labelSelector"].split(","))
        held = [each for at, each in sorted(self.stored.items()) if at.rpartition("/")[0] == path]
        # A list leaves out the kind of its items.
        items = [{key: deepcopy(each[key]) for key in ("metadata", "spec")} for each in held if _has(each, wanted)]
        return {"items": items}

    def create(self, path: str, body: Mapping[str, object]) -> Json:
        at = f"{path}/{_metadata(body)['name']}"
        if at in self.stored:
            raise Conflict(409, "AlreadyExists", at)
        return self._write("create", at, {**body, "metadata": {**_metadata(body), "uid": f"uid-{self._version}"}})

    def replace(self, path: str, body: Mapping[str, object]) -> Json:
        known, sent = self._at(path), _metadata(body)
        if any(known["metadata"][key] != sent[key] for key in ("uid", "resourceVersion")):
            raise Conflict(409, "Conflict", path)
        old, new = known["spec"], deepcopy(body["spec"])
        assert isinstance(new, dict)
        if new["revision"] < old["revision"] or (new["hash"] != old["hash"] and new["revision"] == old["revision"]):
            raise Invalid(422, "Invalid", f"{path}: the revision does not rise")
        return self._write("replace", path, body)

    def delete(self, path: str, *, uid: str, resource_version: str | None = None) -> Json:
        assert resource_version is None
        if self._at(path)["metadata"]["uid"] != uid:
            raise Conflict(409, "Conflict", path)
        self.fault()
        self.writes.append(("delete", path))
        gone = self.stored.pop(path)
        self.events.append(("DELETED", gone))
        self.fault()
        return gone

    def _write(self, method: str, path: str, body: Mapping[str, object]) -> Json:
        self.fault()
        self._version += 1
        made = deepcopy(dict(body))
        made["metadata"] = {**_metadata(made), "resourceVersion": str(self._version)}
        self.stored[path] = made
        self.events.append(("ADDED" if method == "create" else "MODIFIED", made))
        self.writes.append((method, path))
        self.fault()
        return deepcopy(made)

    def _at(self, path: str) -> dict[str, Any]:
        if path not in self.stored:
            raise NotFound(404, "NotFound", path)
        return self.stored[path]


def _metadata(body: Mapping[str, object]) -> dict[str, Any]:
    metadata = body["metadata"]
    assert isinstance(metadata, dict)
    return metadata


def _has(stored: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    return all(stored["metadata"]["labels"].get(name) == value for name, value in labels.items())
