"""An API server in memory, as much of it as the control loop writes to. It knows no schema and refuses nothing."""

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from liqo_connectivity.operator.kube.errors import Conflict, NotFound
from liqo_connectivity.operator.kube.response import Json


class MemoryApi:
    """The objects by path; each write makes the next resourceVersion, and one of a spec the next generation."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, Any]] = {}
        self._version = 100

    def get(self, path: str) -> Json:
        if path not in self.stored:
            raise NotFound(404, "NotFound", path)
        return deepcopy(self.stored[path])

    def apply(self, path: str, body: Mapping[str, object] | bytes, *, force: bool, partial: bool = False) -> Json:
        sent: dict[str, Any] = json.loads(body) if isinstance(body, bytes) else json.loads(json.dumps(body))
        target = path.removesuffix("/status")
        self._guard(target, sent["metadata"].get("uid"), sent["metadata"].get("resourceVersion"))
        known = self.stored.get(target, {"metadata": {"uid": f"uid-{self._version}", "generation": 0}})
        metadata = {**known["metadata"], **{k: v for k, v in sent["metadata"].items() if k != "uid"}}
        changed = "spec" in sent and sent["spec"] != known.get("spec")
        self._version += 1
        metadata |= {"resourceVersion": str(self._version), "generation": metadata["generation"] + changed}
        self.stored[target] = {**known, **sent, "metadata": metadata}
        return self.get(target)

    def create(self, path: str, body: Mapping[str, object]) -> Json:
        return self.apply(f"{path}/{len(self.stored)}", body, force=True)

    def replace(self, path: str, body: Mapping[str, object]) -> Json:
        return self.apply(path, body, force=True)

    def delete(self, path: str, *, uid: str, resource_version: str | None = None) -> Json:
        self._guard(path, uid, resource_version)
        return self.stored.pop(path)

    def _guard(self, path: str, uid: str | None, version: str | None) -> None:
        """A resourceVersion alone creates an object that is not there."""
        found = self.stored.get(path)
        have = found["metadata"] if found is not None else {}
        if uid not in (None, have.get("uid")) or (found is not None and version not in (None, have["resourceVersion"])):
            raise Conflict(409, "Conflict", f"{path} has changed")
