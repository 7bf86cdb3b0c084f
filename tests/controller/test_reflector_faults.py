"""A reflector before a server that misbehaves: it goes on where it was, and spares the server."""

import logging
import random
from pathlib import Path

import pytest

from liqo_connectivity.operator.controller.settings import Settings
from liqo_connectivity.operator.kube.backoff import Backoff
from tests.support.reflector_rig import break_connection, end_at_once, expire, refuse, synced, watching
from tests.support.scripted_api import Exchange, Script
from tests.support.scripted_pods import Pods
from tests.support.waiting import eventually, pause

# ---- A server that misbehaves ----


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


# ---- Waiting ----


def test_waits_double_up_to_their_limit_and_differ() -> None:
    backoff = Backoff(0.1, 1.0, seed=1)
    waits = [backoff.next() for _ in range(8)]
    limits = [0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0, 1.0]
    assert all(limit / 2 <= wait <= limit for wait, limit in zip(waits, limits, strict=True))
    assert len(set(waits)) == 8
    backoff.reset()
    assert backoff.next() <= 0.1
