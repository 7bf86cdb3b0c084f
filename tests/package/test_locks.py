"""Guards the lock files: every package by hash, no word of where it comes from, and all that pyproject.toml asks for."""

import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.checkout import PYPROJECT, ROOT

LOCKS = ("requirements.lock", "requirements-dev.lock")
GO_LOCK = "tools/go_modules/go.lock"
BENCH_LOCK = "benchmarks/bench.lock"


def locked(name: str) -> dict[str, list[tuple[Requirement, list[str]]]]:
    """The requirements of a lock file by canonical name, each with the hashes it accepts."""
    text = (ROOT / name).read_text().replace("\\\n", " ")
    found: dict[str, list[tuple[Requirement, list[str]]]] = {}
    for line in text.splitlines():
        if line and not line.lstrip().startswith("#"):
            requirement, *options = (part.strip() for part in line.split(" --"))
            parsed = Requirement(requirement)
            found.setdefault(canonicalize_name(parsed.name), []).append((parsed, options))
    return found


@pytest.mark.parametrize("name", [*LOCKS, GO_LOCK, BENCH_LOCK])
def test_a_lock_pins_every_package_by_hash(name: str) -> None:
    entries = [entry for entries in locked(name).values() for entry in entries]
    assert entries
    for requirement, options in entries:
        assert [specifier.operator for specifier in requirement.specifier] == ["=="], requirement
        assert requirement.url is None, requirement
        assert options, requirement
        assert all(re.fullmatch("hash=sha256:[0-9a-f]{64}", option) for option in options), requirement


@pytest.mark.parametrize("name", [*LOCKS, GO_LOCK, BENCH_LOCK])
def test_a_lock_names_no_place(name: str) -> None:
    """Which index serves the packages is the business of the machine that installs them; the hashes hold anywhere."""
    text = (ROOT / name).read_text()
    assert not re.search(r"://|@|file:|^\s*-(?!-hash=)|index|find-links|(^|\s)\.{0,2}/", text, re.MULTILINE)


@pytest.mark.parametrize(("name", "group"), [("requirements.lock", "build"), ("requirements-dev.lock", "dev")])
def test_a_lock_holds_what_the_project_asks_for(name: str, group: str) -> None:
    asked: list[str] = [*PYPROJECT["project"]["dependencies"], *PYPROJECT["build-system"]["requires"]]
    asked += [entry for entry in PYPROJECT["dependency-groups"][group] if isinstance(entry, str)]
    pins = locked(name)
    for requirement in map(Requirement, asked):
        versions = [str(pin.specifier).removeprefix("==") for pin, _ in pins[canonicalize_name(requirement.name)]]
        assert all(requirement.specifier.contains(version) for version in versions), requirement


def test_developers_and_users_run_the_same_packages() -> None:
    users, developers = map(locked, LOCKS)
    assert {name: [str(pin) for pin, _ in developers[name]] for name in users} == {
        name: [str(pin) for pin, _ in entries] for name, entries in users.items()
    }
