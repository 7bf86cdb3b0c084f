"""Brings the members of an earlier chain up to date, while the chain of today is about to replace it.

Both are in force until then. An earlier chain that does not know a new pod would drop what both policies allow it.
"""

from collections import Counter
from typing import Final, cast

from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import FIREWALL, StoredFirewall, stored_firewall
from liqo_connectivity.operator.controller.state.desired import DesiredFirewall
from liqo_connectivity.operator.controller.writing.firewall_body import marks
from liqo_connectivity.operator.controller.writing.object_client import (
    FIREWALL_API,
    ObjectClient,
    firewall_path,
    identity,
)
from liqo_connectivity.operator.kube.response import Json

LASTING: Final = ("block", "group", "namespace", "pods")
"""The kinds of parties that have the same members whatever a policy says. A scope, and what rules are gathered into, do not:
the earlier chain with those of the new policy would be neither."""


def refresh_members(client: ObjectClient, key: ObjectKey, desired: DesiredFirewall) -> StoredFirewall:
    """Give the sets of a stored object the elements that sets of the same name are to have; the object afterwards.

    Its chains, and sets of other names, stay as they are. So do those of a party that has more or fewer sets now, because its
    addresses have moved from one to another, and those of a kind whose members depend on the policy. Raises ApiError.
    """
    live = client.get(firewall_path(key))
    view = stored_firewall(live)
    spec = cast("Json", live["spec"])
    table = cast("Json", spec["table"])
    held = cast("list[Json]", table.get("sets") or [])
    wanted = desired.body["spec"]["table"]["sets"]
    before, after = (Counter(_party(str(each.get("name"))) for each in sets) for sets in (held, wanted))
    now = {
        each["name"]: each["elements"]
        for each in wanted
        if before[_party(each["name"])] == after[_party(each["name"])] and each["name"].partition(".")[0] in LASTING
    }
    fresh = [{**each, "elements": now.get(str(each.get("name")), each.get("elements"))} for each in held]
    if fresh == held or view.deleting or not view.managed:
        return view
    body = identity(FIREWALL_API, FIREWALL, key, uid=view.uid, resourceVersion=view.resource_version)
    metadata = cast("Json", body["metadata"])
    metadata["labels"], metadata["annotations"] = marks(live)
    body["spec"] = {**spec, "table": {**table, "sets": fresh}}
    return stored_firewall(client.apply(firewall_path(key), body, force=True))


def _party(name: str) -> str:
    """What the names of a party's sets share."""
    return name.rpartition(".")[0]
