"""Guards the conventions of the test modules themselves: what their folder says of them is true."""

import ast
from pathlib import Path

from tests.support.checkout import ROOT

TESTS = ROOT / "tests"
CLUSTER = TESTS / "cluster"
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
