"""Orphans: FirewallConfigurations of ours whose policy is gone. Before one is taken away, the API server is asked.

Rules say which objects are to go, from what the watches told. The object and its policy come by different watches, and one
that lags must not make an enforced chain an orphan. This module must not know how objects are taken away.
"""

from collections.abc import Iterable
from typing import Final

from liqo_connectivity.engine import Row
from liqo_connectivity.facts.base.fact import ObjectKey
from liqo_connectivity.operator.controller.objects.keys import object_key
from liqo_connectivity.operator.controller.objects.stored import (
    FIREWALL,
    POLICY,
    StoredFirewall,
    StoredPolicy,
    stored_policy,
)
from liqo_connectivity.operator.controller.writing.object_client import ObjectClient, policy_path
from liqo_connectivity.operator.kube.errors import NotFound

DRAIN: Final = "drain"


def removals(rows: Iterable[Row]) -> dict[ObjectKey, str]:
    """The objects that are to go, from the tuples of ``removal``, and the manner: drain or delete."""
    return {object_key(FIREWALL, firewall): str(manner) for firewall, manner in rows}


def is_orphan(client: ObjectClient, stored: StoredFirewall, known: StoredPolicy | None) -> bool:
    """Whether the API server agrees that an object's policy is gone, going, or known for what it is.

    ``known`` is the policy of that name as the watch told of it. Raises ApiError.
    """
    if not stored.owner:
        return True
    try:
        live = stored_policy(client.get(policy_path(ObjectKey(POLICY, stored.key.namespace, stored.owner))))
    except NotFound:
        return True
    return live.deleting or (known is not None and known.uid == live.uid and known.generation == live.generation)
