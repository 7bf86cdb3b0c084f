"""Which FirewallConfigurations stay when the tenant namespace of their peering is in doubt: the last enforced chain does."""

import pytest

from liqo_connectivity.facts import ObjectKey, firewall_configuration
from tests.support.clusters import base_of, solve
from tests.support.manifests import Object

OWN, OTHER = "liqo-tenant-milan", "mine"
KEY = ObjectKey("FirewallConfiguration", OWN, "milan-connectivity")


def claimant(name: str) -> Object:
    labels = {"liqo.io/remote-cluster-id": "milan", "liqo.io/tenant-namespace": "true"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def policy(namespace: str) -> Object:
    return {
        "apiVersion": "security.liqo.io/v1",
        "kind": "PeeringConnectivity",
        "metadata": {"name": "policy", "namespace": namespace},
        "spec": {"rules": [{"action": "deny"}]},
    }


def foreign(tenant: str) -> Object:
    return {
        "apiVersion": "core.liqo.io/v1beta1",
        "kind": "ForeignCluster",
        "metadata": {"name": "milan"},
        "spec": {"clusterID": "milan"},
        "status": {"tenantNamespace": {"local": tenant}},
    }


CLAIMED = [claimant(OWN), policy(OWN), claimant(OTHER), policy(OTHER)]


@pytest.mark.parametrize(
    ("objects", "governing", "removed"),
    [
        pytest.param(CLAIMED[:2], [("milan", f"{OWN}/policy")], False, id="one claims it"),
        pytest.param(CLAIMED, [], False, id="two claim it"),
        pytest.param([*CLAIMED, foreign(OWN)], [("milan", f"{OWN}/policy")], False, id="its own is known"),
        pytest.param([*CLAIMED, foreign(OTHER)], [("milan", f"{OTHER}/policy")], True, id="another is known"),
        pytest.param([claimant(OWN)], [], True, id="no policy is left"),
    ],
)
def test_a_written_chain_stays_while_its_policy_may_govern(
    objects: list[Object], governing: list[tuple[str, str]], removed: bool
) -> None:
    base = base_of(objects)
    base.replace(KEY, firewall_configuration(KEY, "uid", "7", "policy"))
    model = solve(base, ("governing", "removal"))
    assert model.rows("governing") == governing
    assert bool(model.rows("removal")) is removed
