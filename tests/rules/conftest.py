"""A place for caches that the tests of one cache may write, and nobody else reads."""

import sys
from pathlib import Path

import pytest


@pytest.fixture
def bytecode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that stands for all folders of bytecode; this process writes bytecode."""
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    return tmp_path
