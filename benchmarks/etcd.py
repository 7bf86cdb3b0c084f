"""Objects put into etcd, past the API server that is measured: it learns of them as of what another server stored.

A cluster has several API servers, and those that take a change do not take the operator's writes. Here is one, on the
cores that the benchmark uses: were it to take the changes too, it would be what is measured. It must not know what an
object is for.
"""

import json
from base64 import b64encode
from typing import Any

import urllib3


class Etcd:
    """A client of etcd's JSON gateway. Safe for use by several threads."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/v3/kv/put"
        self._pool = urllib3.PoolManager(maxsize=8, retries=False, timeout=30)

    def put(self, plural: str, stored: dict[str, Any]) -> None:
        """Store an object of Kubernetes' core group, in a namespace, whole. Raises RuntimeError when etcd refuses."""
        metadata = stored["metadata"]
        key = f"/registry/{plural}/{metadata['namespace']}/{metadata['name']}"
        # A server reads what is stored as JSON as it reads what it stores itself.
        body = {"key": _text(key), "value": _text(json.dumps(stored, separators=(",", ":")))}
        answer = self._pool.request("POST", self._url, body=json.dumps(body))
        if answer.status != 200:
            raise RuntimeError(f"etcd did not store {key}: {answer.status} {answer.data.decode(errors='replace')}")


def _text(value: str) -> str:
    return b64encode(value.encode()).decode()
