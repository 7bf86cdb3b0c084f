"""From a controller's publisher to an agent's watches over a real API server, each with the role that it has in a cluster."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from liqo_connectivity.chains import AgentTable, Layout, assemble_agent
from liqo_connectivity.facts import ObjectKey
from liqo_connectivity.facts.crd.generate import CHAIN, NODE, POLICY, SLICE, custom_resource_definition
from liqo_connectivity.operator.agent.desired.source import Desired
from liqo_connectivity.operator.agent.desired.watches import PublishedWatches
from liqo_connectivity.operator.controller.objects.stored import StoredPolicy
from liqo_connectivity.operator.controller.writing.chain_publisher import ChainPublisher
from liqo_connectivity.operator.kube.connection import connect
from liqo_connectivity.operator.kube.errors import Conflict
from liqo_connectivity.operator.kube.rest_client import RestClient
from tests.chains.test_publishing import POLICY as RULES
from tests.chains.test_publishing import UNIVERSE, Members
from tests.support.chain_layouts import GROUPS, PolicyRule, policy_relations
from tests.support.control_plane import ControlPlane
from tests.support.manifest_tools import NAME, template
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow


def tables(namespace: str, rules: list[PolicyRule], members: Members) -> tuple[AgentTable, AgentTable]:
    """The tables of the peering of a tenant namespace."""
    made = policy_relations(rules, members)
    made["base_chain"] = {("milan", namespace, f"{namespace}/policy")}
    four, six = assemble_agent(Layout.from_relations(made))
    return four, six


def is_of(wanted: tuple[AgentTable, ...], desired: Desired) -> bool:
    return desired.tables == wanted


class Tenant:
    """A tenant namespace with a policy, a publisher, and an agent that watches."""

    def __init__(self, plane: ControlPlane, agent: PublishedWatches) -> None:
        self.plane = plane
        self.namespace = plane.namespace("liqo-tenant")
        policy = {
            "apiVersion": "security.liqo.io/v1",
            "kind": "PeeringConnectivity",
            "metadata": {"name": "policy", "namespace": self.namespace},
            "spec": {},
        }
        stored = plane.admin.create(policy)
        key = ObjectKey("PeeringConnectivity", self.namespace, "policy")
        self.owner = StoredPolicy(key, stored["metadata"]["uid"], "1", 1, (), False, (), 0)
        self._agent = agent
        self._last = Desired((), {})

    def publisher(self) -> ChainPublisher:
        return ChainPublisher(RestClient(connect(str(self.plane.kubeconfig()))))

    def shows(self, is_right: Callable[[Desired], bool]) -> Desired:
        """What the agent wants once it is right."""

        def found() -> bool:
            self._last = self._agent.changed() or self._last
            return is_right(self._last)

        eventually(found)
        return self._last


@pytest.fixture
def tenant(control_plane: ControlPlane) -> Iterator[Tenant]:
    plane = control_plane
    plane.install([dict(custom_resource_definition(each)) for each in (POLICY, CHAIN, SLICE, NODE)])
    namespace = plane.namespace("agents")
    for (kind, _, name), each in template("--set", "agent.access=true", "--namespace", namespace).items():
        if name == f"{NAME}-agent" and not kind.startswith("Validating"):
            plane.admin.apply(each)
    agent = PublishedWatches(RestClient(connect(str(plane.service_account_kubeconfig(namespace, f"{NAME}-agent")))))
    agent.start()
    yield Tenant(plane, agent)
    agent.stop()


def test_what_is_published_reaches_the_agent_and_goes_with_its_policy(tenant: Tenant) -> None:
    members: Members = {**{group: set[str]() for group in GROUPS}, "vc-remote": set(UNIVERSE[:300])}
    publisher = tenant.publisher()
    wanted = tables(tenant.namespace, list(RULES), members)
    publisher.publish(wanted, tenant.owner)
    assert tenant.shows(lambda desired: desired.tables == wanted).problems == {}
    # A pod, then a policy, then both at once and many.
    for number, (rules, added) in enumerate([(RULES, 1), (RULES[:2], 0), (RULES, 150)]):
        members["offloaded"] = set(UNIVERSE[400 + number : 400 + number + added])
        wanted = tables(tenant.namespace, list(rules), members)
        publisher.publish(wanted, tenant.owner)
        assert tenant.shows(partial(is_of, wanted)).problems == {}
    group = f"/apis/security.liqo.io/v1alpha1/namespaces/{tenant.namespace}"
    slices = tenant.plane.admin.list(f"{group}/connectivitysetslices")
    [chain] = tenant.plane.admin.list(f"{group}/connectivitychains")
    assert {each["metadata"]["name"] for each in slices} == {each["name"] for each in chain["spec"]["slices"]}
    # Another process goes on from what is stored.
    assert tenant.publisher().publish(wanted, tenant.owner) == "unchanged"
    # An administrator who deletes the policy: the collector of garbage takes the rest.
    tenant.plane.admin.delete(f"/apis/security.liqo.io/v1/namespaces/{tenant.namespace}/peeringconnectivities/policy")
    assert tenant.shows(lambda desired: desired.tables == () and desired.is_all).problems == {}
    eventually(lambda: not tenant.plane.admin.list(f"{group}/connectivitysetslices"))


def test_of_two_publishers_the_slower_one_fails_and_then_goes_on(tenant: Tenant) -> None:
    members: Members = {**{group: set[str]() for group in GROUPS}, "vc-remote": set(UNIVERSE[:10])}
    first, second = tenant.publisher(), tenant.publisher()
    first.publish(tables(tenant.namespace, list(RULES), members), tenant.owner)
    second.publish(tables(tenant.namespace, list(RULES[:1]), members), tenant.owner)
    wanted = tables(tenant.namespace, list(RULES[1:]), members)
    with pytest.raises(Conflict):
        first.publish(wanted, tenant.owner)
    assert first.publish(wanted, tenant.owner) == "published"
    assert tenant.shows(lambda desired: desired.tables == wanted).problems == {}
    first.withdraw(tenant.namespace, "milan")
    assert tenant.shows(lambda desired: desired.tables == () and desired.is_all).problems == {}
