"""An agent on a real API server: it follows what is published, keeps it while the server is away, and deletes what has gone."""

import subprocess
import sys
from collections.abc import Iterable
from typing import Any, cast

import yaml

from liqo_connectivity.chains import AgentTable, Publication, publication, published_objects
from liqo_connectivity.operator.agent.applying.keeper import empty
from tests.support.agent_tables import is_there, made, nft
from tests.support.checkout import ROOT
from tests.support.control_plane import ControlPlane
from tests.support.own_namespace import in_own_namespace
from tests.support.waiting import eventually

PROGRAM = (sys.executable, "-m", "liqo_connectivity", "agent", "--address", "")
CRDS = ("crd-connectivitychains.yaml", "crd-connectivitysetslices.yaml")

AGENT = {"name": "agent", "namespace": "default"}
READS = {"apiGroups": ["security.liqo.io"], "resources": ["connectivitychains", "connectivitysetslices"]}
ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "agent"},
    "rules": [{**READS, "verbs": ["list", "watch"]}],
}
BINDING = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "agent"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "agent"},
    "subjects": [{"kind": "ServiceAccount", **AGENT}],
}


def crds() -> Iterable[dict[str, Any]]:
    return [yaml.safe_load((ROOT / "deploy/base" / name).read_text("utf-8")) for name in CRDS]


def publish(plane: ControlPlane, table: AgentTable, revision: int, before: Publication | None = None) -> Publication:
    """Write what is to be published of a table after what is."""
    made = publication((table, empty(table, "ip6")), revision=revision, before=before)
    for each in published_objects(made):
        plane.admin.apply(cast("dict[str, Any]", each))
    return made


def test_it_follows_what_is_published_and_keeps_it_while_the_server_is_away() -> None:
    """All in one network namespace, with a control plane in it."""

    def scenario() -> list[bool]:
        # The API server asks for a default route, whose address it tells to others.
        for words in (
            "link add v0 type veth peer name v1",
            "addr add 192.0.2.1/24 dev v0",
            "link set v0 up",
            "link set v1 up",
        ):
            subprocess.run(["ip", *words.split()], check=True)
        subprocess.run(["ip", "route", "add", "default", "via", "192.0.2.2", "dev", "v0"], check=True)
        with ControlPlane(controllers=False, crds=crds()) as plane:
            namespace = "liqo-tenant-milan"
            plane.admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
            first = publish(plane, made(), 1)
            for each in (ROLE, BINDING, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": AGENT}):
                plane.admin.apply(each)
            kubeconfig = plane.service_account_kubeconfig(AGENT["namespace"], AGENT["name"])
            process = subprocess.Popen([*PROGRAM, "--kubeconfig", str(kubeconfig)])
            try:
                eventually(lambda: is_there(made()))
                second = publish(plane, made(3), 2, first)
                eventually(lambda: is_there(made(3)))
                third = publish(plane, made(3, rules=2), 3, second)
                eventually(lambda: is_there(made(3, rules=2)))
                plane.kill_apiserver()
                nft("flush ruleset")
                eventually(lambda: is_there(made(3, rules=2)))
                plane.restart_apiserver()
                publish(plane, made(4, rules=2), 4, third)
                eventually(lambda: is_there(made(4, rules=2)))
                plane.admin.delete(f"/apis/security.liqo.io/v1alpha1/namespaces/{namespace}/connectivitychains/milan")
                eventually(is_there)
                process.terminate()
                return [process.wait(30) == 0]
            finally:
                process.kill()
                process.wait()

    assert in_own_namespace(scenario) == [True]
