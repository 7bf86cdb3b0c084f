"""``make playground``: a real control plane with the objects of an example, and the controller at work in it.

For a reader who wants to see the whole without a cluster at hand: etcd, the API server, Liqo's CRDs with the fields
that its open pull requests add, Liqo's webhook and its agents (both emulated), everything that this project installs,
and the controller as a child process. It shows what a user would look at; with ``--keep`` it then stays until Ctrl-C.
"""

import os
import shlex
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from threading import Event

from tests.support.control_plane import ControlPlane
from tests.support.liqo_crds import crds, with_sets_and_ctstate
from tests.support.liqo_fabric import Fabric
from tests.support.liqo_webhook_server import WebhookServer
from tests.support.manifest_tools import NAMESPACE
from tests.support.operator_cluster import OperatorCluster, install
from tests.support.operator_process import ROOT
from tests.support.planted import plant
from tests.support.waiting import eventually

EXAMPLE = ROOT / "examples/consumer"
FABRIC = "liqo-fabric-7hq2n"
"""The one agent among the example's pods: the emulated one takes its place."""
POLICY = "/apis/security.liqo.io/v1/namespaces/liqo-tenant-milan/peeringconnectivities/milan"
SHOWN = (
    "kubectl get peeringconnectivities --all-namespaces",
    "kubectl get firewallconfigurations --all-namespaces",
    "kubectl get events --all-namespaces",
    "liqo-connectivity why --operator infra/metrics-0 shop/web-0:8080/tcp",
    "kubectl delete peeringconnectivity milan --namespace liqo-tenant-milan",
    "kubectl get firewallconfigurations --all-namespaces",
)


def main() -> int:
    """Set everything up, show it, and take it down."""
    parser = ArgumentParser(prog="make playground", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="show nothing, and stay until Ctrl-C")
    keep = parser.parse_args().keep
    print("starting etcd, the API server and the controller manager", flush=True)
    with ControlPlane(crds=with_sets_and_ctstate(crds())) as plane:
        cluster = OperatorCluster(plane, install(plane))
        print(f"creating the objects of {EXAMPLE.relative_to(ROOT)}", flush=True)
        plant(plane.admin, EXAMPLE)
        plane.admin.delete(f"/api/v1/namespaces/liqo/pods/{FABRIC}", gracePeriodSeconds="0")
        with WebhookServer(plane), Fabric(plane, FABRIC), cluster.operator() as controller:
            cluster.said(POLICY, "Ready", "True")
            environment = {
                **os.environ,
                "KUBECONFIG": str(plane.kubeconfig()),
                "LIQO_CONNECTIVITY_OPERATOR": f"http://127.0.0.1:{controller.port('answers')}",
                "PATH": os.pathsep.join((str(Path(sys.executable).parent), _folder("kubectl"), os.environ["PATH"])),
            }
            return _stay(environment) if keep else _show(cluster, environment)


def _folder(name: str) -> str:
    from tools.control_plane_binaries import program

    return str(Path(program(name)).parent)


def _show(cluster: OperatorCluster, environment: Mapping[str, str]) -> int:
    codes: list[int] = []
    for line in SHOWN:
        print(f"$ {line}", flush=True)
        command = shlex.split(line)
        if command[1] == "get" and "delete" in SHOWN[SHOWN.index(line) - 1]:
            eventually(lambda: not cluster.written())
        done = subprocess.run(command, env=dict(environment), check=False)
        # ``why`` says by its exit code that the flow is denied.
        codes.append(done.returncode if command[0] == "kubectl" else done.returncode != 1)
    return 1 if any(codes) else 0


def _stay(environment: Mapping[str, str]) -> int:
    print("it runs; in another terminal:")
    for name in ("KUBECONFIG", "LIQO_CONNECTIVITY_OPERATOR"):
        print(f"  export {name}={environment[name]}")
    print(f"  export PATH={environment['PATH'].rpartition(os.pathsep)[0]}:$PATH")
    print(f"the controller is installed in {NAMESPACE}; Ctrl-C ends everything", flush=True)
    try:
        Event().wait()
    except KeyboardInterrupt:
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
