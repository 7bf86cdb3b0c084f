"""What all tests share: the switch that writes expected texts anew, and real control planes."""

from collections.abc import Iterator

import pytest

from tests.support.control_plane import ControlPlane
from tests.support.liqo_crds import crds, with_sets_and_ctstate
from tests.support.operator_scene import Scene, staged


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="write the expected texts of case folders anew")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a control plane: it takes both cores, so no other test runs beside one of them."""
    fixtures = {"stage", "scene", "control_plane", "fresh_control_plane", "plane"}
    names = {"ControlPlane", "OperatorCluster", "staged", "NEEDS_CONTROL_PLANE"}
    for item in items:
        module = vars(item.module) if isinstance(item, pytest.Function) and item.module else {}
        if fixtures & set(getattr(item, "fixturenames", ())) or names & module.keys():
            item.add_marker(pytest.mark.control_plane)


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update"))


@pytest.fixture(scope="module")
def control_plane() -> Iterator[ControlPlane]:
    """One for all tests of a module, with the CRDs of Liqo's newest release, sets and ctstate added.

    A test works in a namespace of its own, and leaves what is not in one as it was.
    """
    with ControlPlane(crds=with_sets_and_ctstate(crds())) as plane:
        yield plane


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
    """The same for all tests of a worker, with a controller that runs all the while, and ends in order.

    A test has peerings of its own, and mends what it broke.
    """
    with staged() as scene, scene.cluster.operator() as controller:
        yield scene
        controller.stop()
