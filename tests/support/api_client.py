"""Requests to a real API server, with objects as plain dicts, for tests that put a cluster into a state and look at it.

It must not know how the server was started, nor what the objects mean. It repeats nothing and hides nothing: an answer
that is no success is an ApiError with the status that the server gave.
"""

import json
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

import urllib3
import yaml

Object: TypeAlias = dict[str, Any]
Objects: TypeAlias = list[Object]

JSON = "application/json"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
_TIMEOUT_SECONDS = 60


class ApiError(AssertionError):
    """The server refused. ``status`` is the HTTP code, ``reason`` Kubernetes' word (Forbidden, Invalid), or empty."""

    def __init__(self, method: str, path: str, status: int, body: bytes) -> None:
        try:
            told = json.loads(body)
        except ValueError:  # an authenticator or a readiness check answers in plain text
            told = {"message": body.decode(errors="replace")}
        self.status = status
        self.reason: str = told.get("reason", "")
        self.message: str = told.get("message", "")
        super().__init__(f"{method} {path}: {status} {self.reason}: {self.message}")


class Client:
    """One user of one API server, who is named by a kubeconfig. Thread-safe; close it when done."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.load(kubeconfig.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        [cluster], [user] = config["clusters"], config["users"]
        token = user["user"].get("token")
        self._server: str = cluster["cluster"]["server"]
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._plurals: dict[tuple[str, str], tuple[str, bool]] = {}
        self._pool = urllib3.PoolManager(
            maxsize=32,
            retries=False,
            ca_certs=cluster["cluster"]["certificate-authority"],
            cert_file=user["user"].get("client-certificate"),
            key_file=user["user"].get("client-key"),
            timeout=_TIMEOUT_SECONDS,
        )

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def get(self, path: str, **query: str | Sequence[str]) -> Object:
        """What is at the path: an object, or a list as the server gives it."""
        return self.request("GET", path, None, JSON, **query)

    def list(self, path: str, **query: str) -> Objects:
        """The objects of the collection at the path, without their apiVersion and kind, as a list carries them."""
        items: Objects = self.get(path, **query)["items"]
        return items

    def create(self, thing: Mapping[str, Any], **query: str) -> Object:
        """POST the object into the collection that its kind and namespace name; what is stored."""
        return self.request("POST", self.path(thing).rpartition("/")[0], thing, **query)

    def replace(self, thing: Mapping[str, Any], **query: str) -> Object:
        """PUT the object; what is stored."""
        return self.request("PUT", self.path(thing), thing, **query)

    def apply(self, thing: Mapping[str, Any], **query: str) -> Object:
        """Apply the object on the server, and take the fields that others own; what is stored."""
        return self.request(
            "PATCH", self.path(thing), thing, APPLY, **{"fieldManager": "test", "force": "true", **query}
        )

    def patch(self, path: str, change: object, kind: str = MERGE, **query: str) -> Object:
        """PATCH what is at the path; what is stored."""
        return self.request("PATCH", path, change, kind, **query)

    def patch_status(self, path: str, status: Mapping[str, Any]) -> Object:
        """Merge into the status of what is at the path; what is stored."""
        return self.patch(f"{path}/status", {"status": status})

    def delete(self, path: str, **query: str) -> Object:
        """DELETE what is at the path: the object, which may still wait for its finalizers, or a Status."""
        return self.request("DELETE", path, None, **query)

    def watch(self, path: str, seconds: int, **query: str) -> Generator[Object, None, None]:
        """The events of the collection for so many seconds; an event of type ERROR is an event too."""
        target = _target(path, {"watch": "true", "timeoutSeconds": str(seconds), **query})
        answer = self._pool.request(
            "GET", self._server + target, headers=self._headers, preload_content=False, timeout=seconds + 10
        )
        try:
            if answer.status != 200:
                raise ApiError("GET", target, answer.status, answer.read())
            rest = b""
            for part in answer.stream():
                *lines, rest = (rest + part).split(b"\n")
                yield from map(json.loads, lines)
        finally:
            answer.close()  # not given back: the server is still sending

    def request(self, method: str, path: str, body: object, kind: str = JSON, **query: str | Sequence[str]) -> Object:
        """One request; the decoded answer. ApiError unless the server says 2xx; urllib3's HTTPError without a server."""
        target = _target(path, query)
        headers = {**self._headers, "Content-Type": kind}
        sent = None if body is None else json.dumps(body).encode()
        answer = self._pool.request(method, self._server + target, body=sent, headers=headers)
        if not 200 <= answer.status < 300:
            raise ApiError(method, target, answer.status, answer.data)
        is_json = "json" in answer.headers.get("Content-Type", "")
        found: Object = json.loads(answer.data) if is_json else {"text": answer.data.decode()}
        return found

    def path(self, thing: Mapping[str, Any]) -> str:
        """The path of an object, by its apiVersion, kind, namespace (or ``default``) and name."""
        plural, namespaced = self._resource(thing["apiVersion"], thing["kind"])
        metadata = thing["metadata"]
        place = f"/namespaces/{metadata.get('namespace', 'default')}" if namespaced else ""
        return f"{_root(thing['apiVersion'])}{place}/{plural}/{metadata.get('name', '')}"

    def serves(self, api_version: str, kind: str) -> bool:
        """Whether the server takes objects of the kind: it is listed, and so is what is stored of it.

        For a moment after a CRD is applied its storage is being set up, and everything but discovery is refused.
        """
        try:
            plural, _ = self._resource(api_version, kind)
            self.get(f"{_root(api_version)}/{plural}", limit="1")
        except (ApiError, LookupError):
            return False
        return True

    def _resource(self, api_version: str, kind: str) -> tuple[str, bool]:
        if (api_version, kind) not in self._plurals:
            for resource in self.get(_root(api_version))["resources"]:
                if "/" not in resource["name"]:
                    self._plurals[api_version, resource["kind"]] = resource["name"], resource["namespaced"]
        return self._plurals[api_version, kind]


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _target(path: str, query: Mapping[str, str | Sequence[str]]) -> str:
    return quote(path, safe="/:") + (f"?{urlencode(query, doseq=True)}" if query else "")
