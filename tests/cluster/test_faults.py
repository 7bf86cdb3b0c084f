"""What breaks between the controller and the API server, and in the server itself, while pods and the policy change.

For every fault: after it has ended the stored objects are what everything there is gives within ten seconds, and no
write meanwhile allowed what both policies deny.
"""

import json
import os
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.support.api_client import ApiError, Client
from tests.support.fault_proxy import FaultProxy
from tests.support.faults import Fault, Request
from tests.support.operator_churn import Churn
from tests.support.operator_process import Running
from tests.support.operator_scene import Scene, staged, through
from tests.support.waiting import pause

pytestmark = pytest.mark.slow

SEEDS = tuple(range(1, 1 + int(os.environ.get("FAULT_SEEDS", "1"))))
"""One in `make test`; `make faults` takes more."""
# What a fault lasts: longer than the longest wait of the controller.
SECONDS = 3.0
OPTIONS = ("--no-leader-election", "--watch-silence=2", "--resync-interval=2", "--request-timeout=1.5")


@dataclass(frozen=True)
class Stage:
    scene: Scene
    proxy: FaultProxy
    controller: Running


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with staged() as scene, scene.proxied() as proxy:
        direct = scene.cluster.kubeconfig
        scene.cluster.kubeconfig = through(direct, proxy.url)
        with scene.cluster.operator(*OPTIONS) as controller:
            yield Stage(scene, proxy, controller)


def converged(stage: Stage, churn: Churn) -> None:
    """Wait until all is well again; what the controller logged is shown if it is not."""
    try:
        churn.converged()
    except TimeoutError as error:
        error.add_note(f"the controller logged:\n{stage.controller.log.read_text('utf-8')[-4000:]}")
        raise


def _sometimes(share: float, of: Callable[[Request], bool], seed: int) -> Callable[[Request], bool]:
    chance, lock = random.Random(seed), threading.Lock()

    def matches(request: Request) -> bool:
        with lock:
            return of(request) and chance.random() < share

    return matches


def _writes(request: Request) -> bool:
    return request.writes


def _watches(request: Request) -> bool:
    return request.watches


def _any(request: Request) -> bool:
    return True


FAULTS: dict[str, Callable[[int], Fault]] = {
    "connections are cut before the server sees the request": lambda s: Fault(_sometimes(0.5, _any, s), cut="before"),
    "connections are cut after the server has written": lambda s: Fault(_sometimes(0.5, _writes, s), cut="after"),
    "nothing is answered": lambda s: Fault(hang=True),
    "writes are not answered": lambda s: Fault(_writes, hang=True),
    "watches are silent": lambda s: Fault(_watches, freeze=True),
    "409 to every other write": lambda s: Fault(_sometimes(0.5, _writes, s), status=409),
    "410 as an event": lambda s: Fault(_watches, gone=True),
    "410 as a status": lambda s: Fault(_sometimes(0.7, _watches, s), status=410),
    "429 with Retry-After": lambda s: Fault(_sometimes(0.7, _any, s), status=429, retry_after=1),
    "500": lambda s: Fault(_sometimes(0.7, _any, s), status=500),
    "503": lambda s: Fault(status=503),
    "504: too large resource version": lambda s: Fault(_watches, status=504),
    "403": lambda s: Fault(_any, status=403),
    "events are lost": lambda s: Fault(_watches, drop=0.3),
    "events come twice": lambda s: Fault(_watches, double=0.5),
    "events change places": lambda s: Fault(_watches, swap=0.3),
    "events are lost, come twice and change places": lambda s: Fault(_watches, drop=0.1, double=0.1, swap=0.1),
    "answers are slow": lambda s: Fault(delay=0.3),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_on_the_way_to_the_server(stage: Stage, fault: str, seed: int) -> None:
    churn = Churn(stage.scene, seed)
    converged(stage, churn)
    since = stage.proxy.count
    with stage.proxy.fault(FAULTS[fault](seed)):
        # Watches that were open before restart during the fault.
        stage.proxy.cut_all()
        churn.run(SECONDS)
    churn.step()
    converged(stage, churn)
    churn.never_widened(stage.proxy, since)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_server_is_killed_and_comes_back(stage: Stage, seed: int) -> None:
    churn = Churn(stage.scene, seed)
    converged(stage, churn)
    since = stage.proxy.count
    churn.run(0.5)
    stage.scene.plane.kill_apiserver()
    stage.scene.plane.restart_apiserver()
    churn.run(0.5)
    converged(stage, churn)
    churn.never_widened(stage.proxy, since)


@pytest.mark.parametrize("seconds", [3, 12])
def test_etcd_stands_still(stage: Stage, seconds: int) -> None:
    """Writes are without answer meanwhile; some happen all the same once it goes on."""
    churn = Churn(stage.scene, seconds)
    converged(stage, churn)
    since = stage.proxy.count
    changes = threading.Thread(target=churn.run, args=(seconds + 1.0,))
    changes.start()
    stage.scene.plane.pause_etcd()
    try:
        pause(seconds)
    finally:
        stage.scene.plane.resume_etcd()
    changes.join()
    converged(stage, churn)
    churn.never_widened(stage.proxy, since)


def test_liqos_webhook_is_down_and_then_denies(stage: Stage) -> None:
    churn = Churn(stage.scene, 1)
    converged(stage, churn)
    since = stage.proxy.count
    stage.scene.webhook.down()
    churn.run(2)
    stage.scene.webhook.up()
    churn.run(0.5)
    converged(stage, churn)
    stage.scene.webhook.refusal = "no more tables today"
    churn.step()
    churn.run(1)
    stage.scene.webhook.refusal = None
    churn.step()
    converged(stage, churn)
    churn.never_widened(stage.proxy, since)


def test_others_write_the_same_object_all_the_time(stage: Stage) -> None:
    """Eight writers change its labels and empty its rules; nothing of ours is lost, and the last word is ours."""
    churn = Churn(stage.scene, 1)
    converged(stage, churn)
    since = stage.proxy.count
    stop = threading.Event()

    def meddle(client: Client, number: int) -> None:
        count = 0
        while not stop.wait(0.05):
            count += 1
            change = {"metadata": {"labels": {f"example.com/writer-{number}": str(count)}}}
            try:
                client.patch(churn.peering.firewall, change)
            except ApiError as error:
                assert error.status in (404, 409, 429), error  # noqa: PT017  any other refusal would be a fault of the test

    clients = [stage.scene.plane.client(stage.scene.plane.kubeconfig()) for _ in range(8)]
    threads = [threading.Thread(target=meddle, args=(client, n)) for n, client in enumerate(clients)]
    for thread in threads:
        thread.start()
    churn.run(SECONDS)
    stop.set()
    for thread in threads:
        thread.join()
    converged(stage, churn)
    churn.never_widened(stage.proxy, since)
    assert not [
        one for one in stage.controller.entries() if one["level"] == "error" and churn.peering.name in json.dumps(one)
    ]


def test_the_controller_outlived_all_of_it(stage: Stage) -> None:
    assert stage.controller.process.poll() is None
    assert stage.controller.ready()
