"""The reconciler: what is done about one object, a FirewallConfiguration or a policy, and what came of it."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.logs import fields
from liqo_connectivity.operator.controller.objects.stored import FIREWALL
from liqo_connectivity.operator.controller.reconcile.firewall_reconciler import FirewallReconciler
from liqo_connectivity.operator.controller.reconcile.policy_reconciler import PolicyReconciler
from liqo_connectivity.operator.controller.reconcile.result import ErrorKind, Result, error_of
from liqo_connectivity.operator.controller.reconcile.stored_objects import Recorder
from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.controller.state.ownership import Ownership
from liqo_connectivity.operator.controller.state.state import Changes, State
from liqo_connectivity.operator.controller.writing.events import EventRecorder
from liqo_connectivity.operator.controller.writing.object_client import ObjectClient
from liqo_connectivity.operator.kube.errors import NotLeading

_LOG: Final = logging.getLogger(__name__)


class Reconciler:
    """Reconciles one object at a time, by its key. What may go wrong with an object is in the result."""

    def __init__(
        self,
        client: ObjectClient,
        state: State,
        ownership: Ownership,
        problems: Mapping[ObjectKey, str],
        settings: Settings,
        *,
        wall: Callable[[], datetime],
        instance: str,
    ) -> None:
        events = EventRecorder(client, wall, instance)
        self._state = state
        self._firewalls = FirewallReconciler(client, state, ownership, settings, events)
        self._policies = PolicyReconciler(client, state, self._firewalls, problems, events, wall, settings.agent_grace)

    def follow(self, changes: Changes) -> None:
        """Forget what a change of the state made out of date."""
        self._firewalls.follow(changes)
        self._policies.follow(changes)

    def reconcile(self, key: ObjectKey, now: float) -> Result:
        """Reconcile one object; ``now`` is in seconds of the work queue's clock. Raises NotLeading."""
        recorder = Recorder(self._state)
        try:
            result = self._reconcile(key, now, recorder)
        except NotLeading:
            raise
        except Exception as raised:  # noqa: BLE001  a bug that concerns one object must not stop the others
            error = error_of(raised)
            if error.kind is ErrorKind.INTERNAL:
                _LOG.exception("Reconcile failed", extra=fields(kind=key.kind, namespace=key.namespace, name=key.name))
            elif error.kind is not ErrorKind.UNENFORCEABLE and key.kind == FIREWALL:
                self._firewalls.distrust(key)
            result = Result(error=error)
        return replace(result, changes=tuple(recorder.changes))

    def _reconcile(self, key: ObjectKey, now: float, recorder: Recorder) -> Result:
        if key.kind == FIREWALL:
            return self._firewalls.reconcile(key, now, recorder)
        return self._policies.reconcile(key, now)
