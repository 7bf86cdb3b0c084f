"""What the writes need of the API server's client, and the paths of the objects that they write."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Final, Protocol
from urllib.parse import quote as _quote

from liqo_connectivity.facts import KIND_BY_NAME, ObjectKey
from liqo_connectivity.operator.controller.objects.stored import POLICY
from liqo_connectivity.operator.kube.response import Json

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_MAX_NAME: Final = 253
FIREWALL_API: Final = "networking.liqo.io/v1beta1"
POLICY_API: Final = KIND_BY_NAME[POLICY].api_version

quote: Final = partial(_quote, safe="")
"""A name as a part of a path: names come from labels and annotations, which anyone may have written."""


class ObjectClient(Protocol):
    """The part of ``RestClient`` that the writes use, which describes its methods. They raise ApiError."""

    def get(self, path: str) -> Json:
        """Get an object."""
        ...

    def apply(self, path: str, body: Mapping[str, object] | bytes, *, force: bool, partial: bool = False) -> Json:
        """Apply fields of an object."""
        ...

    def create(self, path: str, body: Mapping[str, object]) -> Json:
        """Create an object."""
        ...

    def replace(self, path: str, body: Mapping[str, object]) -> Json:
        """Replace an object."""
        ...

    def delete(self, path: str, *, uid: str, resource_version: str | None = None) -> Json:
        """Delete an object."""
        ...


def is_name(text: str) -> bool:
    """Whether an object can have this name (RFC 1123 subdomain). Of a text that it cannot have, no path is made.

    >>> is_name("milan-connectivity"), is_name("../secrets"), is_name("guard?watch=true"), is_name("a..b")
    (True, False, False, False)
    """
    return len(text) <= _MAX_NAME and _NAME.fullmatch(text) is not None


def firewall_path(key: ObjectKey) -> str:
    """The path of a FirewallConfiguration."""
    return f"/apis/{FIREWALL_API}/namespaces/{quote(key.namespace)}/firewallconfigurations/{quote(key.name)}"


def policy_path(key: ObjectKey) -> str:
    """The path of a PeeringConnectivity."""
    return f"/apis/{POLICY_API}/namespaces/{quote(key.namespace)}/{KIND_BY_NAME[POLICY].plural}/{quote(key.name)}"


def events_path(namespace: str) -> str:
    """The path of the Events of a namespace."""
    return f"/apis/events.k8s.io/v1/namespaces/{quote(namespace)}/events"


def identity(api_version: str, kind: str, key: ObjectKey, **guards: str) -> dict[str, object]:
    """The begin of a body: which object, and guards such as its uid."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": key.name, "namespace": key.namespace, **{k: v for k, v in guards.items() if v}},
    }
