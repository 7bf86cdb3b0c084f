"""The recorded cluster that most commands are asked about."""

import pytest

from tests.support.command_process import Shell
from tests.support.recorded_cluster import write_cluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with the recorded cluster ``rome`` and a policy for its peering."""
    folder = tmp_path_factory.mktemp("cluster")
    write_cluster(folder)
    return str(folder)


@pytest.fixture(scope="session")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A shell whose commands share a cache."""
    return Shell(tmp_path_factory.mktemp("cache"))
