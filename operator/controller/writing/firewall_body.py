"""What a written FirewallConfiguration looks like: the one place for what is stored and for what ``--dry-run`` shows."""

from typing import Final

from liqo_connectivity import chains
from liqo_connectivity.facts import OWNER_ANNOTATION
from liqo_connectivity.operator.controller.objects.stored import (
    FIREWALL,
    OWNER_UID_LABEL,
    StoredFirewall,
    StoredPolicy,
)
from liqo_connectivity.operator.controller.state.desired import DesiredFirewall
from liqo_connectivity.operator.controller.writing.object_client import FIREWALL_API

LABELS: Final = chains.LABELS
"""The labels that every FirewallConfiguration of ours has; ``OWNER_UID_LABEL`` comes on top."""
_LABEL_PAIRS: Final = tuple(sorted(LABELS.items()))


def firewall_body(desired: DesiredFirewall, owner: StoredPolicy, stored: StoredFirewall | None) -> dict[str, object]:
    """The whole object to apply; ``stored`` is the object that it changes, whose uid and resourceVersion guard the write."""
    guards = {"uid": stored.uid, "resourceVersion": stored.resource_version} if stored is not None else {}
    return {
        "apiVersion": FIREWALL_API,
        "kind": FIREWALL,
        "metadata": {
            "name": desired.key.name,
            "namespace": desired.key.namespace,
            **guards,
            "labels": {**LABELS, OWNER_UID_LABEL: owner.uid},
            "annotations": {OWNER_ANNOTATION: owner.key.name},
        },
        "spec": desired.body["spec"],
    }


def is_as_desired(stored: StoredFirewall, digest: str, owner: StoredPolicy) -> bool:
    """Whether an object has the spec of a digest, our labels and this owner."""
    return (
        stored.digest == digest
        and stored.owner_uid == owner.uid
        and stored.owner == owner.key.name
        and stored.labels == _LABEL_PAIRS
    )
