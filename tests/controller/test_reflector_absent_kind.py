"""A reflector of a kind that is not installed: it is empty, and looked for."""

from pathlib import Path

import pytest

from liqo_connectivity.facts.base.fact import ObjectKey
from tests.support.reflector_rig import RESOURCES, end_at_once, follow_only, synced, watching
from tests.support.scripted_api import Exchange, Json
from tests.support.waiting import eventually

# ---- A kind that does not exist ----

CRD_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/networks.ipam.liqo.io"
NETWORKS = RESOURCES["networks"]


def network(version: int) -> Json:
    return {
        "metadata": {"name": "n", "namespace": "liqo", "resourceVersion": str(version)},
        "status": {"cidr": "10.71.0.0/16"},
    }


def test_a_kind_without_crd_is_empty_and_looked_for(tmp_path: Path) -> None:
    exists = False

    def script(exchange: Exchange) -> None:
        if exists:
            follow_only([], [network(5)])(exchange)
        else:
            exchange.status(404, "NotFound")

    with watching(script, tmp_path, resource=NETWORKS) as running:
        assert running.reflector.synced.wait(10)
        assert running.queue.take(0) == {}
        assert [request.path for request in running.server.requests[:2]] == [
            "/apis/ipam.liqo.io/v1alpha1/networks",
            CRD_PATH,
        ]
        exists = True
        eventually(lambda: list(running.queue.take(0)) == [("networks", ObjectKey("Network", "liqo", "n"))])


def test_the_objects_of_a_crd_that_goes_are_gone(tmp_path: Path) -> None:
    exists = True

    def script(exchange: Exchange) -> None:
        if not exists:
            exchange.status(404, "NotFound")
        elif "sendInitialEvents" in exchange.request.query:
            follow_only([], [network(5)])(exchange)
        else:
            end_at_once(exchange)

    with watching(script, tmp_path, resource=NETWORKS) as running:
        synced(running)
        key = ("networks", ObjectKey("Network", "liqo", "n"))
        assert list(running.queue.take(0)) == [key]
        exists = False
        eventually(lambda: dict(running.queue.take(0)) == {key: None})


@pytest.mark.parametrize("crd", [200, 403, 500])
def test_a_kind_whose_crd_may_exist_is_not_taken_for_empty(tmp_path: Path, crd: int) -> None:
    def script(exchange: Exchange) -> None:
        if exchange.request.path == CRD_PATH and crd == 200:
            exchange.json(200, {"metadata": {}})
        else:
            exchange.status(crd if exchange.request.path == CRD_PATH else 404)

    with watching(script, tmp_path, resource=NETWORKS) as running:
        eventually(lambda: running.restarts("refused") >= 3)
        assert not running.reflector.synced.is_set()


def test_a_kind_of_kubernetes_itself_is_never_taken_for_absent(tmp_path: Path) -> None:
    with watching(lambda exchange: exchange.status(404, "NotFound"), tmp_path) as running:
        eventually(lambda: running.restarts("refused") >= 3)
        assert not running.reflector.synced.is_set()
