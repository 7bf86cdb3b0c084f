"""The checkout as the tests of the package see it: its rooms and packages, and child processes that start clean in it."""

import os
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "liqo_connectivity"
ROOMS = ("chains", "checker", "engine", "facts", "operator", "rules")

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGE_DATA: dict[str, list[str]] = PYPROJECT["tool"]["setuptools"]["package-data"]


def files_of(root: Path, room: str) -> list[Path]:
    """Every file of a room that is worth shipping, by path; caches are not."""
    found = (root / room).rglob("*")
    return sorted(p for p in found if p.is_file() and "__pycache__" not in p.parts and not p.name.startswith("."))


def packages(root: Path) -> dict[str, Path]:
    """Every package and its folder in a checkout: each folder of a room that holds code."""
    folders = {path.parent for room in ROOMS for path in files_of(root, room) if path.suffix == ".py"}
    rooms = {".".join((PACKAGE, *folder.relative_to(root).parts)): folder for folder in sorted(folders)}
    return {PACKAGE: root / "src" / PACKAGE} | rooms


def run(*command: str | Path, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a child that inherits neither our import path nor pytest's own variables, and must exit with 0."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PYTEST", "PIP_"))}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=clean | {"PYTHONDONTWRITEBYTECODE": "1", "PIP_CONFIG_FILE": os.devnull} | env,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.args} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done
