"""Pods come, change and go while the controller runs: the sets of every peering that looks at them follow.

The tests bear the numbers of the scenarios that they play on a real API server.
"""

import threading
import time
from collections.abc import Sequence
from uuid import uuid4

import pytest
from benchmarks.etcd import Etcd
from benchmarks.protobuf import Changes, replaced

from liqo_connectivity.chains.limits import MAX_SET_ELEMENTS
from tests.support.case_objects import PolicyRule
from tests.support.liqo_peerings import SHADOW, WORKER, Peering
from tests.support.operator_cluster import party
from tests.support.operator_scene import Scene

pytestmark = pytest.mark.slow

LOCAL, REMOTE, OFFLOADED = "group.vc_local", "group.vc_remote", "group.offloaded"
GROUPS: Sequence[PolicyRule] = (
    ("allow", "vc-remote", "vc-local"),
    ("allow", "offloaded", "remote-cluster"),
    ("deny", "any", "any"),
)


def peered(scene: Scene, *rules: PolicyRule) -> Peering:
    """A peering whose policy is programmed; with a rule for every group unless others are given."""
    peering = scene.place.peering()
    scene.cluster.programmed(peering.policy(*(rules or GROUPS)))
    return peering


def offloaded(scene: Scene, peering: Peering) -> str:
    """A namespace that is offloaded to a peering."""
    namespace = scene.place.namespace()
    peering.offload(namespace)
    return namespace


def test_scenario_17_the_shadow_pods_of_every_virtual_node_of_a_cluster_count(scene: Scene) -> None:
    peering = peered(scene)
    namespace, pool = offloaded(scene, peering), f"{peering.name}-pool"
    first, second = peering.address(), peering.address()
    scene.place.pod(namespace, "first", first, node=peering.name, labels=SHADOW)
    scene.cluster.holds(peering.firewall, REMOTE, first)
    scene.place.pod(namespace, "second", second, node=pool, labels=SHADOW)
    scene.cluster.settled(peering.namespace)
    # Nobody knows what the node of the second is, so the chain stays.
    assert scene.cluster.elements(peering.firewall, REMOTE) == [first]
    assert scene.cluster.elements(peering.firewall, LOCAL) == []
    peering.virtual_node(pool)
    scene.cluster.holds(peering.firewall, REMOTE, first, second)
    scene.cluster.as_rendered(peering.namespace)


def test_scenario_18_a_pod_on_a_virtual_node_is_remote_with_and_without_its_label(scene: Scene) -> None:
    peering = peered(scene)
    namespace, address, local = offloaded(scene, peering), peering.address(), scene.place.address()
    scene.place.pod(namespace, "unlabelled", address, node=peering.name)
    scene.place.pod(namespace, "local", local)
    scene.cluster.holds(peering.firewall, LOCAL, local)
    scene.cluster.holds(peering.firewall, REMOTE, address)
    scene.place.pod(namespace, "unlabelled", address, node=peering.name, labels=SHADOW)
    scene.cluster.settled(peering.namespace)
    assert scene.cluster.elements(peering.firewall, REMOTE) == [address]
    scene.cluster.as_rendered(peering.namespace)


def test_scenario_19_a_forged_label_makes_no_member(scene: Scene) -> None:
    peering = peered(scene)
    namespace, plain, hosted = offloaded(scene, peering), scene.place.namespace("plain"), peering.host()
    forged, real = scene.place.address(), scene.place.address()
    scene.place.pod(namespace, "forged-shadow", forged, labels=SHADOW)
    scene.place.pod(plain, "forged-origin", scene.place.address(), labels=peering.origin)
    scene.place.pod(hosted, "real", real, labels=peering.origin)
    scene.cluster.holds(peering.firewall, LOCAL, forged)
    scene.cluster.holds(peering.firewall, OFFLOADED, real)
    assert scene.cluster.elements(peering.firewall, REMOTE) == []
    scene.cluster.as_rendered(peering.namespace)


def test_scenario_20_an_address_belongs_to_the_pod_that_runs(scene: Scene) -> None:
    old, new, address = scene.place.namespace("old"), scene.place.namespace("new"), scene.place.address()
    peering = peered(scene, ("deny", f"ns:{old}", "remote-cluster"), ("allow", f"ns:{new}", "any"))
    scene.place.pod(old, "job", address)
    scene.cluster.holds(peering.firewall, party(old), address)
    scene.place.pod(old, "job", address, phase="Succeeded")
    scene.place.pod(new, "web", address)
    scene.cluster.holds(peering.firewall, party(new), address)
    scene.cluster.holds(peering.firewall, party(old))
    scene.cluster.as_rendered(peering.namespace)


def test_scenario_21_the_address_of_a_node_is_in_no_set(scene: Scene) -> None:
    peering = peered(scene)
    namespace, address = offloaded(scene, peering), scene.place.address()
    scene.place.pod(namespace, "on-the-host", "172.18.0.11", host_network=True)
    scene.place.pod(namespace, "web", address)
    scene.cluster.holds(peering.firewall, LOCAL, address)
    scene.cluster.as_rendered(peering.namespace)


def test_scenario_22_a_pod_is_an_element_from_its_address_to_its_end(scene: Scene) -> None:
    peering = peered(scene)
    namespace, address, other = offloaded(scene, peering), scene.place.address(), scene.place.address()
    path = scene.place.pod(namespace, "web", phase="Pending")
    scene.place.pod(namespace, "other", other)
    scene.cluster.holds(peering.firewall, LOCAL, other)
    scene.place.pod(namespace, "web", address)
    scene.cluster.holds(peering.firewall, LOCAL, address, other)
    scene.cluster.client.delete(path)  # with its grace: it is terminating, and still runs
    assert "deletionTimestamp" in scene.cluster.client.get(path)["metadata"]
    third = scene.place.address()
    scene.place.pod(namespace, "third", third)
    scene.cluster.holds(peering.firewall, LOCAL, address, other, third)
    scene.place.remove(path)
    scene.cluster.holds(peering.firewall, LOCAL, other, third)
    scene.cluster.as_rendered(peering.namespace)


def test_scenario_23_the_ipv4_address_of_a_dual_stack_pod_counts(scene: Scene) -> None:
    peering = peered(scene)
    namespace, address, plain = offloaded(scene, peering), scene.place.address(), scene.place.address()
    scene.place.pod(namespace, "dual", addresses=["fd00::7", address])
    scene.place.pod(namespace, "six", "fd00::8")
    scene.place.pod(namespace, "plain", plain)
    scene.cluster.holds(peering.firewall, LOCAL, address, plain)
    scene.cluster.as_rendered(peering.namespace)


def test_scenario_24_and_25_pods_with_one_address_are_one_element_and_none_are_an_empty_set(scene: Scene) -> None:
    peering = peered(scene)
    namespace, address = offloaded(scene, peering), scene.place.address()
    assert scene.cluster.elements(peering.firewall, LOCAL) == []
    paths = [scene.place.pod(namespace, name, address) for name in ("first", "second")]
    scene.cluster.holds(peering.firewall, LOCAL, address)
    before = scene.cluster.client.get(peering.firewall)
    scene.place.remove(paths[0])
    scene.cluster.settled(peering.namespace)
    assert scene.cluster.client.get(peering.firewall)["metadata"]["generation"] == before["metadata"]["generation"]
    scene.place.remove(paths[1])
    scene.cluster.holds(peering.firewall, LOCAL)
    scene.cluster.as_rendered(peering.namespace)


def test_scenario_27_a_new_plain_pod_changes_the_chain_of_every_peering_that_looks_at_it(scene: Scene) -> None:
    namespace, address = scene.place.namespace(), scene.place.address()
    named = [peered(scene, ("deny", f"ns:{namespace}", "remote-cluster")) for _ in range(2)]
    group, blind = peered(scene), peered(scene)
    group.offload(namespace)
    scene.cluster.settled(blind.namespace)
    before = scene.cluster.get(blind.firewall)
    scene.place.pod(namespace, "new", address)
    for peering in named:
        scene.cluster.holds(peering.firewall, party(namespace), address)
    scene.cluster.holds(group.firewall, LOCAL, address)
    scene.cluster.settled(blind.namespace)
    assert scene.cluster.get(blind.firewall) == before


def test_scenario_28_a_namespace_counts_while_it_is_offloaded_to_this_peering(scene: Scene) -> None:
    peering, other = peered(scene), peered(scene)
    namespace, address = scene.place.namespace(), scene.place.address()
    scene.place.pod(namespace, "web", address)
    path = peering.offload(namespace, "Local")
    scene.cluster.holds(peering.firewall, LOCAL, address)
    assert scene.cluster.elements(other.firewall, LOCAL) == []
    held = {"metadata": {"finalizers": ["test.liqo.io/held"]}}
    scene.cluster.client.patch(path, held)
    scene.cluster.client.delete(path)
    # It terminates for long, and Liqo and the map still say otherwise: its pods are no members any more.
    scene.cluster.holds(peering.firewall, LOCAL)
    peering.withdraw(namespace)
    scene.cluster.settled(peering.namespace)
    assert scene.cluster.elements(peering.firewall, LOCAL) == []
    scene.cluster.client.patch(path, {"metadata": {"finalizers": None}})
    peering.offload(namespace)
    scene.cluster.holds(peering.firewall, LOCAL, address)
    scene.cluster.as_rendered(peering.namespace)


def test_scenario_40_a_pod_that_is_offloaded_onward_changes_both_chains(scene: Scene) -> None:
    origin, onward = peered(scene), peered(scene)
    hosted, address = origin.host(), onward.address()
    path = scene.place.pod(hosted, "onward", address, node=onward.name, labels={**origin.origin, **SHADOW})
    scene.cluster.holds(origin.firewall, OFFLOADED, address)
    scene.cluster.holds(onward.firewall, REMOTE, address)
    scene.place.remove(path)
    scene.cluster.holds(origin.firewall, OFFLOADED)
    scene.cluster.holds(onward.firewall, REMOTE)
    for peering in (origin, onward):
        scene.cluster.as_rendered(peering.namespace)


def test_scenario_44_a_burst_of_a_thousand_pod_events_is_a_few_writes(scene: Scene) -> None:
    peering = peered(scene)
    namespace = offloaded(scene, peering)
    pods = [f"many-{number}" for number in range(250)]
    paths = {name: f"/api/v1/namespaces/{namespace}/pods/{name}" for name in pods}
    before = scene.cluster.client.get(peering.firewall)["metadata"]["generation"]
    addresses: dict[str, str] = {}

    def change(names: Sequence[str], third: int) -> None:
        for name in names:
            spec = {"nodeName": WORKER, "containers": [{"name": "main", "image": "registry.example/app:1"}]}
            metadata = {"name": name, "namespace": namespace}
            scene.cluster.client.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
        for turn in range(3):
            for number, name in enumerate(names):
                address = f"10.244.{third + turn}.{number + 1}"
                status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
                scene.cluster.client.patch_status(paths[name], status)
                addresses[name] = address

    start = time.monotonic()
    threads = [
        threading.Thread(target=change, args=(pods[part * 50 : part * 50 + 50], 100 + part * 10)) for part in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - start
    scene.cluster.holds(peering.firewall, LOCAL, *addresses.values())
    scene.cluster.settled(peering.namespace)
    writes = scene.cluster.client.get(peering.firewall)["metadata"]["generation"] - before
    # One at once, one for each interval while it lasts, and the last state.
    assert 1 <= writes <= 2 + took / 0.5, f"{writes} writes in {took:.1f} s"
    scene.cluster.as_rendered(peering.namespace)


def test_scenario_26_a_group_that_outgrows_a_set_goes_on_in_a_second_one(scene: Scene) -> None:
    peering = scene.place.peering()
    policy = peering.policy(("deny", "vc-local", "remote-cluster"))
    namespace = offloaded(scene, peering)
    addresses = [f"10.244.{200 + number // 250}.{number % 250 + 1}" for number in range(MAX_SET_ELEMENTS + 1)]
    most, last = addresses[:-1], addresses[-1]

    def sizes() -> list[int]:
        sets = scene.cluster.client.get(peering.firewall)["spec"]["table"]["sets"]
        return [len(held["elements"]) for held in sets if held["name"].startswith(LOCAL)]

    etcd = Etcd(scene.plane.etcd)
    scene.place.pod(namespace, "many-0", most[0])
    try:
        multiply(etcd, namespace, "many-0", most[1:])
        scene.cluster.holds(peering.firewall, LOCAL, *most)
        assert sizes() == [len(most)]
        path = scene.place.pod(namespace, "last", last)
        scene.cluster.holds(peering.firewall, LOCAL, *addresses)
        assert len(sizes()) == 2
        assert sum(sizes()) == len(addresses)
        scene.cluster.as_rendered(peering.namespace)
        scene.cluster.said(policy, "Ready", "True")
        scene.place.remove(path)
        scene.cluster.holds(peering.firewall, LOCAL, *most)
        assert sizes() == [len(most)]
    finally:
        # The tests after this one look at every pod there is. One by one: Kubernetes never changes two objects in one
        # revision of etcd, and a watch that goes on from such a revision would miss the second.
        for pod in scene.cluster.client.list(f"/api/v1/namespaces/{namespace}/pods"):
            etcd.delete(f"/registry/pods/{namespace}/{pod['metadata']['name']}")


def multiply(etcd: Etcd, namespace: str, name: str, addresses: Sequence[str]) -> None:
    """Store a copy of a pod with each address; four thousand requests to the server would take it half a minute."""
    stored = etcd.get(f"/registry/pods/{namespace}/{name}")
    for address in addresses:
        copy = f"{name}-{address}"
        identity = {1: copy.encode(), 5: str(uuid4()).encode()}
        shown: Changes = {6: address.encode(), 12: {1: address.encode()}}
        # A server stores "k8s", a zero, and a message whose field 2 holds the object.
        # Field numbers: kubernetes/api core/v1 and apimachinery meta/v1, generated.proto.
        etcd.put(f"/registry/pods/{namespace}/{copy}", stored[:4] + replaced(stored[4:], {2: {1: identity, 3: shown}}))
