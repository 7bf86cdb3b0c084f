"""The client of the API server: raw paths and JSON, over the credentials and the transport of the official client.

The official client's typed models cost fifty times the memory of the needed fields, and its retries sleep inside a call.
Here every call has a deadline and fails once, and the caller decides what to do next.
"""

# The Kubernetes client declares types for hardly any of this.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast
from urllib.parse import quote, urlencode, urlsplit

from kubernetes.client.api_client import ApiClient
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse
from urllib3.util import Timeout

from liqo_connectivity.operator.kube.credentials import CredentialsError, authorization
from liqo_connectivity.operator.kube.errors import NotLeading, Refused, Unreachable, refusal
from liqo_connectivity.operator.kube.response import Json, Stream, describe, parse_object, read_whole

Query = Sequence[tuple[str, str]]
Observe = Callable[[str, str, str, float], None]
"""Called for every request: method, host, status code or ``NO_ANSWER``, seconds until the answer began."""
NO_ANSWER: Final = "<error>"

JSON: Final = "application/json"
PARTIAL: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""The ``Accept`` that leaves spec and status out of an object, and of each event of a watch."""
PARTIAL_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""The same for a list, for which the server refuses ``PARTIAL``."""
APPLY: Final = "application/apply-patch+yaml"
FIELD_MANAGER: Final = "liqo-connectivity-engine"
"""The name under which the API server records our fields (``metadata.managedFields``)."""
CONNECT_SECONDS: Final = 5.0


def _always() -> bool:
    return True


def _unobserved(method: str, host: str, code: str, seconds: float) -> None:
    pass


class RestClient:
    """Sends requests. Safe for use by several threads. Every method raises ApiError.

    ``deadline`` is how many seconds a call may take; a server that drips its answer can stretch it to twice that.
    ``fence`` is called before every write and says whether this process may write, ``observe`` after every request.
    """

    def __init__(
        self,
        client: ApiClient,
        *,
        deadline: float = 8.0,
        fence: Callable[[], bool] = _always,
        observe: Observe = _unobserved,
    ) -> None:
        self._client = client
        self._deadline = deadline
        self._fence = fence
        self._observe = observe
        self._url = cast("str", client.configuration.host)
        self._host = urlsplit(self._url).netloc

    def get(self, path: str, query: Query = (), *, accept: str = JSON, deadline: float | None = None) -> Json:
        """Get a JSON object."""
        return self._json("GET", path, query, accept=accept, deadline=deadline)

    def apply(self, path: str, body: Mapping[str, object] | bytes, *, force: bool, partial: bool = False) -> Json:
        """Apply our fields of an object (server-side apply); ``path`` may end in ``/status``.

        A ``body`` of bytes is JSON already. ``force`` takes over fields that others own. A uid and a resourceVersion in
        the body's metadata guard the write: Conflict if the object has changed. Give both: a resourceVersion alone creates
        an object that is gone. With ``partial`` the answer has metadata only. A field that the kind's schema lacks is
        refused (Invalid), not dropped.
        """
        query = (
            ("fieldManager", FIELD_MANAGER),
            ("fieldValidation", "Strict"),
            ("force", "true" if force else "false"),
        )
        return self._write("PATCH", path, query, body, APPLY, PARTIAL if partial else JSON, None)

    def create(self, path: str, body: Mapping[str, object], *, deadline: float | None = None) -> Json:
        """Create an object in the collection at a path; Conflict if it exists."""
        query = (("fieldManager", FIELD_MANAGER), ("fieldValidation", "Strict"))
        return self._write("POST", path, query, body, JSON, JSON, deadline)

    def replace(self, path: str, body: Mapping[str, object], *, deadline: float | None = None) -> Json:
        """Replace an object; Conflict unless the resourceVersion in the body's metadata is its current one."""
        query = (("fieldManager", FIELD_MANAGER), ("fieldValidation", "Strict"))
        return self._write("PUT", path, query, body, JSON, JSON, deadline)

    def delete(self, path: str, *, uid: str, resource_version: str | None = None) -> Json:
        """Delete the object with this uid, and this resourceVersion if one is given; Conflict if it has another."""
        preconditions = {"uid": uid} | ({"resourceVersion": resource_version} if resource_version else {})
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": preconditions}
        return self._write("DELETE", path, (), body, JSON, JSON, None)

    def stream(self, path: str, query: Query = (), *, accept: str = JSON, silence: float) -> Stream:
        """Open a watch, which counts as broken after so many seconds of silence."""
        response = self._send("GET", path, query, None, "", accept, Timeout(connect=CONNECT_SECONDS, read=silence))
        if response.status != 200:
            raise self._refusal(response, time.monotonic() + self._deadline)
        return Stream(response)

    def _write(
        self,
        method: str,
        path: str,
        query: Query,
        body: Mapping[str, object] | bytes,
        content_type: str,
        accept: str,
        deadline: float | None,
    ) -> Json:
        if not self._fence():
            raise NotLeading(f"{method} {path} was not sent: this process does not lead")
        return self._json(method, path, query, body, content_type, accept=accept, deadline=deadline)

    def _json(
        self,
        method: str,
        path: str,
        query: Query,
        body: Mapping[str, object] | bytes | None = None,
        content_type: str = "",
        *,
        accept: str,
        deadline: float | None,
    ) -> Json:
        seconds = self._deadline if deadline is None else deadline
        end = time.monotonic() + seconds
        response = self._send(method, path, query, body, content_type, accept, Timeout(total=seconds))
        if not 200 <= response.status < 300:
            raise self._refusal(response, end)
        return parse_object(read_whole(response, end))

    def _send(
        self,
        method: str,
        path: str,
        query: Query,
        body: Mapping[str, object] | bytes | None,
        content_type: str,
        accept: str,
        timeout: Timeout,
    ) -> BaseHTTPResponse:
        headers = {**self._client.default_headers, "Accept": accept}
        if content_type:
            headers["Content-Type"] = content_type
        data = json.dumps(body, separators=(",", ":")).encode() if isinstance(body, Mapping) else body
        target = f"{path}?{urlencode(query, quote_via=quote)}" if query else path
        code = NO_ANSWER
        begin = time.monotonic()
        try:
            authorized = authorization(self._client.configuration)
            if authorized:
                headers["Authorization"] = authorized
            # The client's own path to its pool walks through every parameter several times.
            response: BaseHTTPResponse = self._client.rest_client.pool_manager.urlopen(
                method, self._url + target, body=data, headers=headers, timeout=timeout, preload_content=False
            )
            code = str(response.status)
        except (HTTPError, OSError, CredentialsError) as error:
            raise Unreachable(f"{method} {path}: {describe(error)}") from None
        except ValueError as error:
            # A client key that is no text, for one. The error may hold what could not be sent.
            raise Unreachable(f"{method} {path}: the request could not be made ({type(error).__name__})") from None
        finally:
            self._observe(method, self._host, code, time.monotonic() - begin)
        return response

    def _refusal(self, response: BaseHTTPResponse, end: float) -> Refused:
        status = response.status
        try:
            answer = parse_object(read_whole(response, end))
        except Unreachable:
            answer = {}
        return refusal(status, answer, response.headers.get("Retry-After") or "", response.reason or "")
