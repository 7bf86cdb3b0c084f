"""The programs of the control plane are built from pins, once, whole or not at all."""

import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from tools import control_plane_binaries
from tools.control_plane_binaries import LIQO_SUMS, MODULES, PROGRAMS, PreparationError, Program, liqo_crds, program

NEWEST = next(iter(LIQO_SUMS))


@pytest.fixture
def small_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """A program of a module without requirements, and an empty cache."""
    source = tmp_path / "modules" / "small"
    source.mkdir(parents=True)
    (source / "go.mod").write_text("module example.invalid/small\n\ngo 1.21\n")
    (source / "go.sum").touch()
    (source / "main.go").write_text('package main\n\nfunc main() { println("small") }\n')
    small = Program("small", "small", ".")
    monkeypatch.setattr(control_plane_binaries, "MODULES", source.parent)
    monkeypatch.setattr(control_plane_binaries, "PROGRAMS", (small,))
    monkeypatch.setattr(control_plane_binaries, "cache", lambda: tmp_path / "cache")
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return small


def test_two_who_prepare_at_once_build_once(small_program: Program, capfd: pytest.CaptureFixture[str]) -> None:
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(program("small"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [small_program.cached()] * 2
    assert subprocess.run([found[0]], capture_output=True, check=True).stderr == b"small\n"
    assert os.listdir(found[0].parent) == ["small"]  # nothing half-made
    assert capfd.readouterr().out.count("building small took") == 1


def test_another_pin_is_another_program(small_program: Program) -> None:
    before = small_program.cached()
    (control_plane_binaries.MODULES / "small" / "go.mod").write_text("module example.invalid/small\n\ngo 1.22\n")
    assert small_program.cached() != before


def test_a_failed_build_says_why(small_program: Program) -> None:
    (control_plane_binaries.MODULES / "small" / "main.go").write_text("package main\n\nfunc main() { nosuch() }\n")
    with pytest.raises(PreparationError, match=r"building small failed: .*(?s:.*)undefined: nosuch"):
        program("small")
    assert not small_program.cached().exists()


def test_given_programs_are_taken(small_program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = tmp_path / "assets" / "small"
    given.parent.mkdir()
    shutil.copy("/bin/true", given)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(given.parent))
    assert program("small") == given


def test_a_module_with_another_sum_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_plane_binaries, "cache", lambda: tmp_path)
    monkeypatch.setitem(control_plane_binaries.LIQO_SUMS, NEWEST, "h1:" + "A" * 43 + "=")
    with pytest.raises(PreparationError, match="instead of h1:AAAA"):
        liqo_crds(NEWEST)
    assert not list(tmp_path.glob("liqo-crds-*"))


@pytest.mark.parametrize("module", sorted({program.module for program in PROGRAMS}))
def test_modules_are_pinned_by_hash_and_name_no_place(module: str) -> None:
    pinned = (MODULES / module / "go.mod").read_text()
    assert "://" not in pinned
    sums = [line.split() for line in (MODULES / module / "go.sum").read_text().splitlines()]
    assert sums
    assert all(len(fields) == 3 and fields[2].startswith("h1:") for fields in sums)
    for target in [line.split(" => ")[1] for line in pinned.splitlines() if " => " in line]:
        assert not target.startswith((".", "/")), target
