"""The checkout as the layout tests see it: its rooms, its build map, and children that start clean in it.

Holds no test and judges nothing.
"""

import os
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "liqo_connectivity"
ROOMS = ("chains", "checker", "engine", "facts", "operator", "rules")

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES: list[str] = PYPROJECT["tool"]["setuptools"]["packages"]
PACKAGE_DIR: dict[str, str] = PYPROJECT["tool"]["setuptools"]["package-dir"]
PACKAGE_DATA: dict[str, list[str]] = PYPROJECT["tool"]["setuptools"]["package-data"]


def files_of(root: Path, room: str) -> list[Path]:
    """Every file of a room that is worth shipping, by path; caches are not."""
    found = (root / room).rglob("*")
    return sorted(p for p in found if p.is_file() and "__pycache__" not in p.parts and not p.name.startswith("."))


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
