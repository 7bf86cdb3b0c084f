"""The controller is stopped, killed and started again: it goes on from what is stored, and writes nothing twice.

Three lives of it on one cluster: the first writes, the second finds nothing to do and is killed while it deletes, and
much has changed when the third begins. The tests bear the numbers of the scenarios that they play.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.support.liqo_peerings import Peering
from tests.support.operator_cluster import FINALIZER, FIREWALLS, OWNER_UID, party
from tests.support.operator_process import Running
from tests.support.operator_scene import Scene
from tests.support.recorder import Recorder
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

RULES = (("deny", "remote-cluster", "any"),)
READY = ("untouched", "changed", "edited", "deleted", "lost", "orphaned", "restored", "interrupted")


@dataclass
class Lives:
    """What is remembered of them."""

    scene: Scene
    recorder: Recorder
    peerings: dict[str, Peering] = field(default_factory=dict[str, Peering])
    policies: dict[str, str] = field(default_factory=dict[str, str])
    versions: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    address: str = ""
    namespace: str = ""
    restored_uid: str = ""
    third: Running | None = None

    def begin(self, name: str, *, ready: bool = True) -> None:
        """A new peering with a policy."""
        self.peerings[name] = self.scene.place.peering(ready=ready)
        self.policies[name] = self.peerings[name].policy(*RULES)


@pytest.fixture(scope="module")
def lives(stage: Scene) -> Iterator[Lives]:
    cluster, client = stage.cluster, stage.cluster.client
    with Recorder(stage.plane, FIREWALLS) as recorder:
        lives = Lives(stage, recorder)
        for name in READY:
            lives.begin(name)
        lives.begin("waiting", ready=False)
        with cluster.operator() as first:
            for name in READY:
                cluster.said(lives.policies[name], "Ready", "True")
            cluster.said(lives.policies["waiting"], "Ready", "False")
            lives.versions.append(cluster.settled())
            first.stop()
        with cluster.operator() as second:
            second.logged("Became leader")
            lives.versions.append(cluster.settled())
            stage.fabric.pause()
            client.delete(lives.policies["interrupted"])
            path = lives.peerings["interrupted"].firewall
            eventually(lambda: not client.get(path)["spec"]["table"].get("chains"))
            second.kill()
            stage.fabric.resume()
        _meanwhile(lives)
        with cluster.operator() as lives.third:
            yield lives
            lives.third.stop()


def _meanwhile(lives: Lives) -> None:
    """What happens while no controller runs."""
    place, client = lives.scene.place, lives.scene.cluster.client
    lives.namespace, lives.address = place.namespace(), place.address()
    lives.peerings["changed"].policy(*RULES, ("allow", f"ns:{lives.namespace}", "any"))
    place.pod(lives.namespace, "web", lives.address)
    client.patch(lives.peerings["edited"].firewall, {"spec": {"table": {"chains": []}}})
    client.delete(lives.policies["deleted"])
    client.delete(lives.peerings["lost"].firewall)
    lives.begin("new")
    backup = client.get(lives.policies["restored"])
    for name in ("orphaned", "restored"):  # as an administrator in a hurry does it
        client.patch(lives.policies[name], {"metadata": {"finalizers": None}})
        client.delete(lives.policies[name])
    # A backup gives new uids, and has the finalizer in it.
    kept = {"name": "policy", "namespace": lives.peerings["restored"].namespace, "finalizers": [FINALIZER]}
    lives.restored_uid = client.create({**backup, "metadata": kept})["metadata"]["uid"]


def test_scenario_36_a_controller_that_starts_again_writes_nothing(lives: Lives) -> None:
    first, second = lives.versions
    assert first == second


@pytest.mark.parametrize("name", ["untouched", "changed", "edited", "lost", "restored", "new"])
def test_scenario_36_what_changed_meanwhile_is_made_up_for(lives: Lives, name: str) -> None:
    cluster = lives.scene.cluster
    cluster.said(lives.policies[name], "Ready", "True")
    cluster.as_rendered(lives.peerings[name].namespace)


def test_scenario_36_a_policy_that_changed_is_enforced_as_it_is_now(lives: Lives) -> None:
    lives.scene.cluster.holds(lives.peerings["changed"].firewall, party(lives.namespace), lives.address)


@pytest.mark.parametrize("name", ["deleted", "orphaned", "interrupted"])
def test_scenario_36_what_no_policy_owns_any_more_is_emptied_and_deleted(lives: Lives, name: str) -> None:
    cluster, peering = lives.scene.cluster, lives.peerings[name]
    eventually(lambda: cluster.get(peering.firewall) is None and cluster.get(lives.policies[name]) is None)
    written = lives.recorder.of("FirewallConfiguration", f"{peering.name}-connectivity")
    tables = [event["object"]["spec"]["table"] for event in written]
    assert any(not table["chains"] and not table["sets"] for table in tables)
    assert lives.scene.fabric.holds(f"connectivity-{peering.name}") == []


def test_a_policy_that_was_restored_takes_its_chain_over(lives: Lives) -> None:
    cluster, peering, policy = lives.scene.cluster, lives.peerings["restored"], lives.policies["restored"]
    eventually(lambda: cluster.client.get(peering.firewall)["metadata"]["labels"][OWNER_UID] == lives.restored_uid)
    written = lives.recorder.of("FirewallConfiguration", f"{peering.name}-connectivity")
    assert all(event["object"]["spec"]["table"]["chains"] for event in written), "it was in place all the while"
    # The finalizer that came from the backup is a field of somebody else, and has to go all the same.
    cluster.client.delete(policy)
    eventually(lambda: cluster.get(policy) is None)
    assert cluster.get(peering.firewall) is None


def test_scenario_36_an_orphan_that_appears_while_it_runs_goes_too(lives: Lives) -> None:
    """Such as one that a backup brought back."""
    cluster, peering = lives.scene.cluster, lives.peerings["untouched"]
    cluster.said(lives.policies["untouched"], "Ready", "True")
    backup = cluster.client.get(peering.firewall)
    cluster.client.delete(lives.policies["untouched"])
    eventually(lambda: cluster.get(lives.policies["untouched"]) is None and cluster.get(peering.firewall) is None)
    metadata = {name: backup["metadata"][name] for name in ("name", "namespace", "labels", "annotations")}
    cluster.client.create({**backup, "metadata": metadata})
    eventually(lambda: cluster.get(peering.firewall) is None)


def test_a_policy_that_waited_all_the_while_is_programmed_in_the_end(lives: Lives) -> None:
    peering = lives.peerings["waiting"]
    peering.network("pod", "10.244.0.0/16", peering.cidr)
    peering.network("external", "10.70.0.0/16", peering.external_cidr)
    lives.scene.cluster.said(lives.policies["waiting"], "Ready", "True")
