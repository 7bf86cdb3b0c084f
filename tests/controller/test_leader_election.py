"""At most one process leads, whatever hangs, pauses, dies or lies; and a leader that stops lets the next one in at once."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pytest

from liqo_connectivity.operator.controller.leader_election import LeaderElector, new_identity
from liqo_connectivity.operator.controller.serving.metrics import Metrics
from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.kube.errors import NotLeading
from liqo_connectivity.operator.kube.rest_client import RestClient
from tests.support.scripted_api import Exchange, Json, ScriptedApi, scripted_api
from tests.support.waiting import eventually, pause

PATH = "/apis/coordination.k8s.io/v1/namespaces/liqo/leases"
QUICK = Settings(lease_duration=1.0, renew_deadline=0.6, retry_period=0.05, request_timeout=0.5)


class Leases:
    """A script: one Lease, with the API server's optimistic concurrency, that can hang or refuse."""

    def __init__(self) -> None:
        self.stored: Json | None = None
        self.version = 1
        self.lock = threading.Lock()
        self.hangs: Callable[[Exchange], bool] = lambda exchange: False
        self.history: list[Json] = []
        """Every spec that was written."""

    def __call__(self, exchange: Exchange) -> None:
        if self.hangs(exchange):
            exchange.hang()
            return
        with self.lock:
            self._answer(exchange)

    def _answer(self, exchange: Exchange) -> None:
        request = exchange.request
        body = request.body or {}
        current = self.stored["metadata"]["resourceVersion"] if self.stored else None
        if request.method == "POST" and request.path == PATH:
            if self.stored is None:
                self._store(body, exchange)
            else:
                exchange.status(409, "AlreadyExists")
        elif request.path != f"{PATH}/liqo-connectivity-engine" or self.stored is None:
            exchange.status(404, "NotFound")
        elif request.method == "GET":
            exchange.json(200, self.stored)
        elif body["metadata"]["resourceVersion"] != current:
            exchange.status(409, "Conflict")
        else:
            self._store(body, exchange)

    def _store(self, body: Json, exchange: Exchange) -> None:
        self.version += 1
        self.stored = body | {"metadata": body["metadata"] | {"resourceVersion": str(self.version)}}
        self.history.append(body["spec"])
        exchange.json(200, self.stored)

    @property
    def spec(self) -> Json:
        assert self.stored is not None
        spec: Json = self.stored["spec"]
        return spec

    def holder(self) -> str:
        return str(self.stored["spec"].get("holderIdentity", "")) if self.stored else ""

    def seize(self, identity: str) -> None:
        """Write another holder, as if somebody had edited the object."""
        with self.lock:
            assert self.stored is not None
            self.version += 1
            metadata = self.stored["metadata"] | {"resourceVersion": str(self.version)}
            self.stored = {"metadata": metadata, "spec": self.spec | {"holderIdentity": identity}}


class Election:
    """Candidates for one lease."""

    def __init__(self, server: ScriptedApi, folder: Path, cleanup: ExitStack) -> None:
        self.leases = Leases()
        server.script = self.leases
        self.server = server
        self.lost: list[str] = []
        self.metrics: dict[str, Metrics] = {}
        self._folder = folder
        self._cleanup = cleanup

    def candidate(self, identity: str, settings: Settings = QUICK) -> LeaderElector:
        self.metrics[identity] = Metrics()
        api = RestClient(self.server.client(self._folder), deadline=settings.request_timeout)
        lease = LeaderElector(
            api,
            settings,
            "liqo",
            lost=lambda: self.lost.append(identity),
            metrics=self.metrics[identity],
            identity=identity,
        )
        lease.start()
        self._cleanup.callback(lease.stop, 5)
        return lease

    def gauge(self, identity: str) -> float | None:
        labels = {"name": "liqo-connectivity-engine"}
        return self.metrics[identity].registry.get_sample_value("leader_election_master_status", labels)


@pytest.fixture
def election(tmp_path: Path) -> Iterator[Election]:
    with scripted_api(lambda exchange: exchange.status(404)) as server, ExitStack() as cleanup:
        yield Election(server, tmp_path, cleanup)


def leads(lease: LeaderElector) -> None:
    eventually(lease.is_leader)


def never_both(leases: list[LeaderElector], seconds: float) -> int:
    """Watch for a while that no two lead at once; how often nobody did."""
    nobody = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        leading = [lease.identity for lease in leases if lease.is_leader()]
        assert len(leading) <= 1
        nobody += not leading
        pause(0.002)
    return nobody


def test_the_first_candidate_leads_and_keeps_leading(election: Election) -> None:
    first = election.candidate("first")
    assert not first.is_leader()
    leads(first)
    assert first.acquired.is_set()
    assert never_both([first], 1.5) == 0
    spec = election.leases.spec
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("first", 1, 0)
    assert datetime.fromisoformat(spec["acquireTime"]) < datetime.fromisoformat(spec["renewTime"])
    assert election.gauge("first") == 1
    assert election.lost == []


def test_the_second_waits_while_the_first_renews(election: Election) -> None:
    first = election.candidate("first")
    leads(first)
    second = election.candidate("second")
    assert never_both([first, second], 2.0) == 0
    assert first.is_leader()
    assert not second.acquired.is_set()
    assert (second.holder, election.gauge("second")) == ("first", 0)


def test_one_of_many_that_start_together_leads(election: Election) -> None:
    candidates = [election.candidate(f"c{index}") for index in range(5)]
    eventually(lambda: any(each.is_leader() for each in candidates))
    never_both(candidates, 1.5)
    assert [each.is_leader() for each in candidates].count(True) == 1
    assert len({spec["holderIdentity"] for spec in election.leases.history}) == 1


def test_a_leader_that_stops_lets_the_next_in_before_the_duration_is_over(election: Election) -> None:
    slow = Settings(lease_duration=60.0, renew_deadline=30.0, retry_period=0.05, request_timeout=1.0)
    first = election.candidate("first", slow)
    leads(first)
    second = election.candidate("second", slow)
    first.stop(5)
    assert not first.is_leader()
    assert not first.alive
    leads(second)
    free = next(spec for spec in election.leases.history if "holderIdentity" not in spec)
    assert free["leaseTransitions"] == 0
    assert election.leases.spec["leaseTransitions"] == 1
    assert (second.transitions, election.lost) == (1, [])
    assert election.gauge("first") == 0


def test_stopping_ends_leadership_before_the_lease_is_free(election: Election) -> None:
    first = election.candidate("first")
    leads(first)
    was_leader: list[bool] = []

    def note(exchange: Exchange) -> bool:
        body = exchange.request.body
        if body is not None and "holderIdentity" not in body["spec"]:
            was_leader.append(first.is_leader())
        return False

    election.leases.hangs = note
    first.stop(5)
    assert was_leader == [False]
    assert election.leases.holder() == ""


def test_a_leader_that_dies_is_replaced_after_the_duration(election: Election) -> None:
    first = election.candidate("first")
    leads(first)
    second = election.candidate("second")
    eventually(lambda: second.holder == "first")
    # As if it had been killed: it neither renews nor releases.
    first._attempt = lambda: None  # type: ignore[method-assign]
    silent = time.monotonic()
    leads(second)
    assert time.monotonic() - silent > 0.5
    assert not first.is_leader()
    assert election.leases.spec["leaseTransitions"] == 1
    assert election.lost == ["first"]


@pytest.mark.parametrize("methods", [{"PUT"}, {"GET", "PUT", "POST"}])
def test_a_hanging_server_never_keeps_the_lead(election: Election, methods: set[str]) -> None:
    first = election.candidate("first")
    leads(first)
    hung = time.monotonic()
    election.leases.hangs = lambda exchange: exchange.request.method in methods
    eventually(lambda: not first.is_leader())
    assert time.monotonic() - hung < QUICK.renew_deadline + 0.5
    eventually(lambda: election.lost == ["first"])
    assert not first.alive
    election.leases.hangs = lambda exchange: False
    pause(0.3)
    assert not first.is_leader()


def test_a_leader_that_is_cut_off_stops_before_another_begins(election: Election) -> None:
    first = election.candidate("first")
    leads(first)
    second = election.candidate("second")
    cut = "first"
    election.leases.hangs = lambda exchange: (
        exchange.request.body is not None and exchange.request.body["spec"].get("holderIdentity") == cut
    )
    assert never_both([first, second], 2.5) > 0
    assert second.is_leader()
    assert election.lost == ["first"]


def test_a_paused_process_does_not_lead_when_it_goes_on(election: Election) -> None:
    first = election.candidate("first")
    leads(first)
    second = election.candidate("second")
    eventually(lambda: second.holder == "first")
    # What a pause of the process looks like from inside: no time passes between two statements but on the clock.
    resumed = threading.Event()
    attempt = first._attempt

    def paused() -> None:
        resumed.wait(10)
        attempt()

    first._attempt = paused  # type: ignore[method-assign]
    leads(second)
    assert not first.is_leader()
    resumed.set()
    never_both([first, second], 0.5)
    eventually(lambda: election.lost == ["first"])
    assert second.is_leader()


def test_a_renewal_whose_answer_was_lost_costs_nothing(election: Election) -> None:
    first = election.candidate("first")
    leads(first)
    lost = 0

    def made_without_answer(exchange: Exchange) -> bool:
        nonlocal lost
        if exchange.request.method == "PUT" and lost < 2:
            lost += 1
            with election.leases.lock:
                stored = election.leases.stored
                assert stored is not None
                election.leases.version += 1
                stored["metadata"]["resourceVersion"] = str(election.leases.version)
            exchange.drop()
            return True
        return False

    election.leases.hangs = made_without_answer
    assert never_both([first], 1.0) == 0
    assert lost == 2


def test_a_lease_that_is_seized_or_deleted(election: Election) -> None:
    first = election.candidate("first")
    leads(first)
    with election.leases.lock:
        election.leases.stored = None
    eventually(lambda: election.leases.holder() == "first")
    assert first.is_leader()
    election.leases.seize("intruder")
    eventually(lambda: not first.is_leader(), 2)
    eventually(lambda: election.lost == ["first"])
    assert election.leases.holder() == "intruder"


def test_the_wall_clock_of_the_holder_does_not_matter(election: Election) -> None:
    with election.leases.lock:
        spec = {
            "holderIdentity": "skewed",
            "renewTime": "2001-01-01T00:00:00.000000Z",
            "leaseDurationSeconds": 1,
            "leaseTransitions": 7,
        }
        election.leases.stored = {"metadata": {"resourceVersion": "1"}, "spec": spec}
    begin = time.monotonic()
    first = election.candidate("first")
    leads(first)
    assert time.monotonic() - begin >= 1
    assert election.leases.spec["leaseTransitions"] == 8


@pytest.mark.parametrize("spec", [{}, {"holderIdentity": ""}, {"holderIdentity": None}, None])
def test_a_lease_that_nobody_holds_is_taken_at_once(election: Election, spec: Json | None) -> None:
    election.leases.stored = {"metadata": {"resourceVersion": "1"}, "spec": spec}
    slow = Settings(lease_duration=60.0, renew_deadline=30.0, retry_period=0.05, request_timeout=1.0)
    leads(election.candidate("first", slow))


def test_a_candidate_that_never_led_loses_nothing(election: Election) -> None:
    election.leases.hangs = lambda exchange: True
    first = election.candidate("first")
    pause(0.2)
    first.stop(5)
    assert (first.alive, election.lost, first.is_leader()) == (False, [], False)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_the_thread_ends_leadership(election: Election) -> None:
    first = election.candidate("first")
    leads(first)

    def fail() -> None:
        raise SystemExit

    first._attempt = fail  # type: ignore[method-assign]
    eventually(lambda: election.lost == ["first"])
    assert not first.is_leader()


def test_a_write_needs_the_lead(election: Election, tmp_path: Path) -> None:
    first = election.candidate("first")
    api = RestClient(election.server.client(tmp_path), fence=first.is_leader)
    leads(first)
    api.replace(f"{PATH}/liqo-connectivity-engine", election.leases.stored or {})
    first.stop(5)
    before = len(election.server.requests)
    with pytest.raises(NotLeading):
        api.delete(f"{PATH}/liqo-connectivity-engine", uid="u")
    assert len(election.server.requests) == before


def test_no_two_processes_have_one_identity() -> None:
    assert len({new_identity() for _ in range(100)}) == 100


CHILD = """
import os, sys, time
from pathlib import Path
from liqo_connectivity.operator.kube.connection import connect
from liqo_connectivity.operator.kube.rest_client import RestClient
from liqo_connectivity.operator.controller.leader_election import LeaderElector
from liqo_connectivity.operator.controller.serving.metrics import Metrics
from liqo_connectivity.operator.controller.settings import Settings

settings = Settings(lease_duration=1.0, renew_deadline=0.6, retry_period=0.05, request_timeout=0.5)
api = RestClient(connect(sys.argv[1]))
lease = LeaderElector(api, settings, "liqo", lost=lambda: os._exit(1), metrics=Metrics(), identity="child")
lease.start()
while True:
    print(int(lease.is_leader()), flush=True)
    time.sleep(0.01)
"""


def test_a_process_that_was_stopped_and_goes_on_ends_without_leading(election: Election, tmp_path: Path) -> None:
    config = election.server.kubeconfig(tmp_path)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(config)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        assert child.stdout is not None
        while child.stdout.readline() != "1\n":
            assert child.poll() is None
        child.send_signal(signal.SIGSTOP)
        second = election.candidate("second")
        leads(second)
        child.send_signal(signal.SIGCONT)
        assert child.wait(10) == 1
        # What it said before it was stopped, and then not once that it leads.
        assert sorted(said := child.stdout.read().split(), reverse=True) == said
        assert second.is_leader()
    finally:
        child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()
