"""Everything that the scenarios of a running controller need at once: a control plane with Liqo's objects, its webhook,
two of its agents, and the controller as it is installed. It must not know what a scenario is about.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from control_plane import ControlPlane
from liqo_crds import with_sets_and_ctstate
from liqo_fabric import Fabric
from liqo_peerings import Place
from liqo_webhook_server import WebhookServer
from operator_cluster import OperatorCluster, install, read_crds

HOSTS = ("fabric-a", "fabric-b")


@dataclass(frozen=True)
class Scene:
    """The parts; the controller is started by ``cluster.operator()``."""

    plane: ControlPlane
    cluster: OperatorCluster
    place: Place
    fabric: Fabric
    webhook: WebhookServer


@contextmanager
def staged(features: str = "") -> Iterator[Scene]:
    """Build a scene, without a controller; ``features`` are feature gates of the API server."""
    with ControlPlane(features=features) as plane:
        plane.install(with_sets_and_ctstate(read_crds()))
        cluster = OperatorCluster(plane, install(plane))
        place = Place(plane)
        with WebhookServer(plane) as webhook, Fabric(plane, *HOSTS) as fabric:
            yield Scene(plane, cluster, place, fabric, webhook)
