"""What is installed, in a real cluster: it is accepted, may do its work and no more, and goes away cleanly."""

import os
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from tools.control_plane_binaries import program

from liqo_connectivity.operator.controller.watching.resources import Resource, resources
from tests.support.api_client import ApiError, Client, Object
from tests.support.checkout import ROOT
from tests.support.control_plane import ControlPlane
from tests.support.liqo_crds import crds, with_sets_and_ctstate
from tests.support.manifest_tools import CHART, DEPLOY, NAME, NAMESPACE, helm, objects
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

POLICY_CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/peeringconnectivities.security.liqo.io"
DEPLOYMENT = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{NAME}"
ALLOW_ALL = {"rules": [{"action": "allow"}]}


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """A control plane where install.yaml was applied."""
    with ControlPlane(crds=with_sets_and_ctstate(crds())) as plane:
        done = plane.kubectl("apply", "-f", str(DEPLOY / "install.yaml"))
        assert done.returncode == 0, done.stderr
        eventually(lambda: plane.admin.serves("security.liqo.io/v1", "PeeringConnectivity"))
        yield plane


@pytest.fixture(scope="module")
def controller(plane: ControlPlane) -> Client:
    """The controller's service account."""
    return plane.client(plane.service_account_kubeconfig(NAMESPACE, NAME))


def policy(namespace: str, name: str = "policy") -> Object:
    metadata = {"name": name, "namespace": namespace}
    return {
        "apiVersion": "security.liqo.io/v1",
        "kind": "PeeringConnectivity",
        "metadata": metadata,
        "spec": ALLOW_ALL,
    }


# ---- The pod ----


def pod() -> Any:
    """The controller's pod, as the Deployment describes it."""
    deployment = objects(Path(DEPLOY, "install.yaml").read_text("utf-8"))["Deployment", NAMESPACE, NAME]
    template = deepcopy(deployment["spec"]["template"])
    metadata = {**template["metadata"], "name": NAME, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def test_the_pod_is_admitted_by_restricted_pod_security(plane: ControlPlane) -> None:
    assert plane.admin.create(pod(), dryRun="All")["spec"]["securityContext"]["runAsUser"] == 65532


@pytest.mark.parametrize("part", ["allowPrivilegeEscalation", "capabilities"])
def test_a_pod_with_less_is_not(plane: ControlPlane, part: str) -> None:
    """So the namespace of install.yaml does enforce it."""
    weaker = pod()
    del weaker["spec"]["containers"][0]["securityContext"][part]
    with pytest.raises(ApiError, match="violates PodSecurity"):
        plane.admin.create(weaker, dryRun="All")


# ---- What the controller may do ----


@pytest.mark.parametrize("resource", resources("liqo"), ids=lambda resource: resource.name)
def test_the_controller_may_watch_what_it_watches(controller: Client, resource: Resource) -> None:
    # For a moment after its definition, the server says of a kind that it is not ready.
    eventually(lambda: controller.get(resource.path, **dict(resource.query)))
    for event in controller.watch(resource.path, 1, **dict(resource.query)):
        assert event["type"] != "ERROR", event


@pytest.mark.parametrize("crd", sorted(resource.crd for resource in resources("liqo") if resource.crd))
def test_the_controller_may_look_for_the_definitions(controller: Client, crd: str) -> None:
    assert controller.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd}")


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/secrets",
        f"/api/v1/namespaces/{NAMESPACE}/secrets",
        "/api/v1/configmaps",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles",
        "/apis/discovery.k8s.io/v1/endpointslices",
        "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
    ],
)
def test_the_controller_may_not_read(controller: Client, path: str) -> None:
    with pytest.raises(ApiError, match="Forbidden"):
        controller.list(path)


def test_the_controller_may_hold_its_lease_and_no_other(controller: Client) -> None:
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": {"holderIdentity": "a"}}

    def named(name: str, namespace: str = NAMESPACE) -> Object:
        return {**lease, "metadata": {"name": name, "namespace": namespace}}

    stored = controller.create(named(NAME))
    controller.replace({**stored, "spec": {"holderIdentity": "b"}})
    other = controller.create(named("other"))
    with pytest.raises(ApiError, match="Forbidden"):
        controller.replace(other)
    with pytest.raises(ApiError, match="Forbidden"):
        controller.create(named(NAME, "default"))


def test_the_controller_may_judge_a_policy_and_not_make_one(plane: ControlPlane, controller: Client) -> None:
    tenant = plane.namespace("liqo-tenant")
    with pytest.raises(ApiError, match="Forbidden"):
        controller.apply(policy(tenant))
    stored = plane.admin.create(policy(tenant))
    path = plane.admin.path(stored)
    identity = {key: value for key, value in policy(tenant).items() if key != "spec"}
    apply = "application/apply-patch+yaml"
    query = {"fieldManager": NAME, "force": "true"}
    controller.patch(f"{path}/status", {**identity, "status": {"observedGeneration": 1}}, apply, **query)
    held = {**identity["metadata"], "finalizers": ["security.liqo.io/peering-connectivity"]}
    assert controller.patch(path, {**identity, "metadata": held}, apply, **query)["metadata"]["finalizers"]
    assert controller.patch(path, {**identity, "metadata": {**held, "finalizers": []}}, apply, **query)
    with pytest.raises(ApiError, match="Forbidden"):
        controller.delete(path)


def test_the_controller_may_write_chains(plane: ControlPlane, controller: Client) -> None:
    tenant = plane.namespace("liqo-tenant")
    chain = {
        "apiVersion": "networking.liqo.io/v1beta1",
        "kind": "FirewallConfiguration",
        "metadata": {"name": "chain", "namespace": tenant},
        "spec": {"table": {"name": "chain", "family": "IPV4"}},
    }
    path = controller.path(controller.apply(chain))
    assert controller.get(path)["spec"] == chain["spec"]
    controller.delete(path)


def test_the_controller_may_tell_events(plane: ControlPlane, controller: Client) -> None:
    tenant = plane.namespace("liqo-tenant")
    stored = plane.admin.create(policy(tenant))
    controller.create(
        {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": "policy.1", "namespace": tenant},
            "eventTime": "2026-07-01T10:00:00.000000Z",
            "type": "Normal",
            "reason": "FabricSynced",
            "action": "Program",
            "reportingController": NAME,
            "reportingInstance": "a",
            "regarding": {
                "apiVersion": stored["apiVersion"],
                "kind": stored["kind"],
                "name": "policy",
                "namespace": tenant,
                "uid": stored["metadata"]["uid"],
            },
        }
    )


# ---- make, and Helm ----


def make(plane: ControlPlane, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run targets of the Makefile as the administrator of the control plane."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(plane.folder), "KUBECONFIG": str(plane.kubeconfig())}
    command = ["make", "--no-print-directory", f"KUBECTL={program('kubectl')}", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, check=False)


def missing(plane: ControlPlane, path: str) -> bool:
    try:
        plane.admin.get(path)
    except ApiError as error:
        return error.status == 404
    return False


def test_make_installs_and_uninstalls(fresh_control_plane: ControlPlane) -> None:
    plane = fresh_control_plane
    for arguments in (["install"], ["uninstall"], ["uninstall"], ["deploy", "IMG=registry.example:5000/engine:1"]):
        done = make(plane, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    [container] = plane.admin.get(DEPLOYMENT)["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example:5000/engine:1"
    eventually(lambda: plane.admin.serves("security.liqo.io/v1", "PeeringConnectivity"))
    stored = plane.admin.create(policy("default"))
    for target in ("undeploy", "uninstall"):
        refused = make(plane, target)
        assert refused.returncode != 0
        assert "delete peeringconnectivities --all --all-namespaces" in refused.stderr
        assert not missing(plane, DEPLOYMENT)
    plane.admin.delete(plane.admin.path(stored))
    done = make(plane, "undeploy")
    assert done.returncode == 0, done.stdout + done.stderr
    assert missing(plane, DEPLOYMENT)
    eventually(lambda: missing(plane, POLICY_CRD))
    assert not missing(plane, f"/api/v1/namespaces/{NAMESPACE}"), "others may use the namespace"


def test_helm_installs_upgrades_and_leaves_the_policies(fresh_control_plane: ControlPlane) -> None:
    plane = fresh_control_plane
    kubeconfig = plane.kubeconfig()

    def run(*arguments: str) -> str:
        done = helm(*arguments, "--namespace", NAMESPACE, kubeconfig=kubeconfig)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    notes = run("install", NAME, str(CHART), "--create-namespace")
    assert f"kubectl -n {NAMESPACE} logs -l app={NAME}" in notes
    eventually(lambda: plane.admin.serves("security.liqo.io/v1", "PeeringConnectivity"))
    stored = plane.admin.create(policy("default"))
    run("upgrade", NAME, str(CHART), "--set", "replicas=2")
    assert plane.admin.get(DEPLOYMENT)["spec"]["replicas"] == 2
    run("uninstall", NAME)
    assert missing(plane, DEPLOYMENT)
    assert plane.admin.get(plane.admin.path(stored))["spec"] == ALLOW_ALL
    run("install", NAME, str(CHART))
