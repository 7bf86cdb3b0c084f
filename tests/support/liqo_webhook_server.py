"""Liqo's validating webhook where the API server asks it: over HTTPS, before a FirewallConfiguration is stored.

The rules are those of ``liqo_webhook``; this only carries a review to them and their answer back. It can deny
everything, and it can be down, which with Liqo's failurePolicy Fail denies everything too.
"""

import base64
import json
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from tests.support.api_client import ApiError, Object
from tests.support.control_plane import ControlPlane
from tests.support.liqo_webhook import DeniedError, admit
from tests.support.waiting import eventually

NAME = "firewallconfiguration.validate.liqo.io"
COLLECTION = "/apis/networking.liqo.io/v1beta1/firewallconfigurations"


class WebhookServer:
    """The webhook of one control plane, which must serve FirewallConfigurations; installed while the context lasts."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        plane.authority.issue_cert("127.0.0.1").configure_cert(self._context)
        self._port = 0
        self._server: ThreadingHTTPServer | None = None
        self.refusal: str | None = None
        """Why everything is denied, if it is."""

    def __enter__(self) -> Self:
        self.up()
        self._plane.admin.apply(self._configuration())
        try:
            # The server learns of a new webhook by a watch, a moment after it stored it.
            self.refusal = "not asked yet"
            eventually(self._is_asked)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self.refusal = None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._plane.admin.delete(self._plane.admin.path(self._configuration()))
        self.down()
        # Gone only when the server knows it: until then it would deny for want of an answer.
        eventually(lambda: self._try() is None)

    def up(self) -> None:
        """Answer, at the address of before; nothing if it does."""
        if self._server is None:
            self._server = _listen(self._port, self._context, self._review)
            self._port = self._server.server_port

    def down(self) -> None:
        """Refuse connections; nothing if it does."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _is_asked(self) -> bool:
        return str(self.refusal) in str(self._try())

    def _try(self) -> ApiError | None:
        """The denial of a FirewallConfiguration that is not stored in any case."""
        probe = {
            "apiVersion": "networking.liqo.io/v1beta1",
            "kind": "FirewallConfiguration",
            "metadata": {"name": "probe", "namespace": "default"},
            "spec": {"table": {"name": "probe", "family": "IPV4"}},
        }
        try:
            self._plane.admin.create(probe, dryRun="All")
        except ApiError as error:
            return error
        return None

    def _review(self, request: Object) -> Object:
        """The response to an AdmissionReview's request."""
        reason = self.refusal or self._why_not(request["object"])
        denied = {"status": {"code": 403, "message": reason}} if reason else {}
        return {"uid": request["uid"], "allowed": not reason, **denied}

    def _why_not(self, configuration: Object) -> str | None:
        stored = [_with_labels(other) for other in self._plane.admin.list(COLLECTION)]
        sent = {key: value for key, value in _with_labels(configuration).items() if key != "status"}
        try:
            admit(sent, stored)
        except DeniedError as error:
            return str(error)
        except (KeyError, TypeError, ValueError) as error:  # of a form that the rules do not know, or no address
            return f"malformed: {error!r}"
        return None

    def _configuration(self) -> Object:
        authority = self._plane.authority.cert_pem.bytes()
        rule = {
            "operations": ["CREATE", "UPDATE"],
            "apiGroups": ["networking.liqo.io"],
            "apiVersions": ["v1beta1"],
            "resources": ["firewallconfigurations"],
        }
        webhook = {
            "name": NAME,
            "admissionReviewVersions": ["v1"],
            "clientConfig": {
                "url": f"https://127.0.0.1:{self._port}/validate/firewallconfigurations",
                "caBundle": base64.b64encode(authority).decode(),
            },
            "rules": [rule],
            "sideEffects": "None",
            "failurePolicy": "Fail",
            "objectSelector": {
                "matchExpressions": [{"key": "liqo.io/webhook-skip", "operator": "NotIn", "values": ["true"]}]
            },
        }
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": NAME},
            "webhooks": [webhook],
        }


def _with_labels(configuration: Object) -> Object:
    """The object with the labels that Go reads where there are none: an empty map."""
    metadata = configuration["metadata"]
    return {**configuration, "metadata": {**metadata, "labels": metadata.get("labels", {})}}


def _listen(port: int, context: ssl.SSLContext, review: Callable[[Object], Object]) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = {"apiVersion": asked["apiVersion"], "kind": asked["kind"], "response": review(asked["request"])}
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is http.server's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server
