"""The probes: what makes the controller alive and ready, and how it says so."""

import socket
import time

import pytest

from liqo_connectivity.operator.controller.serving.metrics import GaugeValues, Metrics
from liqo_connectivity.operator.controller.serving.probes import Health, HealthCheck, probes_server
from tests.support.http import get, serving


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


# ---- Health ----


def test_a_loop_that_is_silent_for_too_long_is_dead() -> None:
    clock = Clock()
    ticked = 0.0
    health = Health(60, lambda: ticked, clock)
    clock.now = 60
    assert not any(health.live().values())
    clock.now = 61
    assert health.live() == {"loop": "silent for 61 s, more than 60 s"}
    ticked = 61.0
    assert not any(health.live().values())


def test_a_thread_that_ended_is_dead_and_one_that_is_not_synced_is_not() -> None:
    health = Health(60, time.monotonic)
    alive, unready = True, "not synced"
    health.add(HealthCheck("watch pods", lambda: alive, lambda: unready))
    assert not any(health.live().values())
    assert health.ready()["watch pods"] == "not synced"
    unready = ""
    assert not any(health.ready().values())
    alive = False
    assert health.live()["watch pods"] == "its thread has ended"


def test_a_draining_process_is_alive_and_not_ready() -> None:
    health = Health(60, time.monotonic)
    health.drain()
    assert not any(health.live().values())
    assert health.ready() == {"process": "draining"}


# ---- Over HTTP ----


def test_probes_answer_by_status_and_name_every_part() -> None:
    health = Health(60, time.monotonic)
    unready = "not synced"
    health.add(HealthCheck("watch pods", lambda: True, lambda: unready))
    with serving(probes_server("127.0.0.1", 0, health, Metrics())) as port:
        assert get(port, "/healthz")[:2] == (200, "[+]loop ok\n[+]watch pods ok\n")
        assert get(port, "/readyz")[:2] == (503, "[+]process ok\n[-]watch pods: not synced\n")
        unready = ""
        assert get(port, "/readyz?verbose")[:2] == (200, "[+]process ok\n[+]watch pods ok\n")
        assert get(port, "/debug")[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_nothing_but_get_is_answered(method: str) -> None:
    with serving(probes_server("127.0.0.1", 0, Health(60, time.monotonic), Metrics())) as port:
        assert get(port, "/healthz", method)[:2] == (405, "")


def test_metrics_are_served() -> None:
    metrics = Metrics()
    metrics.applies.labels("created").inc()
    with serving(probes_server("127.0.0.1", 0, Health(60, time.monotonic), metrics)) as port:
        status, text, response = get(port, "/metrics")
        assert (status, response.headers.get_content_type()) == (200, "text/plain")
        assert 'liqo_connectivity_apply_total{result="created"} 1.0\n' in text
        _, text, response = get(port, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
        assert response.headers.get_content_type() == "application/openmetrics-text"
        assert text.endswith("# EOF\n")


def test_metrics_are_encoded_once_a_second_for_all_who_ask() -> None:
    metrics, taken = Metrics(), 0

    def take() -> GaugeValues:
        nonlocal taken
        taken += 1
        return GaugeValues()

    metrics.set_gauges(take)
    with serving(probes_server("127.0.0.1", 0, Health(60, time.monotonic), metrics)) as port:
        for _ in range(20):
            assert get(port, "/metrics")[0] == 200
    assert taken < 20


def test_all_addresses_of_both_families_are_served_without_a_host() -> None:
    with serving(probes_server("", 0, Health(60, time.monotonic), Metrics())) as port:
        assert get(port, "/healthz")[1] == "[+]loop ok\n"
        if socket.has_dualstack_ipv6():
            assert get(port, "/healthz", host="::1")[1] == "[+]loop ok\n"


def test_a_port_that_is_taken_is_an_error() -> None:
    with (
        serving(probes_server("127.0.0.1", 0, Health(60, time.monotonic), Metrics())) as port,
        pytest.raises(OSError, match="in use"),
    ):
        probes_server("127.0.0.1", port, Health(60, time.monotonic), Metrics())
