"""Reads and writes objects in etcd directly, past the API server that the operator uses.

A real cluster has several API servers, so another one would take these changes. Here is only one, on the cores of the
benchmark: if it took the changes too, the benchmark would measure the API server.
"""

import json
from base64 import b64decode, b64encode
from typing import Any

import urllib3


class Etcd:
    """A client of etcd's JSON gateway. Safe for use by several threads."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/v3/kv"
        self._pool = urllib3.PoolManager(maxsize=8, retries=False, timeout=30)

    def get(self, key: str) -> bytes:
        """What is stored. Raises RuntimeError if nothing is."""
        found = self._call("range", {"key": _text(key.encode())}).get("kvs")
        if not found:
            raise RuntimeError(f"etcd has no {key}")
        return b64decode(found[0]["value"])

    def put(self, key: str, value: bytes) -> None:
        """Store it. Raises RuntimeError when etcd refuses."""
        self._call("put", {"key": _text(key.encode()), "value": _text(value)})

    def delete(self, key: str) -> None:
        """Delete what is stored there, if anything is. Raises RuntimeError when etcd refuses."""
        self._call("deleterange", {"key": _text(key.encode())})

    def _call(self, what: str, body: dict[str, str]) -> dict[str, Any]:
        answer = self._pool.request("POST", f"{self._url}/{what}", body=json.dumps(body))
        if answer.status != 200:
            raise RuntimeError(f"etcd did not {what}: {answer.status} {answer.data.decode(errors='replace')}")
        return dict(json.loads(answer.data))


def _text(value: bytes) -> str:
    return b64encode(value).decode()
