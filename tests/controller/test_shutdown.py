"""The process ends in order on a signal, whatever hangs around it."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.http import Crowd
from tests.support.operator_process import running
from tests.support.scripted_api import Exchange, scripted_api
from tests.support.waiting import eventually


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Iterator[Path]:
    """An API server that never answers."""
    with scripted_api(Exchange.hang) as server:
        yield server.kubeconfig(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_controller_whose_cluster_does_not_answer_stops_in_order_whoever_holds_its_probes(
    kubeconfig: Path, tmp_path: Path, number: signal.Signals
) -> None:
    with running(kubeconfig, tmp_path / "log") as controller, Crowd(controller.port("probes"), 20) as crowd:
        eventually(lambda: crowd.connected >= 20)
        controller.process.send_signal(number)
        assert controller.ended(20) == 0
        assert controller.entries("Stopped")[0]["reason"] == "signal"
        assert {entry["level"] for entry in controller.entries()} == {"info"}
