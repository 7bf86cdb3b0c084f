"""The events of a recorded cluster done again to a real API server: objects are created, changed and deleted as they were.

What the server sets itself is its own (uids, versions, times), and owners are left out: their kinds are not installed.
A pod is bound as a scheduler binds it; of its spec and status only what Liqo's facts are about is kept. It must not know
what the events mean.
"""

from collections.abc import Mapping
from typing import Any

from tests.support.api_client import ApiError, Client, Object

_JSON_PATCH = "application/json-patch+json"
_KEPT = ("labels", "annotations", "finalizers")
_POD_STATUS = ("phase", "podIP", "podIPs", "reason")


class Player:
    """Plays events to one server. Namespaces that an object needs must have come before it."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def play(self, kind: str, found: Mapping[str, Any]) -> None:
        """Do what an event of type ADDED, MODIFIED or DELETED tells of an object."""
        path = self._client.path(found)
        if kind == "DELETED":
            self._delete(path)
            return
        stored = self._get(path)
        stored = self._client.create(_body(found)) if stored is None else self._change(path, stored, found)
        if found["kind"] not in ("Namespace", "Node"):
            stored = self._set_status(path, stored, found)
        if "deletionTimestamp" in found["metadata"] and "deletionTimestamp" not in stored["metadata"]:
            self._client.delete(path)

    def _change(self, path: str, stored: Object, found: Mapping[str, Any]) -> Object:
        node = found.get("spec", {}).get("nodeName")
        if found["kind"] == "Pod" and node and "nodeName" not in stored["spec"]:
            metadata = {"name": found["metadata"]["name"], "namespace": found["metadata"]["namespace"]}
            target = {"apiVersion": "v1", "kind": "Node", "name": node}
            binding = {"apiVersion": "v1", "kind": "Binding", "metadata": metadata, "target": target}
            self._client.request("POST", f"{path}/binding", binding)
            stored = self._client.get(path)
        metadata = {name: value for name, value in stored["metadata"].items() if name not in _KEPT}
        wanted = _body(found)
        body = {**stored, "metadata": {**metadata, **_kept(found)}}
        if found["kind"] not in ("Namespace", "Node", "Pod") and "spec" in wanted:
            body["spec"] = wanted["spec"]
        if _of_interest(body) != _of_interest(stored):
            stored = self._client.replace(body)
        return stored

    def _set_status(self, path: str, stored: Object, found: Mapping[str, Any]) -> Object:
        status = _status(found)
        if status and status != _status(stored):
            change = [{"op": "add", "path": "/status", "value": {**status}}]
            return self._client.patch(f"{path}/status", change, _JSON_PATCH)
        return stored

    def _delete(self, path: str) -> None:
        stored = self._get(path)
        if stored is None:
            return
        if stored["metadata"].get("finalizers"):
            self._client.patch(path, {"metadata": {"finalizers": None}})
        try:
            self._client.delete(path, gracePeriodSeconds="0")
        except ApiError as error:
            if error.status != 404:  # its finalizer was all that held it
                raise

    def _get(self, path: str) -> Object | None:
        try:
            return self._client.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise


def _kept(found: Mapping[str, Any]) -> Object:
    return {name: found["metadata"][name] for name in _KEPT if found["metadata"].get(name)}


def _body(found: Mapping[str, Any]) -> Object:
    """What is created for an object."""
    names = {name: found["metadata"][name] for name in ("name", "namespace") if name in found["metadata"]}
    body: Object = {"apiVersion": found["apiVersion"], "kind": found["kind"], "metadata": {**names, **_kept(found)}}
    spec = found.get("spec") or {}
    if found["kind"] == "Pod":
        spec = {name: spec[name] for name in ("nodeName", "hostNetwork") if name in spec}
        spec["containers"] = [{"name": "main", "image": "registry.example/app:1"}]
    if spec and found["kind"] not in ("Namespace", "Node"):
        body["spec"] = spec
    return body


def _of_interest(found: Mapping[str, Any]) -> tuple[Any, Any]:
    return _kept(found), found.get("spec")


def _status(found: Mapping[str, Any]) -> Object:
    status = found.get("status") or {}
    return {name: status[name] for name in _POD_STATUS if name in status} if found["kind"] == "Pod" else status
