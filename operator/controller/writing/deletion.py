"""Deletes a FirewallConfiguration: empties it, so that Liqo's agents remove its chains, and deletes it once they have.

If it were deleted at once, an agent that is down or slow would keep the table forever. After a timeout the next step is
taken anyway. Every step follows from what is stored, so that a controller that starts in the middle continues from there.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final, cast

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.agent_reports import ConditionState, summarize
from liqo_connectivity.operator.controller.objects.stored import (
    FIREWALL,
    Agent,
    StoredFirewall,
    digest,
    rules_digest,
    stored_firewall,
)
from liqo_connectivity.operator.controller.writing.firewall_body import marks
from liqo_connectivity.operator.controller.writing.object_client import (
    FIREWALL_API,
    ObjectClient,
    firewall_path,
    identity,
)
from liqo_connectivity.operator.kube.errors import NotFound
from liqo_connectivity.operator.kube.response import Json

DONE: Final = ("Enforced", "NoAgents")
"""Reasons of a summary that leave nothing to wait for."""


@dataclass(slots=True)
class _Progress:
    uid: str
    emptied: float | None = None
    good: float | None = None
    deleted: float | None = None


@dataclass(frozen=True, slots=True)
class DeletionStep:
    """The outcome of a step: the object afterwards, None if it is gone, and in how many seconds to take the next step.

    ``overdue`` says which wait exceeded its timeout, empty for none.
    """

    stored: StoredFirewall | None
    wait: float
    overdue: str = ""


class FirewallDeleter:
    """Deletes objects step by step. Reports must be good for ``settle`` seconds; no wait exceeds ``timeout`` seconds."""

    def __init__(self, client: ObjectClient, settle: float, timeout: float) -> None:
        self._client = client
        self._settle = settle
        self._timeout = timeout
        self._progress: dict[ObjectKey, _Progress] = {}

    def step(self, stored: StoredFirewall, agents: Collection[Agent], now: float, *, drain: bool) -> DeletionStep:
        """Take the next step to delete an object. Raises ApiError: then take the step again."""
        progress = self._progress.get(stored.key)
        if progress is None or progress.uid != stored.uid:
            progress = self._progress[stored.key] = _Progress(stored.uid)
        if stored.deleting:
            return self._await_end(stored, progress, now)
        drain = drain and not stored.inert
        if drain and not stored.empty:
            return self._empty(stored, progress, agents, now)
        if drain:
            wait, overdue = self._await_agents(stored, progress, agents, now)
            if wait > 0:
                return DeletionStep(stored, wait)
        else:
            overdue = ""
        return replace(self._delete(stored, progress, now), overdue=overdue)

    def has_given_up(self, key: ObjectKey, now: float) -> bool:
        """Whether an object has been marked for deletion for so long that nothing should wait for it any more."""
        progress = self._progress.get(key)
        return progress is not None and progress.deleted is not None and now - progress.deleted >= self._timeout

    def forget(self, key: ObjectKey) -> None:
        """Forget an object that is gone, or that stays after all."""
        self._progress.pop(key, None)

    def _empty(
        self, stored: StoredFirewall, progress: _Progress, agents: Collection[Agent], now: float
    ) -> DeletionStep:
        live = _get(self._client, stored.key)
        if live is None:
            return DeletionStep(None, 0.0)
        view = stored_firewall(live)
        if view.uid != stored.uid or view.deleting or view.empty or not view.managed:
            return DeletionStep(view, 0.0)
        body = identity(FIREWALL_API, FIREWALL, view.key, uid=view.uid, resourceVersion=view.resource_version)
        body["spec"] = _emptied(live)
        metadata = cast("Json", body["metadata"])
        metadata["labels"], metadata["annotations"] = marks(live)
        made = stored_firewall(self._client.apply(firewall_path(view.key), body, force=True, partial=True))
        progress.emptied = now
        progress.good = now if summarize(agents, view.hosts).reason in DONE else None
        after = replace(
            view,
            resource_version=made.resource_version,
            generation=made.generation,
            digest=digest(body["spec"]),
            rules=rules_digest(body["spec"]),
            empty=True,
        )
        return DeletionStep(after, self._settle)

    def _await_agents(
        self, stored: StoredFirewall, progress: _Progress, agents: Collection[Agent], now: float
    ) -> tuple[float, str]:
        """How many seconds to wait for agents, and which wait exceeded its timeout."""
        if progress.emptied is None:
            progress.emptied = now
        report: ConditionState = summarize(agents, stored.hosts)
        if report.reason not in DONE:
            progress.good = None
            left = progress.emptied + self._timeout - now
            return left, "" if left > 0 else f"it was deleted before every agent removed the chain: {report.message}"
        if progress.good is None:
            progress.good = now
        # The reports may still be about the chain before.
        return max(progress.good, progress.emptied) + self._settle - now, ""

    def _delete(self, stored: StoredFirewall, progress: _Progress, now: float) -> DeletionStep:
        try:
            self._client.delete(firewall_path(stored.key), uid=stored.uid, resource_version=stored.resource_version)
        except NotFound:
            return DeletionStep(None, 0.0)
        progress.deleted = now
        return DeletionStep(replace(stored, deleting=True), self._timeout)

    def _await_end(self, stored: StoredFirewall, progress: _Progress, now: float) -> DeletionStep:
        if progress.deleted is None:
            progress.deleted = now
        left = progress.deleted + self._timeout - now
        overdue = "" if left > 0 else "it is marked for deletion, but a finalizer of Liqo's agents still holds it"
        return DeletionStep(stored, max(left, 0.0) if left > 0 else self._timeout, overdue)


def _get(client: ObjectClient, key: ObjectKey) -> Json | None:
    try:
        return client.get(firewall_path(key))
    except NotFound:
        return None


def _emptied(live: Json) -> Json:
    """The spec without chains and sets; name and family stay because Liqo's webhook and CRD require them."""
    table = cast("Json", cast("Json", live["spec"])["table"])
    kept: Json = {name: table[name] for name in ("name", "family") if name in table}
    # Only if it is there: an older CRD does not have the field.
    return {"table": {**kept, "chains": [], **({"sets": []} if "sets" in table else {})}}
