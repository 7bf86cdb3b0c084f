"""What several test modules of the engine share."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.second_opinion import children


@pytest.fixture
def leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """After every test here: no process, running or dead, and no temporary file."""
    monkeypatch.setattr(tempfile, "tempdir", str(folder := tmp_path / "temporary"))
    folder.mkdir()
    before = children()
    yield
    assert children() <= before
    assert not list(folder.iterdir())
