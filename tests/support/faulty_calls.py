"""A client between the controller and the API server that fails on purpose."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from liqo_connectivity.operator.kube.response import Json
from liqo_connectivity.operator.kube.rest_client import RestClient

Fault = Callable[[str, str, Callable[[], Json]], Json]
"""Given the method, the path and what would do it: does it, or something else, or raises."""


class FaultyCalls:
    """The calls of a ``RestClient``, each passed to a fault first; ``done`` lists method and path of every call."""

    def __init__(self, api: RestClient, fault: Fault = lambda method, path, go: go()) -> None:
        self.fault = fault
        self.done: list[tuple[str, str]] = []
        self.change: Callable[[dict[str, Any]], None] = lambda body: None
        self._api = api

    def _go(self, method: str, path: str, go: Callable[[], Json]) -> Json:
        self.done.append((method, path))
        return self.fault(method, path, go)

    def get(self, path: str) -> Json:
        return self._go("get", path, lambda: self._api.get(path))

    def apply(self, path: str, body: Mapping[str, object] | bytes, *, force: bool, partial: bool = False) -> Json:
        sent = json.loads(body) if isinstance(body, bytes) else dict(body)
        self.change(sent)
        return self._go("apply", path, lambda: self._api.apply(path, sent, force=force, partial=partial))

    def create(self, path: str, body: Mapping[str, object]) -> Json:
        return self._go("create", path, lambda: self._api.create(path, body))

    def replace(self, path: str, body: Mapping[str, object]) -> Json:
        return self._go("replace", path, lambda: self._api.replace(path, body))

    def delete(self, path: str, *, uid: str, resource_version: str | None = None) -> Json:
        return self._go("delete", path, lambda: self._api.delete(path, uid=uid, resource_version=resource_version))

    def writes(self, path: str) -> list[str]:
        """The methods of the writes to a path."""
        return [method for method, at in self.done if at == path and method != "get"]


def failing(error: Exception, *, method: str, part: str, times: int = 1, after: bool = False) -> Fault:
    """A fault of the first calls of a method to paths that contain a part: an error instead of it, or after it."""
    left = [times]

    def fault(asked: str, path: str, go: Callable[[], Json]) -> Json:
        if asked == method and part in path and left[0]:
            left[0] -= 1
            if after:
                go()
            raise error
        return go()

    return fault
