"""Of the roles that are shipped, every single verb is needed: without it something stops working, and says so.

The API server of this module cannot stream lists, as those before Kubernetes 1.34: only there the verb ``list`` is needed
from the start. That the roles are enough is shown by all other tests of scenarios, which run under them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import partial

import pytest

from tests.support.api_client import Client, Object
from tests.support.liqo_peerings import Peering, written_policy
from tests.support.manifest_tools import NAME, NAMESPACE
from tests.support.operator_cluster import CRDS, FINALIZER, LEASE, read_crds
from tests.support.operator_process import Running
from tests.support.operator_scene import Scene, staged
from tests.support.shipped_roles import Permission, permissions, shipped
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

RBAC = "/apis/rbac.authorization.k8s.io/v1"
CLUSTER_ROLE = f"{RBAC}/clusterroles/{NAME}"
ROLE = f"{RBAC}/namespaces/{NAMESPACE}/roles/{NAME}"
DNS_ROLE = f"{RBAC}/namespaces/kube-system/roles/{NAME}"
RULES = (("deny", "remote-cluster", "any"),)
FIREWALLS, POLICIES, CRD = "firewallconfigurations", "peeringconnectivities", "customresourcedefinitions"


SHIPPED = shipped()
READ = sorted(resource for resource, verb in permissions(SHIPPED[""]) if verb == "watch")


@pytest.fixture(scope="module")
def paging() -> Iterator[Scene]:
    """A server that cannot stream lists."""
    with staged("WatchList=false") as scene:
        yield scene


@pytest.fixture(scope="module")
def controller(paging: Scene) -> Iterator[Running]:
    """A controller that runs while permissions are taken from it and given back; the lease is left to others."""
    with paging.cluster.operator("--no-leader-election") as controller:
        yield controller
        controller.stop()


@contextmanager
def without(scene: Scene, *taken: Permission, role: str = CLUSTER_ROLE) -> Iterator[None]:
    """Take permissions away meanwhile."""
    stored = scene.cluster.client.get(role)["rules"]
    rules: list[Object] = []
    for rule in deepcopy(stored):
        for resource in rule["resources"]:
            verbs = [verb for verb in rule["verbs"] if (resource, verb) not in taken]
            if verbs:
                rules.append({**rule, "resources": [resource], "verbs": verbs})
    account = scene.plane.client(scene.cluster.kubeconfig)
    _set(scene, role, rules, account, taken, allowed=False)
    try:
        yield
    finally:
        _set(scene, role, stored, account, taken, allowed=True)


def _set(
    scene: Scene, role: str, rules: list[Object], account: Client, changed: tuple[Permission, ...], *, allowed: bool
) -> None:
    scene.cluster.client.patch(role, {"rules": rules})
    for permission in changed:  # the authorizer learns of it by a watch
        eventually(partial(_is, account, permission, allowed))


def _is(account: Client, permission: Permission, allowed: bool) -> bool:
    return may(account, permission) is allowed


def may(account: Client, permission: Permission) -> bool:
    """Whether the server lets the account do what a shipped rule says."""
    resource, verb = permission
    namespace, rule = next(
        (namespace, rule)
        for namespace, rules in SHIPPED.items()
        for rule in rules
        if resource in rule["resources"] and verb in rule["verbs"]
    )
    kind, _, part = resource.partition("/")
    asked = {
        "group": rule["apiGroups"][0],
        "resource": kind,
        "subresource": part,
        "verb": verb,
        "namespace": namespace,
        "name": rule.get("resourceNames", [""])[0],
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": asked},
    }
    answer = account.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    return bool(answer["status"]["allowed"])


def unready(controller: Running) -> set[str]:
    """The parts of the controller that say that they are not ready."""
    lines = controller.get("/readyz")[1].splitlines()
    return {line.removeprefix("[-]").partition(":")[0] for line in lines if line.startswith("[-]")}


def complained(controller: Running, permission: Permission) -> bool:
    """Whether the log names the permission that is missing."""
    resource, verb = permission
    return f'cannot {verb} resource \\"{resource}\\"' in controller.log.read_text("utf-8")


# ---- What each permission is for: given a new peering, what is to be done, what fails, and what works in the end ----


class Life:
    """A peering, and what becomes of its policy."""

    def __init__(self, scene: Scene) -> None:
        self.cluster = scene.cluster
        self.peering: Peering = scene.place.peering()
        self.policy = ""

    def begin(self) -> None:
        self.policy = self.peering.policy(*RULES)

    def ready(self) -> None:
        self.begin()
        self.works()

    def works(self) -> None:
        self.cluster.said(self.policy, "Ready", "True")

    def is_not_programmed(self) -> None:
        self.cluster.said(self.policy, "Programmed", "False", "FabricSyncFailed")
        assert self.cluster.get(self.peering.firewall) is None

    def change(self) -> None:
        self.peering.policy(*RULES, ("allow", "any", "any"))

    def is_not_changed(self) -> None:
        self.cluster.said(self.policy, "Programmed", "False", "FabricSyncFailed")

    def end(self) -> None:
        self.cluster.client.delete(self.policy)

    def does_not_end(self) -> None:
        self.cluster.said(self.policy, "Ready", "False", "DeletionFailed")
        assert self.cluster.get(self.peering.firewall)

    def ends(self) -> None:
        eventually(lambda: self.cluster.get(self.policy) is None and self.cluster.get(self.peering.firewall) is None)

    def has_no_status(self) -> None:
        eventually(lambda: self.cluster.get(self.peering.firewall))
        assert not self.cluster.conditions(self.policy)

    def restore(self) -> None:
        """A policy that governs nothing and came with its finalizer, which is a field of somebody else."""
        place = self.peering.place
        self.policy = place.put(written_policy(place.namespace("elsewhere"), "policy", RULES))
        self.cluster.said(self.policy, "Accepted", "False")
        self.cluster.client.patch(self.policy, {"metadata": {"finalizers": [FINALIZER]}})

    def still_there(self) -> None:
        assert FINALIZER in self.cluster.client.get(self.policy)["metadata"]["finalizers"]

    def abandon(self) -> None:
        self.cluster.client.patch(self.policy, {"metadata": {"finalizers": None}})
        self.cluster.client.delete(self.policy)

    def chain_stays(self) -> None:
        assert self.cluster.client.get(self.peering.firewall)["spec"]["table"]["chains"]

    def events(self) -> list[Object]:
        return self.cluster.client.list(f"/apis/events.k8s.io/v1/namespaces/{self.peering.namespace}/events")

    def is_silent(self) -> None:
        self.works()
        assert not self.events()

    def tells(self) -> None:
        self.change()
        self.end()
        self.ends()

    def nothing(self) -> None:
        """Do nothing first."""


Step = Callable[[Life], None]
WRITES: dict[Permission, tuple[Step, Step, Step, Step]] = {
    (FIREWALLS, "get"): (Life.nothing, Life.begin, Life.is_not_programmed, Life.works),
    (FIREWALLS, "create"): (Life.nothing, Life.begin, Life.is_not_programmed, Life.works),
    (FIREWALLS, "patch"): (Life.ready, Life.change, Life.is_not_changed, Life.works),
    (FIREWALLS, "delete"): (Life.ready, Life.end, Life.does_not_end, Life.ends),
    (POLICIES, "get"): (Life.ready, Life.abandon, Life.chain_stays, Life.ends),
    (POLICIES, "patch"): (Life.nothing, Life.begin, Life.is_not_programmed, Life.works),
    (POLICIES, "update"): (Life.restore, Life.end, Life.still_there, Life.ends),
    (f"{POLICIES}/status", "patch"): (Life.nothing, Life.begin, Life.has_no_status, Life.works),
    ("events", "create"): (Life.nothing, Life.begin, Life.is_silent, Life.tells),
}
DNS = {("endpointslices", "list"), ("endpointslices", "watch")}
LEASES = {("leases", "create"), ("leases", "get"), ("leases", "update")}


def test_every_permission_is_tried() -> None:
    read = {(resource, verb) for resource in READ for verb in ("list", "watch")}
    assert permissions(SHIPPED[""]) == {*WRITES, *read, (CRD, "get")}
    assert permissions(SHIPPED[NAMESPACE]) == LEASES
    assert permissions(SHIPPED["kube-system"]) == DNS


@pytest.mark.parametrize("permission", WRITES, ids=lambda permission: "-".join(permission))
def test_without_a_permission_to_write_something_waits_for_it(
    paging: Scene, controller: Running, permission: Permission
) -> None:
    before, act, fails, works = WRITES[permission]
    life = Life(paging)
    before(life)
    with without(paging, permission):
        act(life)
        eventually(lambda: complained(controller, permission))
        fails(life)
    works(life)


def test_without_list_nothing_is_ever_known(paging: Scene) -> None:
    taken = [(resource, "list") for resource in READ]
    with without(paging, *taken), paging.cluster.operator(ready=False) as controller:
        for permission in taken:
            eventually(partial(complained, controller, permission))
        assert {f"watch {resource}" for resource in READ} <= unready(controller)
        controller.stop()


def test_without_watch_every_resource_says_so(paging: Scene) -> None:
    taken = [(resource, "watch") for resource in READ]
    with without(paging, *taken), paging.cluster.operator(ready=False) as controller:
        for permission in taken:
            eventually(partial(complained, controller, permission))
        controller.stop()


def test_without_a_permission_on_its_endpoints_the_dns_is_not_known(paging: Scene) -> None:
    for permission in sorted(DNS):
        with without(paging, permission, role=DNS_ROLE), paging.cluster.operator(ready=False) as controller:
            eventually(partial(complained, controller, permission))
            controller.stop()


def test_without_the_definitions_an_absent_kind_is_not_known_to_be_absent(paging: Scene) -> None:
    absent = [crd for crd in read_crds() if crd["spec"]["names"]["plural"] == "foreignclusters"]
    path = f"{CRDS}/{absent[0]['metadata']['name']}"
    paging.cluster.client.delete(path)
    eventually(lambda: paging.cluster.get(path) is None)
    try:
        with without(paging, (CRD, "get")), paging.cluster.operator(ready=False) as controller:
            controller.logged("Resource could not be watched")
            eventually(lambda: unready(controller) == {"watch foreignclusters", "controller"})
        with paging.cluster.operator() as controller:
            controller.stop()
    finally:
        paging.plane.install(absent)


def test_without_a_permission_on_leases_nobody_leads(paging: Scene) -> None:
    """One after the other on one controller that has none of them at first."""
    cluster = paging.cluster
    options = ("--lease-duration=4", "--renew-deadline=3", "--request-timeout=2")
    if cluster.get(LEASE):
        cluster.client.delete(LEASE)
    get, create, update = ("leases", "get"), ("leases", "create"), ("leases", "update")
    with without(paging, create, role=ROLE):
        with without(paging, get, role=ROLE), cluster.operator(*options) as controller:
            eventually(lambda: complained(controller, get))
            assert not controller.entries("Became leader")
            controller.stop()
        with cluster.operator(*options) as controller:
            eventually(lambda: complained(controller, create))
            assert not controller.entries("Became leader")
            controller.stop()
    with cluster.operator(*options) as controller:
        controller.logged("Became leader")
        with without(paging, update, role=ROLE):
            assert controller.ended() == 1
            assert complained(controller, update)
