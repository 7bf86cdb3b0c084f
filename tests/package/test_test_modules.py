"""Guards the conventions of the test modules themselves: what their folder says of them is true."""

import ast
from pathlib import Path

import pytest

from tests.support.checkout import ROOT

TESTS = ROOT / "tests"
CLUSTER = TESTS / "cluster"
WAITING = TESTS / "support" / "waiting.py"
# Who imports these starts a control plane; the fixtures that start one are visible in tests/cluster only.
CONTROL_PLANE = {
    "tests.support.control_plane.ControlPlane",
    "tests.support.operator_scene.staged",
    "tools.playground.main",
}


def imported(path: Path) -> set[str]:
    """Dotted names of what a module imports, by ``from … import …`` or whole."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_only_the_tests_in_the_cluster_folder_start_a_control_plane() -> None:
    """Theirs is the marker that keeps them out of `make quick` and lets nothing run beside them."""
    modules = [path for path in TESTS.rglob("test_*.py") if CLUSTER not in path.parents]
    assert len(modules) > 50
    whole = {name.rpartition(".")[0] for name in CONTROL_PLANE}
    assert [path.name for path in modules if imported(path) & (CONTROL_PLANE | whole)] == []


def sleeps(source: str) -> list[int]:
    """The lines that call a function named ``sleep``."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [call.lineno for call in calls if ast.unparse(call.func).rpartition(".")[2] == "sleep"]


@pytest.mark.parametrize("folder", ["tests", "tools", "benchmarks"])
def test_only_the_module_for_waiting_sleeps(folder: str) -> None:
    """A wait there has a deadline, and says what it saw last when it fails."""
    found = {path: sleeps(path.read_text("utf-8")) for path in (ROOT / folder).rglob("*.py")}
    assert found
    assert [f"{path.relative_to(ROOT)}:{lines}" for path, lines in found.items() if lines and path != WAITING] == []


def test_a_call_of_sleep_is_seen() -> None:
    assert sleeps(WAITING.read_text("utf-8"))
    assert sleeps("from time import sleep\nsleep(1)") == [2]
    assert not sleeps("pause(1)")


def test_no_module_is_longer_than_300_lines() -> None:
    """A longer one tests two behaviours, or its helpers belong in tests/support."""
    lines = {path: len(path.read_text("utf-8").splitlines()) for path in TESTS.rglob("*.py")}
    assert len(lines) > 100
    assert {str(path.relative_to(TESTS)): count for path, count in lines.items() if count > 300} == {}
