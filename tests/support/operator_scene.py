"""Everything that the scenarios of a running controller need at once: a control plane with Liqo's objects, its webhook,
two of its agents, and the controller as it is installed. It must not know what a scenario is about.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.control_plane import ControlPlane
from tests.support.fault_proxy import FaultProxy
from tests.support.liqo_crds import with_sets_and_ctstate
from tests.support.liqo_fabric import Fabric
from tests.support.liqo_peerings import Place
from tests.support.liqo_webhook_server import WebhookServer
from tests.support.operator_cluster import OperatorCluster, install, read_crds

HOSTS = ("fabric-a", "fabric-b")


@dataclass(frozen=True)
class Scene:
    """The parts; the controller is started by ``cluster.operator()``."""

    plane: ControlPlane
    cluster: OperatorCluster
    place: Place
    fabric: Fabric
    webhook: WebhookServer

    def proxied(self, seed: int = 0) -> FaultProxy:
        """Make a proxy before the API server."""
        return FaultProxy(self.plane.server, str(self.plane.folder / "ca.crt"), seed)


def through(kubeconfig: Path, url: str) -> Path:
    """Write a kubeconfig of the same user that leads to another address."""
    config = json.loads(kubeconfig.read_text("utf-8"))
    config["clusters"][0]["cluster"] = {"server": url}
    path = kubeconfig.with_name(f"through-{url.rpartition(':')[2]}.kubeconfig")
    path.write_text(json.dumps(config), "utf-8")
    return path


@contextmanager
def staged(features: str = "") -> Iterator[Scene]:
    """Build a scene, without a controller; ``features`` are feature gates of the API server."""
    with ControlPlane(features=features, crds=with_sets_and_ctstate(read_crds())) as plane:
        cluster = OperatorCluster(plane, install(plane))
        place = Place(plane)
        with WebhookServer(plane) as webhook, Fabric(plane, *HOSTS) as fabric:
            yield Scene(plane, cluster, place, fabric, webhook)
