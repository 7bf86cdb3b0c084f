"""What several test modules of the controller share."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.election import Election
from tests.support.scripted_api import scripted_api


@pytest.fixture
def election(tmp_path: Path) -> Iterator[Election]:
    with scripted_api(lambda exchange: exchange.status(404)) as server, ExitStack() as cleanup:
        yield Election(server, tmp_path, cleanup)
