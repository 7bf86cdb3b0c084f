"""Events about policies, few: one when Ready changes, one when something was waited for in vain.

The name of an Event is a hash of what it says, so that what is said again within the hour that Events live is not stored
again. An Event that cannot be stored is logged and forgotten. This module must not know when something is worth one.
"""

import logging
from datetime import datetime
from hashlib import sha256
from typing import Final, Literal

from liqo_connectivity.operator.controller.logs import fields
from liqo_connectivity.operator.controller.objects.stored import MANAGER, POLICY, StoredPolicy
from liqo_connectivity.operator.controller.writing.object_client import POLICY_API, ObjectClient, events_path
from liqo_connectivity.operator.kube.errors import ApiError, Conflict, NotLeading

Severity = Literal["Normal", "Warning"]

_LOG: Final = logging.getLogger(__name__)
_NOTE: Final = 1024
"""Characters of a note that the API server takes."""
_NAME: Final = 230


def emit(
    calls: ObjectClient, policy: StoredPolicy, severity: Severity, reason: str, note: str, when: datetime, instance: str
) -> None:
    """Store an Event about a policy; ``instance`` names this process. Raises NotLeading."""
    namespace, name = policy.key.namespace, policy.key.name
    text = f"{policy.uid}\n{severity}\n{reason}\n{note}"
    body = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{name[:_NAME]}.{sha256(text.encode()).hexdigest()[:16]}", "namespace": namespace},
        "eventTime": when.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "reportingController": f"security.liqo.io/{MANAGER}",
        "reportingInstance": instance[:128],
        "action": "Reconcile",
        "reason": reason,
        "regarding": {
            "apiVersion": POLICY_API,
            "kind": POLICY,
            "namespace": namespace,
            "name": name,
            "uid": policy.uid,
        },
        "note": note[:_NOTE],
        "type": severity,
    }
    try:
        calls.create(events_path(namespace), body)
    except (NotLeading, Conflict) as error:
        if isinstance(error, NotLeading):
            raise
    except ApiError as error:
        _LOG.warning("Event was not stored", extra=fields(namespace=namespace, name=name, error=str(error)))
