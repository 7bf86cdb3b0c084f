"""The engine says the same, byte for byte, whatever Python's hash seed, and on each CPython of this machine that it supports.

Nothing has to be installed for those: the engine's two dependencies are plain Python, and this environment lends them.
"""

import os
import shutil
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEPENDENCIES = ("lark", "networkx")
OLDEST = (3, 11)


def interpreters() -> dict[str, str]:
    """Find one interpreter of each other supported version, on the path or of pyenv, by version."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which(f"python3.{minor}") for minor in range(OLDEST[1], 20)]
    candidates += [str(path) for path in sorted(versions.glob("3.*/bin/python3"))]
    found: dict[str, str] = {}
    for candidate in filter(None, candidates):
        code = "import sys; print(sys.implementation.name, *sys.version_info[:2])"
        told = subprocess.run([candidate, "-c", code], capture_output=True, text=True, check=False).stdout.split()
        if told[:1] == ["cpython"]:
            version = (int(told[1]), int(told[2]))
            if version >= OLDEST and version != sys.version_info[:2]:
                found.setdefault(".".join(told[1:]), candidate)
    return found


OTHERS = interpreters()


@cache
def transcript(interpreter: str, path: str, seed: int) -> str:
    return output(interpreter, path, seed, str(ROOT / "tests" / "support" / "engine_transcript.py"))


def output(interpreter: str, path: str, seed: int, *arguments: str) -> str:
    """Run Python code without the packages that are installed for the interpreter; give what it prints."""
    environment = {"PYTHONPATH": path, "PYTHONHASHSEED": str(seed), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [interpreter, "-sS", "-W", "error", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)
    assert not done.stderr
    assert done.returncode == 0
    return done.stdout


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A search path with the project and the engine's dependencies, and nothing else that is installed here."""
    lent = tmp_path_factory.mktemp("lent")
    for name in DEPENDENCIES:
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        (lent / name).symlink_to(Path(spec.origin).parent)
    return os.pathsep.join([str(ROOT), str(ROOT / "src"), str(lent)])


@pytest.mark.parametrize("interpreter", [sys.executable, *OTHERS.values()], ids=["own", *OTHERS])
def test_the_transcript_needs_only_the_dependencies_of_the_engine(path: str, interpreter: str) -> None:
    assert not output(interpreter, path, 0, "-c", "import tests.support.engine_transcript")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 10))
def test_every_hash_seed_gives_the_same(path: str, seed: int) -> None:
    expected = transcript(sys.executable, path, 0)
    assert len(expected) > 100_000
    assert transcript(sys.executable, path, seed) == expected


@pytest.mark.slow
@pytest.mark.parametrize("version", OTHERS)
def test_every_version_gives_the_same(path: str, version: str) -> None:
    assert transcript(OTHERS[version], path, 5) == transcript(sys.executable, path, 0)
