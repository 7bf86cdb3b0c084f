"""At most one process leads, whatever hangs, pauses, dies or lies; and a leader that stops lets the next one in at once."""

import time
from datetime import datetime

import pytest

from liqo_connectivity.operator.controller.leader_election import new_identity
from liqo_connectivity.operator.controller.settings import Settings
from tests.support.election import Election, leads, never_both
from tests.support.scripted_api import Exchange, Json
from tests.support.waiting import eventually, pause


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


def test_a_standby_tries_when_the_lease_ends_not_when_it_would_look_again(election: Election) -> None:
    election.leases.stored = {
        "metadata": {"resourceVersion": "1"},
        "spec": {"holderIdentity": "dead", "leaseDurationSeconds": 3},
    }
    settings = Settings(lease_duration=3.0, renew_deadline=2.9, retry_period=2.0, request_timeout=1.0)
    begin = time.monotonic()
    first = election.candidate("first", settings)
    # It looks after 2 seconds, and then after 4.
    first._backoff.next = lambda: 2.0  # type: ignore[method-assign]
    leads(first)
    assert 3 <= time.monotonic() - begin < 3.9


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


def test_no_two_processes_have_one_identity() -> None:
    assert len({new_identity() for _ in range(100)}) == 100
