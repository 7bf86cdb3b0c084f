"""Marks every test of this folder as one that needs a control plane, and starts the control planes that they share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.control_plane import ControlPlane
from tests.support.controller_rig import Site, install, placed
from tests.support.liqo_crds import crds, with_sets_and_ctstate
from tests.support.operator_scene import Scene, staged

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # pytest passes the items of all folders.
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.control_plane)


@pytest.fixture(scope="module")
def control_plane() -> Iterator[ControlPlane]:
    """One for all tests of a module, with the CRDs of Liqo's newest release, sets and ctstate added.

    A test works in its own namespace and leaves cluster-scoped objects as they were.
    """
    with ControlPlane(crds=with_sets_and_ctstate(crds())) as plane:
        yield plane


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> ControlPlane:
    """The same, with the CRD of policies."""
    install(control_plane)
    return control_plane


@pytest.fixture
def place(plane: ControlPlane) -> Iterator[Site]:
    """A peering of this test alone, in that control plane."""
    with placed(plane) as made:
        yield made


@pytest.fixture
def fresh_control_plane() -> Iterator[ControlPlane]:
    """One for this test alone, which may break it; without CRDs."""
    with ControlPlane() as plane:
        yield plane


@pytest.fixture(scope="module")
def stage() -> Iterator[Scene]:
    """What a controller needs to run, for the tests of one module; without a controller."""
    with staged() as scene:
        yield scene


@pytest.fixture(scope="session")
def scene() -> Iterator[Scene]:
    """The same for all tests of a worker, with a controller that runs until the last test and stops in order.

    A test has its own peerings, and repairs what it broke.
    """
    with staged() as scene, scene.cluster.operator() as controller:
        yield scene
        controller.stop()
