"""The objects for agents on a real API server: what it stores unchanged, what it refuses, who may write what."""

from copy import deepcopy
from functools import partial
from random import Random
from typing import Any

import pytest

from liqo_connectivity.chains import Layout, assemble_agent, publication, published_objects, read_published
from liqo_connectivity.facts.crd.generate import CHAIN, NODE, SLICE, custom_resource_definition
from tests.support.api_client import ApiError, Client, Object
from tests.support.chain_layouts import PolicyRule, policy_relations
from tests.support.control_plane import ControlPlane
from tests.support.kubeconfigs import write_kubeconfig
from tests.support.manifest_tools import NAME, template
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow
POLICY: list[PolicyRule] = [
    ("accept", "vc-remote", "private-subnets", (("tcp", 80, 80), ("tcp", 8000, 8080), ("icmp", 0, 65535))),
    ("drop", "remote-cluster", "vc-local", (("udp", 53, 53),)),
    ("drop", "any", "offloaded"),
]
MEMBERS = {
    "vc-remote": ["10.71.0.9", "fd00:71::9"],
    "vc-local": [f"10.1.0.{at}" for at in range(1, 200)],
    "offloaded": ["10.71.0.9"],
}


@pytest.fixture(scope="module")
def installed(control_plane: ControlPlane) -> ControlPlane:
    control_plane.install([dict(custom_resource_definition(each)) for each in (CHAIN, SLICE, NODE)])
    return control_plane


def documents(namespace: str, revision: int = 7) -> list[Any]:
    """The objects of a peering of that tenant namespace, the chain last."""
    made = policy_relations(POLICY, MEMBERS)
    made["base_chain"] = {("milan", namespace, f"{namespace}/policy")}
    four, six = assemble_agent(Layout.from_relations(made))
    return [dict(each) for each in published_objects(publication((four, six), revision))]


@pytest.fixture
def stored(installed: ControlPlane) -> list[Object]:
    """The objects of a peering in a namespace of this test."""
    namespace = installed.namespace("liqo-tenant")
    return [installed.admin.create(each, fieldValidation="Strict") for each in documents(namespace)]


def test_what_is_published_is_stored_as_it_is_sent(installed: ControlPlane, stored: list[Object]) -> None:
    namespace = stored[0]["metadata"]["namespace"]
    sent = documents(namespace)
    assert [each["spec"] for each in stored] == [each["spec"] for each in sent]
    found = [installed.admin.get(installed.admin.path(each)) for each in stored]
    Random(1).shuffle(found)
    key = namespace, "milan"
    assert read_published(found).tables(key) == read_published(sent).tables(key)
    listed = installed.kubectl("get", "-n", namespace, "liqo", "-o", "name").stdout.split()
    assert listed == ["connectivitychain.security.liqo.io/milan"]
    shown = installed.kubectl("get", "-n", namespace, "cslice").stdout.splitlines()
    assert shown[0].split() == ["NAME", "CHAIN", "REVISION", "AGE"]
    assert [line.split()[:3] for line in shown[1:]] == [[f"milan-7-{at}", "milan", "7"] for at in range(3)]


def refused(client: Client, changed: Object) -> str:
    """The message by which an object is refused that is there in another form."""
    with pytest.raises(ApiError) as refusal:
        client.apply(changed)
    assert refusal.value.status == 422, refusal.value
    return refusal.value.message


def applied(stored: Object) -> Object:
    """A stored object as it is applied."""
    metadata = {key: stored["metadata"][key] for key in ("name", "namespace")}
    return {**{key: deepcopy(stored[key]) for key in ("apiVersion", "kind", "spec")}, "metadata": metadata}


def test_revisions_rise(installed: ControlPlane, stored: list[Object]) -> None:
    for index in (0, -1):
        changed = applied(stored[index])
        changed["spec"] |= {"hash": "0" * 16}
        assert "a changed content needs a greater revision" in refused(installed.admin, changed)
        changed["spec"] |= {"revision": 6}
        assert "revision must not fall" in refused(installed.admin, changed)
        changed["spec"] |= {"revision": 8}
        assert installed.admin.apply(changed)["spec"]["revision"] == 8


WRONG: list[tuple[int, str, Any, str]] = [
    (0, "chain", "rome", "a slice stays with its chain"),
    (0, "members", [{"sets": ["a.b"], "addresses": ["10.0.0.1"] * 129}], "must have at most 128 items"),
    (0, "members", [{"sets": [], "addresses": ["10.0.0.1"]}], "should have at least 1 items"),
    (-1, "peering", "rome", "a chain has the name of its peering"),
    (-1, "tables", [], "should have at least 2 items"),
    (-1, "slices", [{"name": "a", "revision": 0}], "should be greater than or equal to 1"),
    (-1, "hash", "1", "should match"),
]


@pytest.mark.parametrize(("index", "field", "value", "message"), WRONG)
def test_another_form_is_refused(
    installed: ControlPlane, stored: list[Object], index: int, field: str, value: Any, message: str
) -> None:
    changed = applied(stored[index])
    changed["spec"] |= {"revision": 8, field: value}
    assert message in refused(installed.admin, changed)


@pytest.mark.parametrize("source", [{}, {"any": True, "set": "group.offloaded.0"}, {"any": False}, {"cidrs": []}])
def test_a_side_of_a_rule_is_one_thing(installed: ControlPlane, stored: list[Object], source: Object) -> None:
    changed = applied(stored[-1])
    changed["spec"] |= {"revision": 8}
    changed["spec"]["tables"][0]["rules"][0]["source"] = source
    assert "source" in refused(installed.admin, changed)


# ---- Who may write what a node tells ----


def token(plane: ControlPlane, namespace: str, bound: Object | None) -> Client:
    """A client with a token of the agents' service account, perhaps bound to a pod or a node."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{NAME}-agent/token"
    wanted: Object = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    if bound:
        wanted["spec"]["boundObjectRef"] = bound
    given = plane.admin.request("POST", path, wanted)["status"]["token"]
    return plane.client(
        write_kubeconfig(plane.folder, plane.server, f"{NAME}-{namespace}-{len(given)}", {"token": given})
    )


@pytest.fixture
def agents(installed: ControlPlane) -> str:
    """A namespace with what the chart grants to agents, in force, and two nodes."""
    namespace = installed.namespace("agents")
    for (_, _, name), each in template("--set", "agent.access=true", "--namespace", namespace).items():
        if name == f"{NAME}-agent":
            installed.admin.apply(each)
    for name in ("node-a", "node-b"):
        installed.admin.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
    return namespace


def pod(plane: ControlPlane, namespace: str, node: str) -> Object:
    """An agent's pod on a node, as what a token is bound to."""
    made = plane.admin.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"agent-{node}", "namespace": namespace},
            "spec": {
                "nodeName": node,
                "serviceAccountName": f"{NAME}-agent",
                "containers": [{"name": "agent", "image": "none"}],
            },
        }
    )
    return {"apiVersion": "v1", "kind": "Pod", "name": made["metadata"]["name"], "uid": made["metadata"]["uid"]}


def told(plane: ControlPlane, node: str, owner: str = "") -> Object:
    """What an agent tells of a node."""
    uid = plane.admin.get(f"/api/v1/nodes/{node}")["metadata"]["uid"]
    owners = [{"apiVersion": "v1", "kind": "Node", "name": owner or node, "uid": uid}]
    chains = [{"namespace": "liqo-tenant-milan", "name": "milan", "revision": 7, "error": "Operation not permitted"}]
    return {
        "apiVersion": "security.liqo.io/v1alpha1",
        "kind": "ConnectivityNode",
        "metadata": {"name": node, "ownerReferences": owners},
        "status": {"agentVersion": "0.1.0", "renewTime": "2026-12-01T10:00:00Z", "chains": chains},
    }


def test_an_agent_writes_for_its_own_node_alone(installed: ControlPlane, agents: str) -> None:
    own = token(installed, agents, pod(installed, agents, "node-a"))
    unbound = token(installed, agents, None)

    def written(client: Client, node: str, owner: str = "") -> str:
        try:
            client.apply(told(installed, node, owner))
        except ApiError as error:
            return error.message
        return ""

    # A new policy takes some time to be in force.
    eventually(lambda: "writes for its node alone" in written(unbound, "node-a"))
    assert written(own, "node-a") == ""
    assert written(own, "node-a") == "", "and changes it"
    assert "writes for its node alone" in written(own, "node-b")
    assert "owned by the Node of its name" in written(own, "node-a", owner="node-b")
    with pytest.raises(ApiError, match="Forbidden"):
        own.delete("/apis/security.liqo.io/v1alpha1/connectivitynodes/node-a")


def test_an_agent_reads_chains_and_slices_and_nothing_else(installed: ControlPlane, agents: str) -> None:
    client = token(installed, agents, None)
    group = "/apis/security.liqo.io/v1alpha1"

    def may_list(path: str) -> bool:
        try:
            return client.list(path) is not None
        except ApiError:
            return False

    for plural in ("connectivitychains", "connectivitysetslices"):
        eventually(partial(may_list, f"{group}/{plural}"))
    for path in (
        "/api/v1/pods",
        "/api/v1/secrets",
        f"{group}/connectivitynodes",
        "/apis/security.liqo.io/v1/peeringconnectivities",
    ):
        with pytest.raises(ApiError, match="Forbidden"):
            client.list(path)
