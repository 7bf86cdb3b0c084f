"""A reflector puts everything that exists, and every change, into the change queue."""

import itertools
import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqo_connectivity.facts import KIND_BY_NAME, decode_mapping
from liqo_connectivity.operator.controller.objects.stored import Observed
from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.kube.response import split_lines
from liqo_connectivity.rules import relations
from tests.support.reflector_rig import follow_only, refuse, synced, watching
from tests.support.scripted_api import Exchange
from tests.support.scripted_pods import Pods, bookmark, pod
from tests.support.waiting import eventually

# ---- The list, and what changes ----


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


def test_an_expired_continue_token_restarts_the_list(tmp_path: Path) -> None:
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
