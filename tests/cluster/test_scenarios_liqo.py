"""Liqo without what chains need, or no Liqo at all: the controller runs, says so, and writes nothing.

The tests bear the numbers of the scenarios that they play on a real API server.
"""

import pytest

from tests.support.api_client import Object
from tests.support.control_plane import ControlPlane
from tests.support.liqo_crds import with_sets_and_ctstate
from tests.support.liqo_peerings import Place
from tests.support.operator_cluster import CRDS, OperatorCluster, install, read_crds
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

RULES = (("deny", "remote-cluster", "any"), ("allow", "vc-local", "vc-remote"))
FIREWALL_KIND = "FirewallConfiguration"


def test_scenario_34_nothing_is_written_until_liqo_can_enforce_it(fresh_control_plane: ControlPlane) -> None:
    """No definition of FirewallConfiguration, then that of v1.2.0, then one with sets and ctstate, then v1.2.0's again."""
    plane = fresh_control_plane
    stock = read_crds()
    [firewall] = [crd for crd in stock if crd["spec"]["names"]["kind"] == FIREWALL_KIND]
    plane.install(crd for crd in stock if crd is not firewall)
    cluster = OperatorCluster(plane, install(plane))
    peering = Place(plane).peering()
    policy = peering.policy(*RULES)
    with cluster.operator() as controller:
        condition = cluster.said(policy, "Programmed", "False", "UnsupportedLiqo")
        assert "sets and ctstate" in condition["message"]
        assert cluster.conditions(policy)["Ready"] == ("False", "UnsupportedLiqo")
        assert cluster.conditions(policy)["Accepted"][0] == "True"

        plane.install([firewall])
        eventually(lambda: "the definition" not in cluster.message(policy, "Programmed"))
        condition = cluster.said(policy, "Programmed", "False", "UnsupportedLiqo")
        assert "v1.2.0" in condition["message"]
        cluster.settled()
        assert cluster.get(peering.firewall) is None

        plane.install(with_sets_and_ctstate([firewall]))
        cluster.programmed(policy)
        written = cluster.client.get(peering.firewall)
        cluster.as_rendered()
        assert written["spec"]["table"]["sets"]
        assert "ctstate" in str(written["spec"])
        cluster.said(policy, "Ready", "Unknown", "NoAgents")

        plane.install([firewall])
        cluster.said(policy, "Programmed", "False", "UnsupportedLiqo")
        cluster.settled()
        assert (
            cluster.client.get(peering.firewall)["metadata"]["resourceVersion"]
            == (written["metadata"]["resourceVersion"])
        ), "the last enforced chain stays as it was written"

        plane.install(with_sets_and_ctstate([firewall]))
        cluster.programmed(policy)
        cluster.as_rendered()
        controller.stop()


def test_scenario_34_without_liqo_a_policy_waits_and_liqo_may_come_later(fresh_control_plane: ControlPlane) -> None:
    plane = fresh_control_plane
    cluster = OperatorCluster(plane, install(plane))
    namespace = "liqo-tenant-milan"
    plane.admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    policy: Object = {
        "apiVersion": "security.liqo.io/v1",
        "kind": "PeeringConnectivity",
        "metadata": {"name": "milan", "namespace": namespace},
        "spec": {"rules": [{"action": "deny", "source": {"group": "remote-cluster"}}]},
    }
    path = plane.admin.path(policy)
    plane.admin.create(policy)
    with cluster.operator() as controller:
        condition = cluster.said(path, "Programmed", "False")
        assert "UnsupportedLiqo" in condition["message"] or condition["reason"] == "UnsupportedLiqo"
        plane.install(with_sets_and_ctstate(read_crds()))
        peering = Place(plane).peering()
        ready = peering.policy(*RULES)
        cluster.programmed(ready)
        cluster.said(path, "Programmed", "False", "NoRemoteNetwork")
        cluster.client.delete(path)
        cluster.settled()
        assert cluster.get(path) is None
        # Liqo is uninstalled: its definitions go, and with them all that they define.
        for crd in read_crds():
            cluster.client.delete(f"{CRDS}/{crd['metadata']['name']}")
        cluster.said(ready, "Programmed", "False")
        cluster.client.delete(ready)
        cluster.settled()
        assert cluster.get(ready) is None
        controller.stop()
