"""Typed views of the stored objects that the controller writes or watches: policies, FirewallConfigurations, agents.

A view holds what a decision about a write needs, and nothing that becomes a fact. Objects are read leniently: a field of
the wrong type reads as absent, because the rules decide whether a policy makes sense.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from json import dumps
from typing import Final, NamedTuple, cast

from liqo_connectivity.facts import OWNER_ANNOTATION, Fact, Labels, ObjectKey

POLICY: Final = "PeeringConnectivity"
FIREWALL: Final = "FirewallConfiguration"
AGENT: Final = "Agent"
"""The kind in the key of one of Liqo's fabric Pods, viewed as an agent; as a Pod it asserts facts under the kind Pod."""

MANAGED_BY_LABEL: Final = "app.kubernetes.io/managed-by"
MANAGER: Final = "liqo-connectivity-engine"
OWNER_UID_LABEL: Final = "security.liqo.io/owner-uid"
"""The uid of the policy that a FirewallConfiguration is written for."""

READ_LABELS: Final = (
    MANAGED_BY_LABEL,
    "networking.liqo.io/firewall-category",
    "networking.liqo.io/firewall-subcategory",
    "networking.liqo.io/firewall-unique",
)
"""The labels of a FirewallConfiguration that decide who owns it and which agents apply it (Liqo pkg/firewall/label.go)."""

TARGET_LABELS: Final = "networking.liqo.io/"
"""How the labels begin by which Liqo's agents select what they apply."""

_ENDED: Final = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of a status, as Kubernetes' ``metav1.Condition``; ``status`` is True, False or Unknown."""

    type: str
    status: str
    reason: str
    message: str
    observed_generation: int
    last_transition_time: str


class Counts(NamedTuple):
    """The size of the stored chain in a status: rules of the policy, and addresses in its sets."""

    rules: int
    members: int


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """A PeeringConnectivity: its identity, its finalizers, and the status that it shows."""

    key: ObjectKey
    uid: str
    resource_version: str
    generation: int
    finalizers: tuple[str, ...]
    deleting: bool
    conditions: tuple[Condition, ...]
    observed_generation: int
    counts: "Counts | None" = None


@dataclass(frozen=True, slots=True)
class StoredFirewall:
    """A FirewallConfiguration.

    ``digest`` is ``digest(spec)``, ``rules`` is ``rules_digest(spec)``. ``empty`` says that it has neither chains nor sets.
    ``labels`` are those of ``READ_LABELS`` that it has, sorted. ``hosts`` are what Liqo's agents report, sorted: host and
    status of each condition of type Applied.
    """

    key: ObjectKey
    uid: str
    resource_version: str
    generation: int
    deleting: bool
    owner_uid: str
    owner: str
    digest: str
    rules: str
    empty: bool
    hosts: tuple[tuple[str, str], ...]
    labels: tuple[tuple[str, str], ...]

    @property
    def managed(self) -> bool:
        """Whether this controller may write it: it carries the managed-by label."""
        return (MANAGED_BY_LABEL, MANAGER) in self.labels

    @property
    def inert(self) -> bool:
        """Whether it holds nothing, and no agent applies it or has reported to have: it is created so beside another object."""
        return self.empty and not self.hosts and not any(label.startswith(TARGET_LABELS) for label, _ in self.labels)


@dataclass(frozen=True, slots=True)
class Agent:
    """One of Liqo's fabric Pods, whose name is the host of its reports.

    ``live`` says that it has not ended and is not being deleted. ``node`` is where it runs, empty if that is not known.
    ``away`` says that it is live, but that its node or kubelet says that it is not ready.
    """

    key: ObjectKey
    live: bool
    node: str = ""
    away: bool = False


class Observed(NamedTuple):
    """An object of the cluster as the controller sees it: the facts that it asserts, and its view if it has one.

    ``labels`` are those of a Pod or a Namespace, of which policies make facts. ``whole`` is the object itself where an agent
    reads it.
    """

    facts: tuple[Fact, ...]
    stored: StoredPolicy | StoredFirewall | Agent | None = None
    labels: Labels = ()
    whole: object = None


def digest(spec: object) -> str:
    """A SHA-256 of a spec; the order of fields does not matter, that of lists does.

    A field that is null, an empty list or an empty object equals one that is absent: programs in Go leave such fields out
    when they write an object back (``omitempty``).
    """
    # Nearly all of a spec is elements, and nearly every element is one address: those are hashed as plain text.
    table = _mapping(_mapping(spec).get("table"))
    elements: dict[int, list[str]] = {}
    for number, held in enumerate(_list(table.get("sets"))):
        plain = _plain(held)
        if plain is None:
            plain = _plain(pruned(held))
        if plain is not None:
            elements[number] = plain
    return digest_with(without(spec, elements.keys()), elements)


def without(spec: object, numbers: Collection[int]) -> str:
    """A spec without the elements of the sets of these numbers, as canonical JSON."""
    if numbers:
        table = _mapping(_mapping(spec).get("table"))
        sets = [
            {**_mapping(held), "elements": None} if number in numbers else held
            for number, held in enumerate(_list(table.get("sets")))
        ]
        spec = {**_mapping(spec), "table": {**table, "sets": sets}}
    return dumps(pruned(spec), sort_keys=True, separators=(",", ":"))


def rules_digest(spec: object) -> str:
    """A SHA-256 of a spec without the elements of its sets and the name of its table: of what a policy edit changes.

    Empty fields are as absent ones, as in ``digest``.
    """
    table = _mapping(_mapping(spec).get("table"))
    sets = [{**_mapping(held), "elements": None} for held in _list(table.get("sets"))]
    kept = {**_mapping(spec), "table": {**table, "name": None, "sets": sets}}
    return sha256(dumps(pruned(kept), sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def pruned(value: object) -> object:
    """A value without the fields that are null, an empty list or an empty object; the items of a list all stay."""
    if isinstance(value, list):
        return [pruned(item) for item in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    fields = {name: pruned(found) for name, found in cast("dict[str, object]", value).items()}
    return {name: found for name, found in fields.items() if found is not None and found != [] and found != {}}


def digest_with(rest: str, elements: Mapping[int, Sequence[str]]) -> str:
    """The digest of the spec with these addresses in its sets, by number, and the ``rest`` that ``without`` returned."""
    found = sha256(rest.encode())
    for number, addresses in elements.items():
        found.update(f"\n{number} {len(addresses)}\n".encode())
        found.update("\n".join(addresses).encode())
    return found.hexdigest()


def _plain(held: object) -> list[str] | None:
    """The elements of a set if all are addresses only."""
    given = _mapping(held).get("elements")
    if given is None:
        return [] if isinstance(held, dict) else None
    if not isinstance(given, list):
        return None
    elements = cast("list[dict[str, str]]", given)
    try:
        found = [element["key"] for element in elements]
        plain = sum(map(len, elements)) == len(elements) and "\n" not in "".join(found)
    except (TypeError, KeyError):
        return None
    return found if plain else None


def stored_policy(value: object) -> StoredPolicy:
    """View a PeeringConnectivity in parsed form."""
    metadata = _mapping(_mapping(value).get("metadata"))
    status = _mapping(_mapping(value).get("status"))
    finalizers = tuple(item for item in _list(metadata.get("finalizers")) if isinstance(item, str))
    conditions = tuple(_condition(_mapping(item)) for item in _list(status.get("conditions")))
    return StoredPolicy(
        key=_key(POLICY, metadata),
        uid=_text(metadata, "uid"),
        resource_version=_text(metadata, "resourceVersion"),
        generation=_number(metadata, "generation"),
        finalizers=finalizers,
        deleting="deletionTimestamp" in metadata,
        conditions=conditions,
        observed_generation=_number(status, "observedGeneration"),
        counts=Counts(_number(status, "rules"), _number(status, "members")) if "rules" in status else None,
    )


def stored_firewall(value: object) -> StoredFirewall:
    """View a FirewallConfiguration in parsed form."""
    metadata = _mapping(_mapping(value).get("metadata"))
    labels = _mapping(metadata.get("labels"))
    spec = _mapping(_mapping(value).get("spec"))
    table = _mapping(spec.get("table"))
    reports = [_mapping(item) for item in _list(_mapping(_mapping(value).get("status")).get("conditions"))]
    # Liqo's agents write their first report with an empty type.
    applied = {(_text(report, "host"), _text(report, "status")) for report in reports if report.get("type") != "Error"}
    return StoredFirewall(
        key=_key(FIREWALL, metadata),
        uid=_text(metadata, "uid"),
        resource_version=_text(metadata, "resourceVersion"),
        generation=_number(metadata, "generation"),
        deleting="deletionTimestamp" in metadata,
        owner_uid=_text(labels, OWNER_UID_LABEL),
        owner=_text(_mapping(metadata.get("annotations")), OWNER_ANNOTATION),
        digest=digest(spec),
        rules=rules_digest(spec),
        empty=not table.get("chains") and not table.get("sets"),
        hosts=tuple(sorted(applied)),
        labels=tuple((label, _text(labels, label)) for label in sorted(READ_LABELS) if label in labels),
    )


def agent(value: object) -> Agent:
    """View a Pod of Liqo's fabric DaemonSet in parsed form."""
    metadata = _mapping(_mapping(value).get("metadata"))
    status = _mapping(_mapping(value).get("status"))
    phase = _text(status, "phase")
    conditions = map(_mapping, _list(status.get("conditions")))
    ready = next((_text(each, "status") for each in conditions if _text(each, "type") == "Ready"), "")
    return Agent(
        key=_key(AGENT, metadata),
        live="deletionTimestamp" not in metadata and phase not in _ENDED,
        node=_text(_mapping(_mapping(value).get("spec")), "nodeName"),
        away=phase == "Pending" or ready in ("False", "Unknown"),
    )


def _key(kind: str, metadata: Mapping[str, object]) -> ObjectKey:
    return ObjectKey(kind, _text(metadata, "namespace"), _text(metadata, "name"))


def _condition(value: Mapping[str, object]) -> Condition:
    return Condition(
        type=_text(value, "type"),
        status=_text(value, "status"),
        reason=_text(value, "reason"),
        message=_text(value, "message"),
        observed_generation=_number(value, "observedGeneration"),
        last_transition_time=_text(value, "lastTransitionTime"),
    )


def _mapping(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _text(value: Mapping[str, object], field: str) -> str:
    found = value.get(field)
    return found if isinstance(found, str) else ""


def _number(value: Mapping[str, object], field: str) -> int:
    found = value.get(field)
    return found if isinstance(found, int) and not isinstance(found, bool) else 0
