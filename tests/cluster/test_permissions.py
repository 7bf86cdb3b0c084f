"""The installed roles grant what a controller needs over its life, and nothing that it does not use.

The API server itself says what was asked, in its audit log.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.support.control_plane import ControlPlane
from tests.support.liqo_crds import crds, with_sets_and_ctstate
from tests.support.liqo_fabric import Fabric
from tests.support.liqo_peerings import Place
from tests.support.manifest_tools import NAME, NAMESPACE
from tests.support.operator_cluster import FINALIZER, FIREWALLS, LEASE, OperatorCluster, install
from tests.support.shipped_roles import shipped
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

USER = f"system:serviceaccount:{NAMESPACE}:{NAME}"
ABSENT = "namespaceoffloadings.offloading.liqo.io"
"""A definition that is not installed, so that the controller looks for it."""

Permission = tuple[str, str, str]
"""API group, resource with its subresource, and verb."""


class AuditedControlPlane(ControlPlane):
    """A control plane that writes down every request of the controller's service account."""

    def _run(self, name: str, *arguments: str) -> None:
        if name == "kube-apiserver":
            policy = {
                "apiVersion": "audit.k8s.io/v1",
                "kind": "Policy",
                "omitStages": ["RequestReceived"],
                "rules": [{"level": "Metadata", "users": [USER]}, {"level": "None"}],
            }
            Path(self.folder, "audit.yaml").write_text(yaml.safe_dump(policy))
            audit = (f"--audit-policy-file={self.folder / 'audit.yaml'}", f"--audit-log-path={self.audit_log}")
            arguments = (*arguments, *audit)
        super()._run(name, *arguments)

    @property
    def audit_log(self) -> Path:
        """One event in JSON for each line."""
        return self.folder / "audit.log"


@dataclass(frozen=True)
class Life:
    """What the controller asked in its life: allowed, and refused."""

    allowed: frozenset[Permission]
    refused: frozenset[Permission]


@pytest.fixture(scope="module")
def life() -> Iterator[Life]:
    with AuditedControlPlane() as plane:
        plane.install(with_sets_and_ctstate(each for each in crds() if each["metadata"]["name"] != ABSENT))
        cluster = OperatorCluster(plane, install(plane))
        place = Place(plane)
        # For a moment after its definition, the server says of a kind that it is not ready.
        eventually(lambda: plane.admin.get(FIREWALLS))
        with Fabric(plane, "fabric-a"):
            live(cluster, place)
        allowed, refused = set[Permission](), set[Permission]()
        for line in plane.audit_log.read_text().splitlines():
            event = json.loads(line)
            about = event.get("objectRef", {})
            resource = "/".join(filter(None, (about.get("resource"), about.get("subresource"))))
            asked = (about.get("apiGroup", ""), resource or event["requestURI"], event["verb"])
            is_allowed = event["annotations"]["authorization.k8s.io/decision"] == "allow"
            (allowed if is_allowed and event["responseStatus"]["code"] != 403 else refused).add(asked)
        yield Life(frozenset(allowed), frozenset(refused))


def live(cluster: OperatorCluster, place: Place) -> None:
    """Enforce policies and let them go, in every way that asks for something else of the API server."""
    peerings = [place.peering() for _ in range(3)]
    policies = [peering.policy(("deny", "remote-cluster", "any")) for peering in peerings]
    with cluster.operator() as controller:
        for policy in policies:
            cluster.said(policy, "Ready", "True")
        # A finalizer that somebody else wrote too is not taken off by giving it up.
        metadata = {"name": "policy", "namespace": peerings[0].namespace, "finalizers": [FINALIZER]}
        written = cluster.client.get(policies[0])
        identity = {key: written[key] for key in ("apiVersion", "kind")}
        cluster.client.apply({**identity, "metadata": metadata}, fieldManager="somebody")
        for policy in policies[:2]:
            cluster.client.delete(policy)
        eventually(lambda: [cluster.get(policy) for policy in policies[:2]] == [None, None])
        controller.stop()
    # What a controller finds that has been away: a policy gone by force, and its chain left behind.
    place.remove(policies[2])
    with cluster.operator():
        eventually(lambda: cluster.get(peerings[2].firewall) is None)
        held = cluster.client.get(LEASE)["spec"]["renewTime"]
        eventually(lambda: cluster.client.get(LEASE)["spec"]["renewTime"] != held)


def granted() -> frozenset[Permission]:
    """What the roles of the controller allow, names apart."""
    return frozenset(
        (group, resource, verb)
        for rules in shipped().values()
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    )


def test_nothing_is_asked_that_is_not_granted(life: Life) -> None:
    assert life.refused == frozenset()
    assert life.allowed <= granted()


def test_nothing_is_granted_that_is_not_asked(life: Life) -> None:
    """But lists, which servers before Kubernetes 1.34 do not stream, and what an apply that creates needs beside patch."""
    unused = granted() - life.allowed
    assert {each for each in unused if each[2] != "list"} == {
        ("networking.liqo.io", "firewallconfigurations", "create")
    }
    assert {each for each in granted() if each[2] == "list"} == {
        (group, resource, "list") for group, resource, verb in granted() if verb == "watch"
    }
