"""The stored FirewallConfigurations as the reconcilers see them: in the state, or read where that may be wrong."""

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import FIREWALL, StoredFirewall
from liqo_connectivity.operator.controller.state.state import Changes, State
from liqo_connectivity.operator.controller.writing.firewall_writer import read_firewall
from liqo_connectivity.operator.controller.writing.object_client import ObjectClient


class Recorder:
    """Takes what the API server answered over into the state, and keeps what that changed: ``changes``."""

    def __init__(self, state: State) -> None:
        self.changes: list[Changes] = []
        self._state = state

    def stored(self, view: StoredFirewall) -> None:
        """A FirewallConfiguration is stored like this."""
        self.changes.append(self._state.record_firewall(view))

    def gone(self, key: ObjectKey) -> None:
        """A FirewallConfiguration is gone."""
        self.changes.append(self._state.apply({(FIREWALL, key): None}))


class StoredObjects:
    """Reads FirewallConfigurations; those that may have changed unseen from the API server."""

    def __init__(self, client: ObjectClient, state: State) -> None:
        self._client = client
        self._state = state
        self._unsure: set[ObjectKey] = set()

    def distrust(self, key: ObjectKey) -> None:
        """The state may be wrong about an object, as after a write of unknown outcome: read it before the next write."""
        self._unsure.add(key)

    def trust(self, key: ObjectKey) -> None:
        """The state will do for an object."""
        self._unsure.discard(key)

    def known(self, key: ObjectKey, recorder: Recorder) -> StoredFirewall | None:
        """The object from the state, or from the API server if the state may be wrong."""
        return self.read(key, recorder) if key in self._unsure else self._state.firewalls.get(key)

    def known_or_read(self, key: ObjectKey, recorder: Recorder) -> StoredFirewall | None:
        """The object from the state, or from the API server if the state may be wrong or does not have it."""
        known = self._state.firewalls.get(key)
        return known if known is not None and key not in self._unsure else self.read(key, recorder)

    def read(self, key: ObjectKey, recorder: Recorder) -> StoredFirewall | None:
        """The object from the API server; the state knows it then, if it is ours. Raises ApiError."""
        known = self._state.firewalls.get(key)
        found = read_firewall(self._client, key)
        self._unsure.discard(key)
        if found is not None and found.managed:
            recorder.stored(found)
        elif known is not None:
            recorder.gone(key)
        return found
