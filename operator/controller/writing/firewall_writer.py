"""Writes of FirewallConfigurations: created, taken over, restored, and never touched when they are somebody else's.

Every write carries labels, annotation and spec whole, and is guarded by the uid and resourceVersion of what was read, so
that of two writers the slower one fails and reads again. Nothing is emptied here. This module must not know when or why
something is written.
"""

from dataclasses import dataclass
from typing import Final, Literal, cast

from pydantic_core import to_json

from liqo_connectivity.chains import firewall_configuration
from liqo_connectivity.facts.base.fact import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import (
    FIREWALL,
    MANAGED_BY_LABEL,
    MANAGER,
    OWNER_ANNOTATION,
    OWNER_UID_LABEL,
    StoredFirewall,
    StoredPolicy,
    stored_firewall,
)
from liqo_connectivity.operator.controller.state.desired import DesiredFirewall
from liqo_connectivity.operator.controller.writing.object_client import (
    FIREWALL_API,
    ObjectClient,
    firewall_path,
    identity,
)
from liqo_connectivity.operator.kube.errors import NotFound

Result = Literal["created", "updated", "unchanged"]

LABELS: Final = firewall_configuration.LABELS
_LABEL_PAIRS: Final = tuple(sorted(LABELS.items()))


class WriteBlocked(Exception):  # noqa: N818  it says what is the matter
    """A FirewallConfiguration that must not, or cannot, be made what is wanted; the message is for the status."""


@dataclass(frozen=True, slots=True)
class _Written:
    uid: str
    generation: int
    digest: str


def read_firewall(calls: ObjectClient, key: ObjectKey) -> StoredFirewall | None:
    """Read a FirewallConfiguration; None if there is none. Raises ApiError."""
    try:
        return stored_firewall(calls.get(firewall_path(key)))
    except NotFound:
        return None


def is_as_wanted(stored: StoredFirewall, wanted: str, owner: StoredPolicy) -> bool:
    """Whether an object has the spec of a digest, our labels and this owner."""
    return (
        stored.digest == wanted
        and stored.owner_uid == owner.uid
        and stored.owner == owner.key.name
        and stored.labels == _LABEL_PAIRS
    )


class FirewallWriter:
    """Writes objects, and remembers of each what was written, to notice when something else is stored."""

    def __init__(self, calls: ObjectClient) -> None:
        self._calls = calls
        self._written: dict[ObjectKey, _Written] = {}

    def write(
        self, wanted: DesiredFirewall, owner: StoredPolicy, stored: StoredFirewall | None
    ) -> tuple[Result, StoredFirewall]:
        """Make an object what is wanted; ``stored`` is what it is now, None if there is none.

        Gives the object as it is then. Raises WriteBlocked and ApiError; after a Conflict or Unreachable, read again.
        """
        if stored is None:
            return "created", self._apply(wanted, owner, None)
        if not stored.managed:
            raise WriteBlocked(foreign(stored.key))
        if is_as_wanted(stored, wanted.digest, owner):
            return "unchanged", stored
        self._check(stored, wanted.digest)
        return "updated", self._apply(wanted, owner, stored)

    def forget(self, key: ObjectKey) -> None:
        """An object is gone."""
        self._written.pop(key, None)

    def _check(self, stored: StoredFirewall, wanted: str) -> None:
        before = self._written.get(stored.key)
        if before == _Written(stored.uid, stored.generation, wanted) and stored.digest != wanted:
            # Next time it is written again: whatever altered it may be mended.
            del self._written[stored.key]
            raise WriteBlocked(_altered(stored.key))

    def _apply(self, wanted: DesiredFirewall, owner: StoredPolicy, stored: StoredFirewall | None) -> StoredFirewall:
        key = wanted.key
        guards = {"uid": stored.uid, "resourceVersion": stored.resource_version} if stored is not None else {}
        body = identity(FIREWALL_API, FIREWALL, key, **guards)
        metadata = cast("dict[str, object]", body["metadata"])
        metadata["labels"] = {**LABELS, OWNER_UID_LABEL: owner.uid}
        metadata["annotations"] = {OWNER_ANNOTATION: owner.key.name}
        body["spec"] = wanted.body["spec"]
        # What is stored is compared with what was sent: by the answer the first time, by the watch from then on.
        known = stored is not None and key in self._written
        # Ten thousand addresses: the standard library takes three times as long.
        answer = self._calls.apply(firewall_path(key), to_json(body), force=stored is not None, partial=known)
        made = stored_firewall(answer)
        self._written[key] = _Written(made.uid, made.generation, wanted.digest)
        if not known:
            if made.digest != wanted.digest:
                raise WriteBlocked(_altered(key))
            return made
        if stored is not None and made.generation == stored.generation and stored.digest != wanted.digest:
            del self._written[key]
            raise WriteBlocked(_altered(key))
        return _as_written(made, wanted, stored)


def foreign(key: ObjectKey) -> str:
    """Say that an object of the name that is wanted is somebody else's."""
    return (
        f"FirewallConfiguration {key.namespace}/{key.name} exists without the label "
        f"{MANAGED_BY_LABEL}={MANAGER}, so it is somebody else's and is left alone; delete it to have the policy enforced"
    )


def _altered(key: ObjectKey) -> str:
    return (
        f"FirewallConfiguration {key.namespace}/{key.name} is stored otherwise than it was sent: an admission webhook "
        "altered it, or the installed definition lacks a field"
    )


def _as_written(made: StoredFirewall, wanted: DesiredFirewall, stored: StoredFirewall | None) -> StoredFirewall:
    """The view of an answer that has metadata only."""
    return StoredFirewall(
        key=made.key,
        uid=made.uid,
        resource_version=made.resource_version,
        generation=made.generation,
        deleting=made.deleting,
        owner_uid=made.owner_uid,
        owner=made.owner,
        digest=wanted.digest,
        empty=False,
        hosts=stored.hosts if stored is not None else (),
        labels=made.labels,
    )
