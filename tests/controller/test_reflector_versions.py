"""A reflector and the versions of objects: events that are lost, repeated, late or too old never leave a wrong state."""

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqo_connectivity.facts.base.fact import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import Agent, Observed
from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.controller.watching.known_versions import KnownVersions
from liqo_connectivity.operator.controller.watching.resources import (
    ObjectVersion,
    WatchEvent,
)
from tests.support.reflector_rig import follow_only, synced, watching
from tests.support.scripted_api import Exchange
from tests.support.scripted_pods import Pods, pod
from tests.support.waiting import eventually


def test_events_that_come_twice_or_late_change_nothing(tmp_path: Path) -> None:
    events = [
        ("MODIFIED", pod("a", 20, "10.244.0.20")),
        ("MODIFIED", pod("a", 15, "10.244.0.15")),
        ("ADDED", pod("a", 20, "10.244.0.20")),
        ("DELETED", pod("b", 30)),
        ("MODIFIED", pod("b", 25, "10.244.0.25")),
        ("DELETED", pod("b", 30)),
        ("DELETED", pod("never", 31)),
        ("ADDED", pod("never", 29)),
        ("DELETED", pod("a", 18)),
        ("ADDED", pod("end", 40, "10.244.0.40")),
    ]
    with watching(follow_only(events, [pod("a", 5), pod("b", 6)]), tmp_path) as running:
        running.shows({"a": "10.244.0.20", "end": "10.244.0.40"})
        assert running.queue.adds == 5


def test_a_lost_event_is_found_by_the_next_list(tmp_path: Path) -> None:
    pods = Pods()
    pods.put("a")
    pods.put("b")
    settings = Settings(watch_backoff=0.02, watch_backoff_limit=0.1, resync_interval=1.0)
    with watching(pods, tmp_path, settings) as running:
        synced(running)
        running.shows({"a": "10.244.0.1", "b": "10.244.0.1"})
        pods.delete("b", tell=False)
        running.shows({"a": "10.244.0.1"})
        # What did not change was not told again.
        assert running.queue.adds == 3
        assert len(running.server.sent("GET", sendInitialEvents="true")) == 2


def test_a_list_that_breaks_off_deletes_nothing(tmp_path: Path) -> None:
    pods = Pods()
    for name in "abc":
        pods.put(name)

    def half(exchange: Exchange) -> None:
        exchange.begin()
        exchange.event("ADDED", pods.items["a"])
        exchange.event("ADDED", pod("d", 500, "10.244.0.4"))
        exchange.drop()

    seen = threading.Event()

    def wait(exchange: Exchange) -> None:
        seen.wait(10)
        exchange.status(503)

    with watching(pods, tmp_path) as running:
        synced(running)
        running.shows(dict.fromkeys("abc", "10.244.0.1"))
        pods.faults += [half, wait]
        with pods.changed:
            pods.log.append((pods.version, "ERROR", {"kind": "Status", "code": 410}))
            pods.changed.notify_all()
        running.shows(dict.fromkeys("abc", "10.244.0.1") | {"d": "10.244.0.4"})
        seen.set()
        running.shows(dict.fromkeys("abc", "10.244.0.1"))


@pytest.mark.parametrize("how", ["event", "status"])
def test_after_410_everything_is_listed_and_the_difference_told(tmp_path: Path, how: str) -> None:
    pods = Pods()
    for name in "abc":
        pods.put(name)
    with watching(pods, tmp_path) as running:
        synced(running)
        running.shows(dict.fromkeys("abc", "10.244.0.1"))
        pods.delete("b", tell=False)
        pods.items["c"] = pod("c", pods.version + 1, "10.244.0.33")
        pods.compact()
        told = running.queue.adds
        expired = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
        if how == "status":
            pods.faults.append(lambda exchange: exchange.status(410, "Expired"))
            pods.faults.append(Pods.__call__.__get__(pods))
        with pods.changed:
            # An error of another kind ends the watch as well.
            pods.log.append((pods.version, "ERROR", expired if how == "event" else {"kind": "Status", "code": 500}))
            pods.changed.notify_all()
        running.shows({"a": "10.244.0.1", "c": "10.244.0.33"})
        assert running.queue.adds == told + 2


def test_a_watch_goes_on_from_the_version_of_the_last_bookmark(tmp_path: Path) -> None:
    pods = Pods()
    pods.put("a")
    settings = Settings(watch_backoff=0.02, watch_backoff_limit=0.1, watch_timeout=1.0)
    with watching(pods, tmp_path, settings) as running:
        synced(running)
        pods.version = 900
        pods.oldest = 900
        pods.bookmark()
        eventually(lambda: running.server.sent("GET", resourceVersion="900"))
        pods.put("b", "10.244.0.2")
        running.shows({"a": "10.244.0.1", "b": "10.244.0.2"})
        assert len(running.server.sent("GET", sendInitialEvents="true")) == 1
        assert running.restarts("gone") == 0


def test_a_server_whose_versions_went_back_is_listed_again(tmp_path: Path) -> None:
    pods = Pods()
    pods.put("a", "10.244.0.1")
    pods.put("b", "10.244.0.1")
    with watching(pods, tmp_path) as running:
        synced(running)
        running.shows({"a": "10.244.0.1", "b": "10.244.0.1"})
        # A backup from before: lower versions, other contents.
        pods.items = {"a": pod("a", 40, "10.244.0.4")}
        pods.log = [(0, kind, item) for _, kind, item in pods.log]
        pods.version = 50
        pods.bookmark()
        running.shows({"a": "10.244.0.4"})


@given(st.data())
def test_whatever_the_order_and_repetition_of_events_the_latest_state_is_told(data: st.DataObject) -> None:
    history = data.draw(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=12))
    events: list[WatchEvent] = []
    exists: dict[str, int] = {}
    for version, (name, gone) in enumerate(history, start=1):
        if gone and name not in exists:
            continue
        seen = ObjectVersion(
            ObjectKey("Pod", "shop", name), version, Observed((), Agent(ObjectKey("", "", str(version)), True))
        )
        events.append(WatchEvent(seen, gone))
        if gone:
            del exists[name]
        else:
            exists[name] = version
    repeated = data.draw(st.lists(st.sampled_from(events), max_size=6)) if events else []
    told: dict[str, int] = {}

    def put(key: ObjectKey, observed: Observed | None) -> None:
        if observed is None:
            del told[key.name]
        else:
            assert isinstance(observed.stored, Agent)
            told[key.name] = int(observed.stored.key.name)

    known = KnownVersions(put)
    for event in data.draw(st.permutations(events + repeated)):
        known.take(event)
    assert told == exists
    # A list that breaks off after any part tells nothing wrong; a complete one makes it right.
    listed = [event for event in events if exists.get(event.object.key.name) == event.object.version]
    known.begin()
    for event in listed[: data.draw(st.integers(0, len(listed)))]:
        assert not known.take(event)
    known.abandon()
    assert told == exists
    known.begin()
    known.finish()
    assert told == {}
    known.begin()
    for event in listed:
        assert known.take(event)
    known.finish()
    assert (told, len(known)) == (exists, len(exists))
