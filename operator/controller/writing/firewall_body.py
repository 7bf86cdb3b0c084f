"""What a written FirewallConfiguration looks like: the one place for what is stored and for what ``--dry-run`` shows."""

from typing import Final, cast

from liqo_connectivity import chains
from liqo_connectivity.facts import OWNER_ANNOTATION
from liqo_connectivity.operator.controller.objects.stored import (
    FIREWALL,
    OWNER_UID_LABEL,
    TARGET_LABELS,
    StoredFirewall,
    StoredPolicy,
)
from liqo_connectivity.operator.controller.state.desired import DesiredFirewall
from liqo_connectivity.operator.controller.writing.object_client import FIREWALL_API
from liqo_connectivity.operator.kube.response import Json

LABELS: Final = chains.LABELS
"""The labels that every FirewallConfiguration of ours has; ``OWNER_UID_LABEL`` comes on top."""
NEW: Final = "1"
"""The resourceVersion of a body that only creates, because no object has it: etcd's first write is its second revision."""
_LABEL_PAIRS: Final = tuple(sorted(LABELS.items()))


def firewall_body(desired: DesiredFirewall, owner: StoredPolicy, stored: StoredFirewall | None) -> dict[str, object]:
    """The whole object to apply; ``stored`` is the object that it changes, whose uid and resourceVersion guard the write.

    Without one it only creates: it never changes an object that is there after all.
    """
    guards = (
        {"uid": stored.uid, "resourceVersion": stored.resource_version}
        if stored is not None
        else {"resourceVersion": NEW}
    )
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


def inert_body(desired: DesiredFirewall, owner: StoredPolicy) -> dict[str, object]:
    """An object of the same name and table that holds nothing and that no agent selects."""
    table = desired.body["spec"]["table"]
    return {
        "apiVersion": FIREWALL_API,
        "kind": FIREWALL,
        "metadata": {
            "name": desired.key.name,
            "namespace": desired.key.namespace,
            "resourceVersion": NEW,
            "labels": {
                **{name: text for name, text in LABELS.items() if not name.startswith(TARGET_LABELS)},
                OWNER_UID_LABEL: owner.uid,
            },
            "annotations": {OWNER_ANNOTATION: owner.key.name},
        },
        "spec": {"table": {"name": table["name"], "family": table["family"], "sets": [], "chains": []}},
    }


def is_as_desired(stored: StoredFirewall, digest: str, owner: StoredPolicy) -> bool:
    """Whether an object has the spec of a digest, our labels and this owner."""
    return (
        stored.digest == digest
        and stored.owner_uid == owner.uid
        and stored.owner == owner.key.name
        and stored.labels == _LABEL_PAIRS
    )


def marks(live: Json) -> tuple[Json, Json]:
    """Our labels and annotations of an object as they are: an apply without them would remove them."""
    metadata = cast("Json", live["metadata"])
    labels = cast("Json", metadata.get("labels") or {})
    annotations = cast("Json", metadata.get("annotations") or {})
    ours = {name: value for name, value in labels.items() if name in LABELS or name.startswith("security.liqo.io/")}
    return ours, {name: value for name, value in annotations.items() if name.startswith("security.liqo.io/")}
