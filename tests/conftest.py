"""What all tests share: an option, which tests run in which order, and what the controller sets for its process."""

import gc
import logging
import threading
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support.seeds import examples, surplus

settings.register_profile("seeds", max_examples=examples(100))
settings.load_profile("seeds")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="rewrite the expected texts of case folders")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the seeds that are too many, and let what is slow come last, so that failures show early.

    The tests with a control plane keep their order: those of a module share one.
    """
    left_out = surplus(items)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
    gone = set(left_out)
    items[:] = sorted((item for item in items if item not in gone), key=_is_slow_here)


def _is_slow_here(item: pytest.Item) -> bool:
    return item.get_closest_marker("slow") is not None and item.get_closest_marker("control_plane") is None


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update"))


@pytest.fixture
def process() -> Iterator[None]:
    """Give back what the controller sets for its whole process."""
    root, hook, threshold = logging.getLogger(), threading.excepthook, gc.get_threshold()
    ours = logging.getLogger("liqo_connectivity")
    before = root.handlers, root.level, ours.level
    yield
    root.handlers, root.level, ours.level = before
    threading.excepthook = hook
    gc.set_threshold(*threshold)
    gc.unfreeze()
