"""Guards what users get: the wheel, the sdist, an editable install and a bare checkout all hold and run all the code."""

import email
import shutil
import sys
import sysconfig
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from tests.support.checkout import PACKAGE, ROOMS, ROOT, files_of, packages, run

PACKAGES = packages(ROOT)
ORIGINS = f"import importlib\nfor name in {[*PACKAGES]}: print(*importlib.import_module(name).__path__)"


def shipped(root: Path) -> set[str]:
    """The names, as a wheel writes them, of every file of the package in a tree."""
    rooms = {f"{PACKAGE}/{path.relative_to(root).as_posix()}" for room in ROOMS for path in files_of(root, room)}
    top = root / "src" / PACKAGE
    return rooms | {f"{PACKAGE}/{path.name}" for path in top.iterdir() if path.is_file()}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what builds, so that no test writes into the checkout."""
    copy = tmp_path / "tree"
    copy.mkdir()
    for room in (*ROOMS, "src"):
        ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / room, copy / room, symlinks=True, ignore=ignore)
    for name in ("pyproject.toml", "setup.py", "LICENSE", "README.md"):
        shutil.copy(ROOT / name, copy / name)
    return copy


def without_links(tree: Path) -> Path:
    """The tree as a zip download or a checkout with ``core.symlinks=false`` has it."""
    for path in (tree / "src" / PACKAGE).iterdir():
        if path.is_symlink():
            path.unlink()
    return tree


def build(tree: Path, out: Path, *kinds: str) -> list[Path]:
    """Build with the installed setuptools, offline; the files made, by name."""
    run(sys.executable, "-m", "build", "--no-isolation", *kinds, "--outdir", out, cwd=tree)
    return sorted(out.iterdir())


def code_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if PurePosixPath(name).parts[0] == PACKAGE}


def install(where: Path, *what: str | Path) -> Path:
    """Install into a new environment that sees the packages of ours but not our editable install; its bin folder."""
    run(sys.executable, "-m", "venv", "--without-pip", where)
    inside = {"base": str(where), "platbase": str(where)}
    (Path(sysconfig.get_path("purelib", vars=inside)) / "outer.pth").write_text(sysconfig.get_path("purelib"))
    scripts = where / "bin"
    pip = (scripts / "python", "-m", "pip", "--no-cache-dir", "install", "--quiet", "--ignore-installed")
    run(*pip, "--no-deps", "--no-index", "--no-build-isolation", *what, cwd=where)
    return scripts


def assert_serves(scripts: Path, home: Path) -> None:
    """Every package comes from ``home``, and the command runs by both of its names."""
    origins = run(scripts / "python", "-c", ORIGINS, cwd=scripts).stdout.splitlines()
    assert len(origins) == len(PACKAGES)
    assert all(Path(origin).is_relative_to(home) for origin in origins), origins
    by_module = run(scripts / "python", "-m", PACKAGE, "--help", cwd=scripts).stdout
    assert "Usage:" in by_module
    assert "Usage:" in run(scripts / "liqo-connectivity", "--help", cwd=scripts).stdout


@pytest.mark.slow
@pytest.mark.parametrize("links", [True, False])
def test_the_wheel_holds_all_code_with_and_without_links(tree: Path, tmp_path: Path, links: bool) -> None:
    (wheel,) = build(tree if links else without_links(tree), tmp_path / "out", "--wheel")
    assert code_in(wheel) == shipped(ROOT)


@pytest.mark.slow
def test_the_wheel_made_from_the_sdist_installs_and_runs(tree: Path, tmp_path: Path) -> None:
    wheel, sdist = build(tree, tmp_path / "out")  # without a kind, build makes the wheel from the unpacked sdist
    assert sdist.name.endswith(".tar.gz")
    assert code_in(wheel) == shipped(ROOT)
    assert_serves(install(tmp_path / "venv", wheel), tmp_path / "venv")


@pytest.mark.slow
def test_the_wheel_carries_the_licence_and_the_version(tree: Path, tmp_path: Path) -> None:
    (wheel,) = build(tree, tmp_path / "out", "--wheel")
    with zipfile.ZipFile(wheel) as archive:
        names = {PurePosixPath(name).name: name for name in archive.namelist() if ".dist-info/" in name}
        metadata = email.message_from_bytes(archive.read(names["METADATA"]))
        assert archive.read(names["LICENSE"]) == (ROOT / "LICENSE").read_bytes()
    assert metadata["License-Expression"] == "Apache-2.0"
    assert wheel.name == f"liqo_connectivity_engine-{metadata['Version']}-py3-none-any.whl"


@pytest.mark.slow
def test_an_editable_install_serves_the_checkout_and_sees_new_modules(tree: Path, tmp_path: Path) -> None:
    scripts = install(tmp_path / "venv", "--editable", tree)
    assert_serves(scripts, tree)
    for room in ROOMS:
        (tree / room / "newcomer.py").write_text("")
        run(scripts / "python", "-c", f"import {PACKAGE}.{room}.newcomer", cwd=scripts)


def test_a_checkout_that_is_not_installed_imports() -> None:
    path = f"{ROOT / 'src'}:{sysconfig.get_path('purelib')}"  # -S: the packages, without the install that they link to
    origins = run(sys.executable, "-S", "-c", ORIGINS, PYTHONPATH=path).stdout.splitlines()
    assert [Path(origin).resolve() for origin in origins] == list(PACKAGES.values())


@pytest.mark.slow
@pytest.mark.parametrize("start", [(sys.executable, "-m", "pytest"), (Path(sys.executable).with_name("pytest"),)])
def test_pytest_starts_at_the_root_as_module_and_as_script(start: tuple[str | Path, ...]) -> None:
    done = run(*start, "--collect-only", "-q", "-p", "no:cacheprovider", "tests/package/test_layout.py")
    assert "test_operator_has_no_init" in done.stdout
