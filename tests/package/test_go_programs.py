"""Go programs are built from pinned modules, once, and completely or not at all."""

import os
import subprocess
import threading
from pathlib import Path

import pytest
from tools import go_programs
from tools.go_programs import MODULES, PreparationError, Program, built


@pytest.fixture
def small_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """A program of a module without requirements, and an empty cache."""
    source = tmp_path / "modules" / "small"
    source.mkdir(parents=True)
    (source / "go.mod").write_text("module example.invalid/small\n\ngo 1.21\n")
    (source / "go.sum").touch()
    (source / "main.go").write_text('package main\n\nfunc main() { println("small") }\n')
    small = Program("small", "small", ".")
    monkeypatch.setattr(go_programs, "MODULES", source.parent)
    monkeypatch.setattr(go_programs, "cache", lambda: tmp_path / "cache")
    return small


def test_two_builds_at_once_are_one(small_program: Program, capfd: pytest.CaptureFixture[str]) -> None:
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(built(small_program))) for _ in range(2)]
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
    (go_programs.MODULES / "small" / "go.mod").write_text("module example.invalid/small\n\ngo 1.22\n")
    assert small_program.cached() != before


def test_a_failed_build_says_why(small_program: Program) -> None:
    (go_programs.MODULES / "small" / "main.go").write_text("package main\n\nfunc main() { nosuch() }\n")
    with pytest.raises(PreparationError, match=r"building small failed: .*(?s:.*)undefined: nosuch"):
        built(small_program)
    assert not small_program.cached().exists()


@pytest.mark.parametrize("module", sorted(folder.name for folder in MODULES.iterdir() if folder.is_dir()))
def test_modules_are_pinned_by_hash_and_name_no_place(module: str) -> None:
    pinned = (MODULES / module / "go.mod").read_text()
    assert "://" not in pinned
    sums = [line.split() for line in (MODULES / module / "go.sum").read_text().splitlines()]
    assert sums
    assert all(len(fields) == 3 and fields[2].startswith("h1:") for fields in sums)
    for target in [line.split(" => ")[1] for line in pinned.splitlines() if " => " in line]:
        assert not target.startswith((".", "/")), target
