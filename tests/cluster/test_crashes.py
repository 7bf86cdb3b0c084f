"""The controller is killed at every request that it makes, one after another, and started again.

Whatever it had done until then, no stored object may allow more than before or after, and the next run ends where an
undisturbed one does. Where nothing was written before the kill, the next kill goes on from the same state.
"""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from tests.support.api_client import Object
from tests.support.faults import Request
from tests.support.operator_churn import ALWAYS, SOMETIMES, Churn
from tests.support.operator_cluster import FINALIZER
from tests.support.operator_fork import start
from tests.support.operator_process import QUICK
from tests.support.operator_scene import Scene, staged, through

pytestmark = pytest.mark.slow

RUN = ("--once", "--no-leader-election", "--probes-address=", "--answers-address=", "--once-timeout=30")
MANY = 200
"""More requests than any of the runs makes."""


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with staged() as found:
        yield found


@dataclass(frozen=True)
class Story:
    """What happens while no controller runs, and what may be stored at any point after it.

    ``before`` says whether a controller has done its work before.
    """

    before: bool
    happen: Callable[[Churn], None]
    safe: Callable[[Churn, Object | None, list[Object]], None]


def ended(kubeconfig: Path, log: Path) -> None:
    """Let a controller do all that there is to do."""
    process = start(["run", "--kubeconfig", str(kubeconfig), *QUICK, *RUN], log)
    process.join(60)
    assert process.exitcode in (0, 3), log.read_text("utf-8")[-4000:]


def killed_at(scene: Scene, index: int, log: Path) -> list[Request] | None:
    """Kill a controller at one of its requests; the writes until then, ``None`` if it ended before."""
    with scene.proxied() as proxy:

        def kill(request: Request) -> None:
            if request.index == index:
                os.kill(process.pid or 0, signal.SIGKILL)
                raise ConnectionAbortedError

        kubeconfig = through(scene.cluster.kubeconfig, proxy.url)
        proxy.on_request = kill
        process = start(["run", "--kubeconfig", str(kubeconfig), *QUICK, *RUN], log)
        process.join(60)
        killed = process.exitcode == -signal.SIGKILL
        assert killed or process.exitcode in (0, 3), log.read_text("utf-8")[-4000:]
        return [r for _, r, status in list(proxy.requests) if r.writes and 200 <= status < 300] if killed else None


def nothing_then_all(churn: Churn, policy: Object | None, firewalls: list[Object]) -> None:
    """The chain is not there yet, or whole; and never without the finalizer."""
    for firewall in firewalls:
        churn.drops_anchors(firewall)
        assert policy is not None
        assert FINALIZER in policy["metadata"]["finalizers"]


def old_or_new(churn: Churn, policy: Object | None, firewalls: list[Object]) -> None:
    """The anchors are dropped all the time, by one of the two objects at least."""
    assert policy is not None
    whole = [each for each in firewalls if churn.is_whole(each) and "deletionTimestamp" not in each["metadata"]]
    assert whole
    for firewall in whole:
        churn.drops_anchors(firewall)


def whole_empty_or_gone(churn: Churn, policy: Object | None, firewalls: list[Object]) -> None:
    """The policy stays until its object is gone; the object is whole, or empty on purpose, never in between."""
    for firewall in firewalls:
        assert policy is not None
        assert FINALIZER in policy["metadata"]["finalizers"]
        if firewall["spec"]["table"].get("chains"):
            churn.drops_anchors(firewall)
        else:
            assert not firewall["spec"]["table"].get("sets")


def _edit(churn: Churn) -> None:
    churn.peering.policy(SOMETIMES, ALWAYS)
    for _ in range(5):
        churn.step()
    churn.peering.policy(SOMETIMES, ALWAYS)


def _delete(churn: Churn) -> None:
    churn.cluster.client.delete(churn.policy)


STORIES = {
    "a policy is written": Story(False, lambda churn: None, nothing_then_all),
    "a policy and pods change": Story(True, _edit, old_or_new),
    "a policy is deleted": Story(True, _delete, whole_empty_or_gone),
}


# `make test` runs the story with the most steps, `make faults` all of them.
@pytest.mark.parametrize("story", STORIES if "FAULT_SEEDS" in os.environ else ["a policy is deleted"])
def test_a_kill_at_any_request(scene: Scene, tmp_path: Path, story: str) -> None:
    told = STORIES[story]
    churn: Churn | None = None
    for index in count():
        assert index < MANY
        log = tmp_path / f"{index}.log"
        if churn is None:
            churn = Churn(scene, index)
            if told.before:
                ended(scene.cluster.kubeconfig, log)
            told.happen(churn)
        writes = killed_at(scene, index, log)
        told.safe(churn, scene.cluster.get(churn.policy), _stored(scene, churn))
        if writes == []:
            continue
        if writes is not None:
            ended(scene.cluster.kubeconfig, log)
        if story == "a policy is deleted":
            assert scene.cluster.get(churn.peering.firewall) is None
            assert scene.cluster.get(churn.policy) is None
        else:
            churn.converged()
        _remove(scene, churn)
        churn = None
        if writes is None:
            assert index > 10, "it made fewer requests than there are resources to watch"
            return


def _remove(scene: Scene, churn: Churn) -> None:
    """Leave nothing for the next run to do."""
    for path in (churn.policy, churn.peering.firewall, churn.peering.standin):
        scene.place.remove(path)


def _stored(scene: Scene, churn: Churn) -> list[Object]:
    found = map(scene.cluster.get, (churn.peering.firewall, churn.peering.standin))
    return [each for each in found if each is not None]
