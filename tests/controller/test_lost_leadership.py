"""A leader that cannot renew its Lease, or whose process stood still, stops leading before another begins."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from liqo_connectivity.operator.kube.errors import NotLeading
from liqo_connectivity.operator.kube.rest_client import RestClient
from tests.support.election import PATH, QUICK, Election, leads, never_both
from tests.support.waiting import eventually, pause


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
