"""Kubernetes Events about policies, few: one when Ready changes, one when a deletion is overdue.

The name of an Event is a hash of its text, so that the same text is stored once in the hour that Events live.
"""

import logging
from collections.abc import Callable
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
"""Characters of a note that the API server accepts."""
_INSTANCE: Final = 128
"""The same for the reporting instance."""
_NAME: Final = 230
"""Characters of the policy's name that fit into an Event's name beside the hash."""


class EventRecorder:
    """Records events about policies. ``wall`` is the clock that they show, ``instance`` names this process."""

    def __init__(self, client: ObjectClient, wall: Callable[[], datetime], instance: str) -> None:
        self._client = client
        self._wall = wall
        self._instance = instance[:_INSTANCE]

    def record(self, policy: StoredPolicy, severity: Severity, reason: str, note: str) -> None:
        """Store an event; one that cannot be stored is logged. Raises NotLeading."""
        namespace, name = policy.key.namespace, policy.key.name
        text = f"{policy.uid}\n{severity}\n{reason}\n{note}"
        body = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": f"{name[:_NAME]}.{sha256(text.encode()).hexdigest()[:16]}", "namespace": namespace},
            "eventTime": self._wall().isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "reportingController": f"security.liqo.io/{MANAGER}",
            "reportingInstance": self._instance,
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
            self._client.create(events_path(namespace), body)
        except NotLeading:
            raise
        except Conflict:
            # It is stored already.
            return
        except ApiError as error:
            _LOG.warning("Event was not stored", extra=fields(namespace=namespace, name=name, error=str(error)))
