"""The table of watched resources: where each is listed, whose CRD may be absent, and how its objects are read.

What an object asserts here is exactly what ``facts.extraction.decode`` says that it asserts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple, cast

from pydantic_core import ValidationError, from_json

from liqo_connectivity.facts import (
    DNS_APP,
    DNS_LABEL,
    DNS_NAMESPACE,
    FIREWALL_CRD,
    KIND_BY_NAME,
    Decoded,
    Kind,
    ObjectKey,
    decode_mapping,
    packed_labels,
)
from liqo_connectivity.facts.extraction.core_facts import extract_pod
from liqo_connectivity.facts.objects.core_objects import Pod
from liqo_connectivity.facts.objects.models import model, validator
from liqo_connectivity.operator.controller.objects.stored import (
    MANAGED_BY_LABEL,
    MANAGER,
    Agent,
    Observed,
    StoredFirewall,
    agent,
    stored_firewall,
    stored_policy,
)
from liqo_connectivity.operator.kube.rest_client import JSON, PARTIAL, PARTIAL_LIST

INITIAL_EVENTS_END: Final = "k8s.io/initial-events-end"
"""The annotation of the bookmark that ends a streamed list (Kubernetes' watch-list)."""


class WatchEventError(ValueError):
    """A line of a watch, or an item of a list, that is not JSON or has no key or version."""


class ObjectVersion(NamedTuple):
    """One object as a watch or a list shows it.

    ``version`` is its resourceVersion, an integer that grows with every change of any object of its kind. ``problem``
    says why it could not be read, and is empty if it could.
    """

    key: ObjectKey
    version: int
    observed: Observed
    problem: str = ""


class WatchEvent(NamedTuple):
    """A change of an object; if it is ``gone``, ``seen`` is its last state."""

    object: ObjectVersion
    gone: bool


class Bookmark(NamedTuple):
    """Only a version to continue from; ``initial`` says that the list before the watch is complete."""

    version: int
    initial: bool


class Failure(NamedTuple):
    """The API server ends the watch with an error: the code and its whole Status object."""

    code: int
    status: dict[str, object]


@dataclass(frozen=True, slots=True)
class Resource:
    """A collection of objects that is watched.

    ``name`` is its name in the change queue, in logs and metrics; ``path`` and ``query`` are those of its list, ``accept``
    and ``accept_list`` the forms that a watch and a list are asked for in. ``crd`` is the CustomResourceDefinition that
    makes it exist, empty if it always does. ``read`` sees one object in parsed form and raises WatchEventError;
    ``read_line`` is a shortcut for a line of a watch that returns None when it cannot be taken.
    """

    name: str
    path: str
    read: Callable[[object], ObjectVersion]
    query: tuple[tuple[str, str], ...] = ()
    accept: str = JSON
    accept_list: str = JSON
    crd: str = ""
    read_line: Callable[[bytes], WatchEvent | None] | None = None

    def parse(self, line: bytes) -> WatchEvent | Bookmark | Failure:
        """Read one line of a watch. Raises WatchEventError."""
        if self.read_line is not None:
            event = self.read_line(line)
            if event is not None:
                return event
        try:
            value: object = from_json(line, cache_strings="keys")
        except ValueError:
            raise WatchEventError("a line of a watch is not JSON") from None
        fields = cast("dict[str, object]", value) if isinstance(value, dict) else {}
        item = fields.get("object")
        match fields.get("type"):
            case "ADDED" | "MODIFIED":
                return WatchEvent(self.read(item), gone=False)
            case "DELETED":
                return WatchEvent(self.read(item), gone=True)
            case "BOOKMARK":
                metadata = _metadata(item)
                annotations = metadata.get("annotations")
                initial = isinstance(annotations, dict) and INITIAL_EVENTS_END in annotations
                return Bookmark(_version(metadata.get("resourceVersion")), initial)
            case "ERROR" if isinstance(item, dict):
                status = cast("dict[str, object]", item)
                code = status.get("code")
                return Failure(code if isinstance(code, int) else 0, status)
            case _:
                raise WatchEventError("a line of a watch is no event")


def resources(liqo_namespace: str) -> tuple[Resource, ...]:
    """Everything that is watched, where ``liqo_namespace`` is where Liqo's agents run."""
    agents = Resource(
        "agents",
        f"/api/v1/namespaces/{liqo_namespace}/pods",
        _read_agent,
        query=(("labelSelector", "app.kubernetes.io/name=fabric"),),
    )
    firewalls = Resource(
        "firewallconfigurations",
        "/apis/networking.liqo.io/v1beta1/firewallconfigurations",
        _read_firewall,
        query=(("labelSelector", f"{MANAGED_BY_LABEL}={MANAGER}"),),
        crd=FIREWALL_CRD,
    )
    slices = KIND_BY_NAME["EndpointSlice"]
    nameservers = Resource(
        slices.plural,
        f"/apis/{slices.group}/{slices.version}/namespaces/{DNS_NAMESPACE}/{slices.plural}",
        partial(_read, slices),
        query=(("labelSelector", f"{DNS_LABEL}={DNS_APP}"),),
    )
    return (*(_of_kind(kind) for kind in KIND_BY_NAME.values() if kind.watched), nameservers, firewalls, agents)


def _of_kind(kind: Kind) -> Resource:
    prefix = f"/apis/{kind.group}" if kind.group else "/api"
    path = f"{prefix}/{kind.version}/{kind.plural}"
    read = partial(_read, kind)
    match kind.name:
        case "Pod":
            return Resource(kind.plural, path, read, read_line=_read_pod)
        case "Namespace" | "Node":
            # Labels and annotations are all that is read of them.
            return Resource(kind.plural, path, read, accept=PARTIAL, accept_list=PARTIAL_LIST)
        case "CustomResourceDefinition":
            # All of them would be megabytes.
            return Resource(kind.plural, path, read, query=(("fieldSelector", f"metadata.name={FIREWALL_CRD}"),))
        case "PeeringConnectivity":
            return Resource(kind.plural, path, _read_policy, crd=f"{kind.plural}.{kind.group}")
        case _:
            return Resource(kind.plural, path, read, crd=f"{kind.plural}.{kind.group}")


@model
class _PodEvent:
    type: str
    object: Pod


_POD_EVENT: Final = validator(_PodEvent)


def _read_pod(line: bytes) -> WatchEvent | None:
    # Pods are most of a cluster, and only a few hundred bytes of each are needed: straight from bytes to those.
    try:
        event: _PodEvent = _POD_EVENT.validate_json(line)
    except ValidationError:
        return None
    if event.type not in ("ADDED", "MODIFIED", "DELETED"):
        return None
    pod = event.object
    facts = extract_pod(pod)
    source = facts[0].source
    observed = Observed(facts, labels=packed_labels(pod.metadata.labels))
    return WatchEvent(ObjectVersion(source.key, _version(source.resource_version), observed), event.type == "DELETED")


def _read(kind: Kind, value: object) -> ObjectVersion:
    return _seen(decode_mapping(kind, value))


def _read_policy(value: object) -> ObjectVersion:
    # One that cannot be read still has a status in which to say so.
    seen = _seen(decode_mapping(KIND_BY_NAME["PeeringConnectivity"], value))
    return seen._replace(observed=Observed(seen.observed.facts, stored_policy(value)))


def _read_firewall(value: object) -> ObjectVersion:
    return _stored(stored_firewall(value), value)


def _read_agent(value: object) -> ObjectVersion:
    return _stored(agent(value), value)


def _stored(view: StoredFirewall | Agent, value: object) -> ObjectVersion:
    if not view.key.name:
        raise WatchEventError("an object has no name")
    return ObjectVersion(view.key, _version(_metadata(value).get("resourceVersion")), Observed((), view))


def _seen(decoded: Decoded) -> ObjectVersion:
    problem = decoded.problem
    if problem is not None and not problem.name:
        raise WatchEventError(str(problem))
    if not decoded.facts:
        raise WatchEventError(f"{decoded.key} is not an object that is read")
    source = decoded.facts[0].source
    observed = Observed(decoded.facts, labels=decoded.labels)
    return ObjectVersion(decoded.key, _version(source.resource_version), observed, str(problem or ""))


def _metadata(value: object) -> dict[str, object]:
    metadata = cast("dict[str, object]", value).get("metadata") if isinstance(value, dict) else None
    return cast("dict[str, object]", metadata) if isinstance(metadata, dict) else {}


def _version(text: object) -> int:
    if not isinstance(text, str) or not text.isascii() or not text.isdecimal():
        raise WatchEventError(f"a resourceVersion is not a number: {str(text)[:60]!r}")
    return int(text)
