"""Writes to policies: their status, and the finalizer that keeps a policy until its FirewallConfiguration is gone."""

from typing import Final, cast

from liqo_connectivity.operator.controller.objects.stored import POLICY, Condition, Counts, StoredPolicy, stored_policy
from liqo_connectivity.operator.controller.writing.conditions import TYPES
from liqo_connectivity.operator.controller.writing.object_client import POLICY_API, ObjectClient, identity, policy_path
from liqo_connectivity.operator.kube.errors import Conflict, Invalid, NotFound
from liqo_connectivity.operator.kube.response import Json

FINALIZER: Final = "security.liqo.io/peering-connectivity"


def is_shown(policy: StoredPolicy, desired: tuple[Condition, ...]) -> bool:
    """Whether a policy shows exactly these conditions of our types, at its generation; counts do not matter."""
    shown = {condition for condition in policy.conditions if condition.type in TYPES}
    return shown == set(desired) and policy.observed_generation == policy.generation


def write_status(
    client: ObjectClient, policy: StoredPolicy, desired: tuple[Condition, ...], counts: Counts | None
) -> StoredPolicy:
    """Write the status of a policy; the policy afterwards. ``counts`` is None without a chain. Raises ApiError."""
    body = identity(POLICY_API, POLICY, policy.key, uid=policy.uid)
    body["status"] = {
        "observedGeneration": policy.generation,
        **(counts._asdict() if counts is not None else {}),
        "conditions": [
            {
                "type": condition.type,
                "status": condition.status,
                "reason": condition.reason,
                "message": condition.message,
                "observedGeneration": condition.observed_generation,
                "lastTransitionTime": condition.last_transition_time,
            }
            for condition in desired
        ],
    }
    return stored_policy(client.apply(f"{policy_path(policy.key)}/status", body, force=True))


def add_finalizer(client: ObjectClient, policy: StoredPolicy) -> StoredPolicy:
    """Add our finalizer to a policy; the policy afterwards. Raises ApiError."""
    return _apply_finalizers(client, policy, [FINALIZER])


def release(client: ObjectClient, policy: StoredPolicy) -> None:
    """Remove our finalizer from a policy, whichever manager owns it; one that is gone or replaced is fine. Raises ApiError."""
    try:
        after = _apply_finalizers(client, policy, [])
        if FINALIZER in after.finalizers and after.uid == policy.uid:
            _take_off(client, policy)
    except NotFound:
        return
    except (Conflict, Invalid):
        # A uid other than the object's is refused as invalid, because a uid cannot be changed.
        live = _get(client, policy)
        if live is not None and stored_policy(live).uid == policy.uid:
            raise


def _apply_finalizers(client: ObjectClient, policy: StoredPolicy, finalizers: list[str]) -> StoredPolicy:
    # The uid keeps this from creating a policy that is gone.
    body = identity(POLICY_API, POLICY, policy.key, uid=policy.uid)
    if finalizers:
        cast("Json", body["metadata"])["finalizers"] = finalizers
    return stored_policy(client.apply(policy_path(policy.key), body, force=True))


def _take_off(client: ObjectClient, policy: StoredPolicy) -> None:
    """Another manager owns the finalizer too, so it stays although we gave it up: replace the object without it."""
    live = _get(client, policy)
    if live is None:
        return
    metadata = cast("Json", live["metadata"])
    metadata["finalizers"] = [name for name in stored_policy(live).finalizers if name != FINALIZER]
    client.replace(policy_path(policy.key), live)


def _get(client: ObjectClient, policy: StoredPolicy) -> Json | None:
    try:
        return client.get(policy_path(policy.key))
    except NotFound:
        return None
