"""Orphans: FirewallConfigurations of ours whose policy is gone. The API server is asked before one is deleted.

The rules derive which objects are to be removed from what the reflectors have seen. An object and its policy come from two
reflectors, and one that lags must not make an enforced chain an orphan.
"""

from typing import Final

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import (
    POLICY,
    StoredFirewall,
    StoredPolicy,
    stored_policy,
)
from liqo_connectivity.operator.controller.writing.object_client import ObjectClient, is_name, policy_path
from liqo_connectivity.operator.kube.errors import NotFound

DRAIN: Final = "drain"


def is_orphan(client: ObjectClient, stored: StoredFirewall, known: StoredPolicy | None) -> bool:
    """Whether the API server agrees that an object's policy is gone or going, or that the known policy is the current one.

    ``known`` is the policy of that name in the state. Raises ApiError.
    """
    # An annotation holds any text, and only a name may become a path.
    if not is_name(stored.owner):
        return True
    try:
        live = stored_policy(client.get(policy_path(ObjectKey(POLICY, stored.key.namespace, stored.owner))))
    except NotFound:
        return True
    return live.deleting or (known is not None and known.uid == live.uid and known.generation == live.generation)
