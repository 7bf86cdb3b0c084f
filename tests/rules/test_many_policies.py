"""Somebody who may write in one tenant namespace can make many policies there, and must not make the rules derive pairs of them."""

from random import Random

from tests.support.clusters import base_of, solve
from tests.support.manifests import Object

TENANT = "liqo-tenant-milan"
PLACE = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {
        "name": TENANT,
        "labels": {"liqo.io/remote-cluster-id": "milan", "liqo.io/tenant-namespace": "true"},
    },
}


def policy(name: str, second: int) -> Object:
    created = f"2026-01-01T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z"
    return {
        "apiVersion": "security.liqo.io/v1",
        "kind": "PeeringConnectivity",
        "metadata": {"name": name, "namespace": TENANT, "creationTimestamp": created},
        "spec": {"rules": [{"action": "deny"}]},
    }


def test_the_oldest_policy_governs_and_no_pair_of_the_others_is_derived() -> None:
    # Three are the oldest; of those the smallest name governs.
    policies = [policy("c", 5), policy("b", 5), policy("d", 5), *(policy(f"a{n}", 6 + n) for n in range(300))]
    Random(0).shuffle(policies)
    model = solve(base_of([PLACE, *policies]), ("governing", "pending", "precedes", "candidate"))
    assert model.rows("governing") == [("milan", f"{TENANT}/b")]
    assert len(model.rows("precedes")) == 3
    conflicts = {row for row in model.rows("pending") if row[1] == "Conflict"}
    assert {row[0] for row in conflicts} == {row[1] for row in model.rows("candidate")} - {f"{TENANT}/b"}
    assert {row[3] for row in conflicts} == {f"{TENANT}/b"}
