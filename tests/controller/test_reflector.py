"""A watch tells the change queue of everything that exists and of every change, whatever the server does, and spares the server."""

import itertools
import json
import logging
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqo_connectivity.facts import KIND_BY_NAME, decode_mapping
from liqo_connectivity.facts.base.fact import ObjectKey
from liqo_connectivity.operator.controller.objects.stored import Agent, Observed, StoredFirewall, StoredPolicy
from liqo_connectivity.operator.controller.serving.metrics import Metrics
from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.controller.watching.change_queue import ChangeQueue
from liqo_connectivity.operator.controller.watching.known_versions import KnownVersions
from liqo_connectivity.operator.controller.watching.reflector import Reflector, split_lines
from liqo_connectivity.operator.controller.watching.resources import (
    Bookmark,
    Failure,
    ObjectVersion,
    Resource,
    WatchEvent,
    WatchEventError,
    resources,
)
from liqo_connectivity.operator.kube.backoff import Backoff
from liqo_connectivity.operator.kube.rest_client import RestClient
from liqo_connectivity.rules import relations
from tests.support.scripted_api import Exchange, Json, Script, ScriptedApi, scripted_api
from tests.support.scripted_pods import Pods, bookmark, pod
from tests.support.waiting import eventually, pause

RESOURCES = {resource.name: resource for resource in resources("liqo")}
PODS = RESOURCES["pods"]
QUICK = Settings(
    watch_backoff=0.02,
    watch_backoff_limit=0.1,
    absent_interval=0.05,
    request_timeout=1.0,
    watch_silence=30.0,
    page_size=2,
)


@dataclass
class Watching:
    """A watch that runs, and what its queue said so far."""

    reflector: Reflector
    queue: ChangeQueue
    metrics: Metrics
    server: ScriptedApi
    state: dict[str, str] = field(default_factory=dict[str, str])

    def addresses(self) -> dict[str, str]:
        """The address of every object that exists; that of one that cannot be read is empty."""
        for (_, key), observed in self.queue.take(0).items():
            if observed is None:
                self.state.pop(key.name, None)
            else:
                rows = [fact.row for fact in observed.facts]
                self.state[key.name] = next((row.address for row in rows if isinstance(row, relations.PodIp)), "")
        return self.state

    def shows(self, expected: dict[str, str], seconds: float = 10.0) -> None:
        eventually(lambda: self.addresses() == expected, seconds)

    def restarts(self, reason: str) -> float:
        return self.count("watch_restarts_total", reason=reason)

    def count(self, name: str, **labels: str) -> float:
        labels["kind"] = self.reflector.resource.name
        return self.metrics.registry.get_sample_value(f"liqo_connectivity_{name}", labels) or 0.0


@contextmanager
def watching(
    script: Script, folder: Path, settings: Settings = QUICK, resource: Resource = PODS, start: bool = True
) -> Iterator[Watching]:
    with scripted_api(script) as server:
        queue, metrics = ChangeQueue(0.0), Metrics()
        api = RestClient(server.client(folder), deadline=settings.request_timeout)
        reflector = Reflector(resource, api, queue, settings, metrics)
        if start:
            reflector.start()
        try:
            yield Watching(reflector, queue, metrics, server)
        finally:
            reflector.stop()
            if start:
                reflector.join(10)
                assert not reflector.alive


def synced(running: Watching) -> None:
    """Wait until it is synced and the server has begun to answer its watch."""
    assert running.reflector.synced.wait(10)
    eventually(
        lambda: any("watch" in each.query and "resourceVersion" in each.query for each in running.server.answered)
    )


def break_connection(running: Watching, pods: Pods) -> None:
    """Break the connection of a watch that has shown ``a``, once it reads from it: ``b`` is shown, too."""
    pods.put("b")
    running.shows({"a": "10.244.0.1", "b": "10.244.0.1"})
    assert running.reflector._stream is not None
    running.reflector._stream.stop()


# ---- What is there, and what changes ----


def test_everything_that_exists_is_told_before_the_watch_is_synced(tmp_path: Path) -> None:
    pods = Pods()
    pods.put("a", "10.244.0.1")
    pods.put("b", "10.244.0.2")
    with watching(pods, tmp_path) as running:
        synced(running)
        assert running.addresses() == {"a": "10.244.0.1", "b": "10.244.0.2"}
        first = running.server.requests[0]
    assert first.path == "/api/v1/pods"
    assert first.query["sendInitialEvents"] == "true"
    assert first.query["resourceVersionMatch"] == "NotOlderThan"
    assert first.query["allowWatchBookmarks"] == "true"
    assert "resourceVersion" not in first.query


def test_changes_are_told_as_they_come(tmp_path: Path) -> None:
    pods = Pods()
    pods.put("a", "10.244.0.1")
    with watching(pods, tmp_path) as running:
        synced(running)
        pods.put("b", "10.244.0.2")
        running.shows({"a": "10.244.0.1", "b": "10.244.0.2"})
        pods.put("a", "10.244.0.9")
        running.shows({"a": "10.244.0.9", "b": "10.244.0.2"})
        pods.delete("a")
        running.shows({"b": "10.244.0.2"})
        pods.put("a", "10.244.0.3")
        running.shows({"a": "10.244.0.3", "b": "10.244.0.2"})
        assert len(running.server.requests) == 2


def test_the_facts_are_those_of_the_same_objects_in_a_file(tmp_path: Path) -> None:
    pods = Pods()
    pods.put("a")
    with watching(pods, tmp_path) as running:
        synced(running)
        batch = running.queue.take(0)
    expected = decode_mapping(KIND_BY_NAME["Pod"], pods.items["a"])
    assert dict(batch) == {("pods", expected.key): Observed(expected.facts)}


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_without_watch_list_everything_is_read_in_pages(tmp_path: Path, count: int) -> None:
    pods = Pods()
    pods.watch_list = False
    for index in range(count):
        pods.put(f"p{index}", f"10.244.0.{index}")
    with watching(pods, tmp_path) as running:
        synced(running)
        assert running.addresses() == {f"p{index}": f"10.244.0.{index}" for index in range(count)}
        pods.put("late", "10.244.1.1")
        eventually(lambda: running.addresses().get("late") == "10.244.1.1")
        assert len(running.server.sent("GET", limit="2")) == max(1, (count + 1) // 2)


def test_a_continue_token_that_expired_begins_the_list_anew(tmp_path: Path) -> None:
    pods = Pods()
    pods.watch_list = False
    for name in "abcde":
        pods.put(name)
    pods.expired_tokens = 2
    with watching(pods, tmp_path) as running:
        synced(running)
        assert set(running.addresses()) == set("abcde")
        assert running.restarts("gone") == 2


@pytest.mark.parametrize("how", ["silent", "plain bookmark", "ended"])
def test_a_server_that_ignores_the_wish_for_a_list_is_asked_for_pages(tmp_path: Path, how: str) -> None:
    pods = Pods()
    pods.put("a")

    def pretend(exchange: Exchange) -> None:
        exchange.begin()
        exchange.event("ADDED", pod("phantom", 1))
        if how == "plain bookmark":
            exchange.event("BOOKMARK", bookmark(5))
        if how == "ended":
            exchange.end()
        else:
            exchange.hang()

    pods.faults.append(pretend)
    settings = Settings(watch_backoff=0.02, watch_backoff_limit=0.1, request_timeout=0.3)
    with watching(pods, tmp_path, settings) as running:
        synced(running)
        running.shows({"a": "10.244.0.1"})
        pods.put("b")
        running.shows({"a": "10.244.0.1", "b": "10.244.0.1"})


# ---- Versions, losses, repetitions ----


def follow_only(events: list[tuple[str, Json]], existing: list[Json], version: int = 10) -> Script:
    """A script that lists what exists once, and then sends these events."""

    def script(exchange: Exchange) -> None:
        if "watch" not in exchange.request.query:
            exchange.json(200, {"metadata": {"resourceVersion": str(version)}, "items": existing})
            return
        exchange.begin()
        if "sendInitialEvents" in exchange.request.query:
            for item in existing:
                exchange.event("ADDED", item)
            exchange.event("BOOKMARK", bookmark(version, initial=True))
        else:
            for kind, item in events:
                exchange.event(kind, item)
        exchange.hang()

    return script


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


def test_a_server_whose_versions_went_back_is_listed_anew(tmp_path: Path) -> None:
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


# ---- What cannot be read ----


def test_one_poisonous_object_is_said_and_does_not_stop_the_others(tmp_path: Path) -> None:
    poison = pod("poison", 21)
    poison["status"]["podIP"] = 7
    events = [("ADDED", poison), ("ADDED", pod("good", 22)), ("MODIFIED", poison | {"metadata": {"name": "x"}})]
    with watching(follow_only(events, [pod("a", 5) | {"status": []}, pod("b", 6)]), tmp_path) as running:
        running.shows({"a": "", "b": "10.244.0.1", "poison": "", "good": "10.244.0.1"})
        eventually(lambda: running.count("decode_errors_total") == 3)
        assert len(running.server.requests) == 2


def test_an_object_that_cannot_be_read_is_an_unreadable_fact_until_it_can(tmp_path: Path) -> None:
    poison = pod("a", 21)
    poison["status"]["podIP"] = "nonsense"
    with watching(follow_only([("MODIFIED", poison)], [pod("a", 5)]), tmp_path) as running:
        eventually(lambda: running.count("decode_errors_total") == 1)
        (fact,) = list(running.queue.take(1).values())[-1].facts  # type: ignore[union-attr]  # it exists
    assert fact.row == relations.Unreadable("Pod", "shop", "a", '/status/podIP: "nonsense" is not an IP address')
    assert fact.source.resource_version == "21"


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"type":"NEWS","object":{}}',
        b'{"type":"ADDED"}',
        b'{"type":"ADDED","object":{"metadata":{"name":"a","namespace":"shop","resourceVersion":"new"}}}',
        b'{"type":"ADDED","object":{"metadata":{"name":"a","namespace":"shop"}}}',
        b'{"type":"BOOKMARK","object":{}}',
        b'{"type":"ERROR","object":1}',
    ],
)
def test_a_line_that_tells_nothing_is_counted_and_survived(tmp_path: Path, line: bytes) -> None:
    def script(exchange: Exchange) -> None:
        exchange.begin()
        if "sendInitialEvents" in exchange.request.query:
            exchange.event("BOOKMARK", bookmark(10, initial=True))
        else:
            exchange.chunk(line + b"\n\n" + json.dumps({"type": "ADDED", "object": pod("b", 20)}).encode() + b"\n")
        exchange.hang()

    with watching(script, tmp_path) as running:
        running.shows({"b": "10.244.0.1"})
        assert running.count("decode_errors_total") == 1
        assert len(running.server.requests) == 2


def test_items_of_a_page_that_tell_nothing_are_counted_and_survived(tmp_path: Path) -> None:
    pods = Pods()
    pods.watch_list = False
    pods.put("a")
    pods.items["broken"] = {"metadata": 1}
    with watching(pods, tmp_path) as running:
        synced(running)
        assert running.addresses() == {"a": "10.244.0.1"}
        assert running.count("decode_errors_total") == 1


@given(st.binary(max_size=200), st.lists(st.integers(0, 200)))
def test_lines_do_not_depend_on_how_they_are_cut(data: bytes, cuts: list[int]) -> None:
    data = data.replace(b"x", b"\n")
    at = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    chunks = [data[start:end] for start, end in itertools.pairwise(at)]
    complete = data[: data.rfind(b"\n") + 1]
    assert list(split_lines(chunks)) == [line for line in complete.split(b"\n") if line]


# ---- A server that misbehaves ----


def end_at_once(exchange: Exchange) -> None:
    exchange.begin()
    exchange.end()


def refuse(exchange: Exchange) -> None:
    exchange.status(403, "Forbidden", "pods is forbidden")


def expire(exchange: Exchange) -> None:
    exchange.status(410, "Expired")


@pytest.mark.parametrize("fault", [end_at_once, refuse, expire, Exchange.drop])
def test_a_watch_that_always_fails_at_once_is_not_asked_for_often(tmp_path: Path, fault: Script) -> None:
    pods = Pods()
    pods.put("a")
    pods.watch_list = False
    pods.always = fault
    settings = Settings(watch_backoff=0.05, watch_backoff_limit=0.4)
    with watching(pods, tmp_path, settings) as running:
        synced(running)
        pause(2)
        # A wait of at least half the limit, and at most a list and a watch each time; the first waits are shorter.
        assert 4 <= len(running.server.sent("GET", watch="true")) <= 2 / 0.2 + 5
        pods.always = None
        pods.put("b")
        running.shows({"a": "10.244.0.1", "b": "10.244.0.1"})


def test_a_permanent_refusal_is_said_once_and_leaves_the_watch_unsynced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), watching(refuse, tmp_path) as running:
        eventually(lambda: running.restarts("refused") >= 3)
        assert not running.reflector.synced.is_set()
    said = [record for record in caplog.records if record.getMessage() == "Resource could not be watched"]
    assert len(said) == 1


def test_the_wish_of_a_server_to_be_left_alone_is_granted(tmp_path: Path) -> None:
    pods = Pods()
    pods.put("a")
    pods.faults.append(lambda exchange: exchange.status(429, "TooManyRequests", Retry_After="1"))
    with watching(pods, tmp_path) as running:
        synced(running)
        first, second = (request.at for request in running.server.requests[:2])
        assert second - first >= 1


def test_a_connection_that_is_lost_costs_a_reconnect_and_no_list(tmp_path: Path) -> None:
    pods = Pods()
    pods.put("a")
    with watching(pods, tmp_path) as running:
        synced(running)
        pods.faults += [Exchange.drop] * 3
        break_connection(running, pods)
        pods.put("c")
        running.shows({"a": "10.244.0.1", "b": "10.244.0.1", "c": "10.244.0.1"})
        assert len(running.server.sent("GET", sendInitialEvents="true")) == 1
        eventually(lambda: running.restarts("unreachable") == 4)


def test_a_watch_that_is_silent_is_dead(tmp_path: Path) -> None:
    pods = Pods()
    pods.put("a")

    def freeze(exchange: Exchange) -> None:
        exchange.begin()
        exchange.hang()

    settings = Settings(watch_backoff=0.02, watch_backoff_limit=0.1, watch_silence=0.3)
    with watching(pods, tmp_path, settings, start=False) as running:
        pods.always = None
        pods.faults += [Pods.__call__.__get__(pods)]
        running.reflector.start()
        synced(running)
        pods.faults += []
        eventually(lambda: running.restarts("silent") >= 1)
        pods.put("b")
        running.shows({"a": "10.244.0.1", "b": "10.244.0.1"})
        running.reflector.stop()
        running.reflector.join(10)


def test_a_server_that_hangs_is_asked_again(tmp_path: Path) -> None:
    pods = Pods()
    pods.put("a")
    pods.faults += [Exchange.hang, Exchange.hang]
    settings = Settings(watch_backoff=0.02, watch_backoff_limit=0.1, request_timeout=0.2, watch_silence=0.2)
    with watching(pods, tmp_path, settings) as running:
        synced(running)
        assert running.addresses() == {"a": "10.244.0.1"}


def test_a_server_that_restarts_is_found_again(tmp_path: Path) -> None:
    pods = Pods()
    pods.put("a")
    with watching(pods, tmp_path) as running:
        synced(running)
        for code in (503, 500, 504, 502):
            pods.faults.append(lambda exchange, code=code: exchange.status(code))  # type: ignore[misc]  # a late binding
        break_connection(running, pods)
        pods.put("c")
        running.shows({"a": "10.244.0.1", "b": "10.244.0.1", "c": "10.244.0.1"})
        # Nothing that a server says while it starts makes the whole cluster be listed again.
        assert len(running.server.sent("GET", sendInitialEvents="true")) == 1


@pytest.mark.parametrize("seed", range(3))
def test_after_any_faults_the_state_is_right(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    pods = Pods()
    faults: list[Script] = [
        Exchange.drop,
        end_at_once,
        expire,
        lambda exchange: exchange.status(500),
        lambda exchange: exchange.text(200, b"garbage"),
    ]
    settings = Settings(watch_backoff=0.01, watch_backoff_limit=0.05, page_size=3, request_timeout=1.0)
    with watching(pods, tmp_path, settings) as running:
        for step in range(60):
            name = f"p{chance.randrange(8)}"
            if name in pods.items and chance.random() < 0.4:
                pods.delete(name)
            else:
                pods.put(name, f"10.244.1.{step}")
            if chance.random() < 0.2:
                pods.watch_list = chance.random() < 0.5
                pods.faults.append(chance.choice(faults))
                if chance.random() < 0.3:
                    pods.compact()
                stream = running.reflector._stream
                if stream is not None:
                    stream.stop()
            pause(0.005)
        running.shows({name: item["status"]["podIP"] for name, item in pods.items.items()})


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


# ---- Ending ----


def test_stop_ends_a_quiet_watch_at_once(tmp_path: Path) -> None:
    with watching(Pods(), tmp_path) as running:
        synced(running)
        eventually(lambda: len(running.server.requests) == 2)
        begin = time.monotonic()
        running.reflector.stop()
        running.reflector.join(10)
        assert not running.reflector.alive
        assert time.monotonic() - begin < 2


def test_stop_ends_a_watch_that_waits_to_try_again(tmp_path: Path) -> None:
    settings = Settings(watch_backoff=30.0, watch_backoff_limit=30.0)
    with watching(refuse, tmp_path, settings) as running:
        eventually(lambda: running.restarts("refused") == 1)
        begin = time.monotonic()
        running.reflector.stop()
        running.reflector.join(10)
        assert not running.reflector.alive
        assert time.monotonic() - begin < 2


# ---- The table ----


def test_what_is_watched() -> None:
    assert {(name, resource.path, resource.crd) for name, resource in RESOURCES.items()} == {
        ("pods", "/api/v1/pods", ""),
        ("namespaces", "/api/v1/namespaces", ""),
        ("nodes", "/api/v1/nodes", ""),
        ("customresourcedefinitions", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", ""),
        ("networks", "/apis/ipam.liqo.io/v1alpha1/networks", "networks.ipam.liqo.io"),
        ("configurations", "/apis/networking.liqo.io/v1beta1/configurations", "configurations.networking.liqo.io"),
        (
            "namespaceoffloadings",
            "/apis/offloading.liqo.io/v1beta1/namespaceoffloadings",
            "namespaceoffloadings.offloading.liqo.io",
        ),
        ("namespacemaps", "/apis/offloading.liqo.io/v1beta1/namespacemaps", "namespacemaps.offloading.liqo.io"),
        ("virtualnodes", "/apis/offloading.liqo.io/v1beta1/virtualnodes", "virtualnodes.offloading.liqo.io"),
        ("foreignclusters", "/apis/core.liqo.io/v1beta1/foreignclusters", "foreignclusters.core.liqo.io"),
        (
            "peeringconnectivities",
            "/apis/security.liqo.io/v1/peeringconnectivities",
            "peeringconnectivities.security.liqo.io",
        ),
        (
            "firewallconfigurations",
            "/apis/networking.liqo.io/v1beta1/firewallconfigurations",
            "firewallconfigurations.networking.liqo.io",
        ),
        ("agents", "/api/v1/namespaces/liqo/pods", ""),
    }
    assert [name for name, resource in RESOURCES.items() if "PartialObjectMetadata" in resource.accept] == [
        "namespaces",
        "nodes",
    ]


def event(resource: str, item: Json, kind: str = "ADDED") -> WatchEvent | Bookmark | Failure:
    return RESOURCES[resource].parse(json.dumps({"type": kind, "object": item}).encode())


def test_the_quick_way_to_read_a_pod_gives_what_the_slow_way_gives() -> None:
    item = pod("a", 7)
    item["metadata"]["labels"] = {"liqo.io/shadowPod": "true"}
    assert event("pods", item) == WatchEvent(PODS.read(item), gone=False)
    assert event("pods", item, "DELETED") == WatchEvent(PODS.read(item), gone=True)
    assert PODS.read_line is not None
    assert PODS.read_line(json.dumps({"type": "BOOKMARK", "object": item}).encode()) is None


def test_a_policy_is_facts_and_a_stored_policy() -> None:
    item: Json = {
        "metadata": {
            "name": "guard",
            "namespace": "liqo-tenant-milan",
            "uid": "u",
            "resourceVersion": "8",
            "generation": 3,
        },
        "spec": {"rules": []},
    }
    told = event("peeringconnectivities", item)
    assert isinstance(told, WatchEvent)
    assert told.object.observed.facts == decode_mapping(KIND_BY_NAME["PeeringConnectivity"], item).facts
    stored = told.object.observed.stored
    assert isinstance(stored, StoredPolicy)
    assert (stored.key, stored.generation, told.object.key) == (told.object.key, 3, ObjectKey(*told.object.key))
    # One that cannot be read has a status all the same, to say it in.
    broken = event("peeringconnectivities", item | {"spec": {"rules": 1}})
    assert isinstance(broken, WatchEvent)
    assert broken.object.observed.stored == stored
    assert [type(fact.row) for fact in broken.object.observed.facts] == [relations.Unreadable]


def test_a_firewall_configuration_and_an_agent_assert_no_facts() -> None:
    firewall: Json = {
        "metadata": {"name": "milan-connectivity", "namespace": "liqo-tenant-milan", "resourceVersion": "8"},
        "spec": {"table": {"name": "t"}},
    }
    told = event("firewallconfigurations", firewall)
    assert isinstance(told, WatchEvent)
    assert told.object.observed.facts == ()
    assert isinstance(told.object.observed.stored, StoredFirewall)
    assert told.object.key == told.object.observed.stored.key
    agent = event("agents", pod("fabric-1", 9, namespace="liqo"))
    assert isinstance(agent, WatchEvent)
    assert agent.object.observed == Observed((), Agent(agent.object.key, live=True))
    with pytest.raises(WatchEventError, match="no name"):
        event("agents", {"metadata": {"resourceVersion": "1"}})


# ---- Waiting ----


def test_waits_double_up_to_their_limit_and_differ() -> None:
    backoff = Backoff(0.1, 1.0, seed=1)
    waits = [backoff.next() for _ in range(8)]
    limits = [0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0, 1.0]
    assert all(limit / 2 <= wait <= limit for wait, limit in zip(waits, limits, strict=True))
    assert len(set(waits)) == 8
    backoff.reset()
    assert backoff.next() <= 0.1
