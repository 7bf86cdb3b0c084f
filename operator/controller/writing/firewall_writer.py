"""Writes FirewallConfigurations: creates, adopts and restores ours, and never touches somebody else's.

Every write carries labels, annotation and spec whole, and is guarded by the uid and resourceVersion that were read, so
that of two writers the slower one fails and reads again.
"""

from dataclasses import dataclass
from typing import Literal

from pydantic_core import to_json

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import (
    MANAGED_BY_LABEL,
    MANAGER,
    StoredFirewall,
    StoredPolicy,
    stored_firewall,
)
from liqo_connectivity.operator.controller.state.desired import DesiredFirewall
from liqo_connectivity.operator.controller.writing.firewall_body import firewall_body, inert_body, is_as_desired
from liqo_connectivity.operator.controller.writing.object_client import ObjectClient, firewall_path
from liqo_connectivity.operator.kube.errors import NotFound

OperationResult = Literal["created", "updated", "unchanged"]


class WriteBlocked(Exception):  # noqa: N818  it says what is the matter
    """A FirewallConfiguration must not or cannot be written as desired; the message is for the policy's status."""


@dataclass(frozen=True, slots=True)
class _Written:
    uid: str
    generation: int
    digest: str


def read_firewall(client: ObjectClient, key: ObjectKey) -> StoredFirewall | None:
    """Read a FirewallConfiguration; None if there is none. Raises ApiError."""
    try:
        return stored_firewall(client.get(firewall_path(key)))
    except NotFound:
        return None


class FirewallWriter:
    """Writes objects, and remembers what it wrote of each, to notice when something else is stored."""

    def __init__(self, client: ObjectClient) -> None:
        self._client = client
        self._written: dict[ObjectKey, _Written] = {}
        # The uid of each object and the rules that were sent to it last.
        self._sent: dict[ObjectKey, tuple[str, str]] = {}

    def write(
        self, desired: DesiredFirewall, owner: StoredPolicy, stored: StoredFirewall | None
    ) -> tuple[OperationResult, StoredFirewall]:
        """Write an object as desired; ``stored`` is the object now, None if there is none. Returns the object afterwards.

        Raises WriteBlocked and ApiError; after a Conflict or Unreachable, read again.
        """
        if stored is None:
            return "created", self._apply(desired, owner, None)
        if not stored.managed:
            raise WriteBlocked(foreign(stored.key))
        if is_as_desired(stored, desired.digest, owner):
            return "unchanged", stored
        self._check(stored, desired.digest)
        return "updated", self._apply(desired, owner, stored)

    def create_beside(self, desired: DesiredFirewall, owner: StoredPolicy) -> StoredFirewall:
        """Create an object beside another one of its peering, inert: a write has to fill it. Raises ApiError.

        Nothing can guard a creation as uid and resourceVersion guard a write. One that arrives late, from a process that does
        not lead any more, must not enforce anything.
        """
        made = self._client.apply(firewall_path(desired.key), to_json(inert_body(desired, owner)), force=False)
        return stored_firewall(made)

    def has_sent(self, rules: str, stored: StoredFirewall) -> bool:
        """Whether an object was written with these rules, so that others in it are somebody else's."""
        return self._sent.get(stored.key) == (stored.uid, rules)

    def forget(self, key: ObjectKey) -> None:
        """An object is gone."""
        self._written.pop(key, None)
        self._sent.pop(key, None)

    def _check(self, stored: StoredFirewall, desired: str) -> None:
        before = self._written.get(stored.key)
        if before == _Written(stored.uid, stored.generation, desired) and stored.digest != desired:
            # The next attempt writes again: whatever changed the object on write may be fixed.
            del self._written[stored.key]
            raise WriteBlocked(_altered(stored.key))

    def _apply(self, desired: DesiredFirewall, owner: StoredPolicy, stored: StoredFirewall | None) -> StoredFirewall:
        key = desired.key
        body = firewall_body(desired, owner, stored)
        # What is stored is compared with what was sent: by the answer the first time, by the watch from then on.
        known = stored is not None and key in self._written
        # Ten thousand addresses: the standard library takes three times as long.
        answer = self._client.apply(firewall_path(key), to_json(body), force=stored is not None, partial=known)
        made = stored_firewall(answer)
        self._written[key] = _Written(made.uid, made.generation, desired.digest)
        self._sent[key] = made.uid, desired.rules
        if not known:
            if made.digest != desired.digest:
                raise WriteBlocked(_altered(key))
            return made
        if stored is not None and made.generation == stored.generation and stored.digest != desired.digest:
            del self._written[key]
            raise WriteBlocked(_altered(key))
        return _as_written(made, desired, stored)


def foreign(key: ObjectKey) -> str:
    """Why an object that has the desired name but is not ours is left alone."""
    return (
        f"FirewallConfiguration {key.namespace}/{key.name} exists without the label "
        f"{MANAGED_BY_LABEL}={MANAGER}, so it is not ours and is left alone; delete it to have the policy enforced"
    )


def _altered(key: ObjectKey) -> str:
    return (
        f"FirewallConfiguration {key.namespace}/{key.name} was changed on write, by an admission webhook or because the "
        "installed CRD lacks a field"
    )


def _as_written(made: StoredFirewall, desired: DesiredFirewall, stored: StoredFirewall | None) -> StoredFirewall:
    """The view of an answer that has metadata only."""
    return StoredFirewall(
        key=made.key,
        uid=made.uid,
        resource_version=made.resource_version,
        generation=made.generation,
        deleting=made.deleting,
        owner_uid=made.owner_uid,
        owner=made.owner,
        digest=desired.digest,
        rules=desired.rules,
        empty=False,
        hosts=stored.hosts if stored is not None else (),
        labels=made.labels,
    )
