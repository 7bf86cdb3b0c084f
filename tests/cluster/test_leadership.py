"""Two controllers of one cluster, the leading one stopped in the middle of its work: it never writes after the other.

What it had sent already arrives late, and what it was about to send is not sent at all. A late write of an object that was
there is refused. Nothing can guard a late creation, so what it creates enforces nothing, and goes again.
"""

import signal
import threading
from collections.abc import Iterator
from datetime import datetime

import pytest

from liqo_connectivity.operator.controller.settings import Settings, flag_name
from tests.support.fault_proxy import FaultProxy
from tests.support.faults import Request
from tests.support.liqo_peerings import Peering
from tests.support.operator_cluster import LEASE
from tests.support.operator_process import Running
from tests.support.operator_scene import Scene, staged, through

pytestmark = pytest.mark.slow

OPTIONS = ("--lease-duration=3", "--renew-deadline=2", "--request-timeout=1.5")
DEFAULTS = tuple(
    f"{flag_name(name)}={getattr(Settings(), name):g}"
    for name in ("lease_duration", "renew_deadline", "retry_period", "request_timeout")
)
"""What the controller has without flags; the tests' own are others."""
BEFORE = (("deny", "vc-remote", "any"),)
MEANT = (("deny", "vc-remote", "any"), ("allow", "any", "any"))
AFTER = (("deny", "any", "any"),)


@pytest.fixture(scope="module")
def quiet() -> Iterator[Scene]:
    """A scene in which no other controller runs."""
    with staged() as found:
        yield found


class Leader:
    """The leading controller, which is stopped at one of its writes of chains."""

    def __init__(self, running: Running, proxy: FaultProxy) -> None:
        self.running = running
        self.proxy = proxy
        self.stopped = threading.Event()
        self.arrives = threading.Event()

    def stop_at(self, number: int, *, late: bool) -> None:
        """Stop it when it sends the write with this number, from 1 on; ``late`` holds it back until ``arrives``."""
        seen: list[Request] = []

        def stop(request: Request) -> None:
            if not request.writes or "/firewallconfigurations/" not in request.path:
                return
            seen.append(request)
            if len(seen) == number:
                self.running.process.send_signal(signal.SIGSTOP)
                self.stopped.set()
                if late:
                    self.arrives.wait(60)

        self.proxy.on_request = stop


def stored(scene: Scene, peerings: list[Peering]) -> list[object]:
    return [scene.cluster.client.get(peering.firewall)["spec"] for peering in peerings]


def test_a_standby_takes_over_within_ten_seconds_of_a_kill(quiet: Scene) -> None:
    cluster, peering = quiet.cluster, quiet.place.peering()
    policy = peering.policy(*BEFORE)
    with cluster.operator(*DEFAULTS) as first:
        cluster.programmed(policy)
        with cluster.operator(*DEFAULTS) as second:
            first.kill()
            # Nobody leads now, and the standby sees the change.
            peering.policy(*AFTER)
            dead = cluster.client.get(LEASE)["spec"]
            second.logged("Became leader")
            cluster.as_rendered(peering.namespace)
            taken = cluster.client.get(LEASE)["spec"]
            assert dead["holderIdentity"] != taken["holderIdentity"]
            waited = datetime.fromisoformat(taken["acquireTime"]) - datetime.fromisoformat(dead["renewTime"])
            assert waited.total_seconds() <= 10
            # The next leader need not wait when this one stops in order.
            with cluster.operator(*DEFAULTS) as third:
                second.stop()
                released = cluster.client.get(LEASE)["spec"]["renewTime"]
                third.logged("Became leader")
                taken = cluster.client.get(LEASE)["spec"]
                waited = datetime.fromisoformat(taken["acquireTime"]) - datetime.fromisoformat(released)
                assert waited.total_seconds() < Settings().lease_duration / 2
                third.stop()
    for path in (policy, peering.firewall):
        quiet.place.remove(path)


def enforces(request: Request) -> bool:
    """Whether a write changes what an agent applies: all but the creation of an empty object that no agent selects."""
    if request.method != "PATCH" or "uid" in request.body["metadata"]:
        return True
    selected = any(label.startswith("networking.liqo.io/") for label in request.body["metadata"]["labels"])
    return selected or bool(request.body["spec"]["table"]["chains"])


@pytest.mark.parametrize(("number", "late"), [(1, False), (1, True), (2, True), (3, True), (5, True), (7, True)])
def test_a_leader_that_is_stopped_between_two_writes_does_not_undo_what_the_next_one_wrote(
    quiet: Scene, number: int, late: bool
) -> None:
    cluster = quiet.cluster
    peerings = [quiet.place.peering() for _ in range(2)]
    policies = [peering.policy(*BEFORE) for peering in peerings]
    direct = cluster.kubeconfig
    with quiet.proxied() as proxy:
        cluster.kubeconfig = through(direct, proxy.url)
        with cluster.operator(*OPTIONS) as first:
            cluster.kubeconfig = direct
            leader = Leader(first, proxy)
            for policy in policies:
                cluster.programmed(policy)
            with cluster.operator(*OPTIONS, ready=False) as second:
                second.logged("Started")
                leader.stop_at(number, late=late)
                since = proxy.count
                for peering in peerings:
                    peering.policy(*MEANT)
                assert leader.stopped.wait(20)
                for peering in peerings:
                    peering.policy(*AFTER)
                second.logged("Became leader")
                for peering in peerings:
                    cluster.as_rendered(peering.namespace)
                before = cluster.settled()
                written = stored(quiet, peerings)
                leader.arrives.set()
                first.process.send_signal(signal.SIGCONT)
                first.ended(20)
                assert cluster.settled() == before
                assert stored(quiet, peerings) == written
                # Before it was stopped, it wrote; what arrived late was refused, or enforces nothing.
                before_it_stopped = number - 1 if late else number
                arrived = proxy.written("firewallconfigurations", since)[before_it_stopped:]
                assert len(arrived) <= 1
                assert not any(map(enforces, arrived))
                second.stop()
    for path in (*policies, *(peering.firewall for peering in peerings)):
        quiet.place.remove(path)
