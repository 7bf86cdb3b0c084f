"""Programs written in Go that tests and lint run, each built from a module that is pinned by hash.

Installing a binary would need a place that serves it; a Go module proxy serves all of them, and go.sum says which bytes
are right. What is built stays in the user's cache, under the hash of what it was built from.
"""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.waiting import pause

MODULES = Path(__file__).parent / "go_modules"
LOCK = MODULES / "go.lock"

_HEARTBEAT_SECONDS = 60


class PreparationError(RuntimeError):
    """A program, or something else from a Go module, could not be made."""


@dataclass(frozen=True, slots=True)
class Program:
    """An executable: its name, the module with the go.mod and go.sum that pin it, and the package it is built from.

    ``folder`` is that of the module, by default one of MODULES. Its own sources, if it has any, are pinned with it.
    """

    name: str
    module: str
    package: str
    flags: str = ""
    folder: Path | None = None

    @property
    def source(self) -> Path:
        """The folder of the module."""
        return self.folder or MODULES / self.module

    def build_flags(self) -> tuple[str, ...]:
        return ("-mod=readonly", "-trimpath", "-ldflags", f"-s -w {self.flags}".strip())

    def cached(self) -> Path:
        """Where the program is, or will be, in the cache; another pin or flag is another place."""
        digest = hashlib.sha256(" ".join(self.build_flags()).encode())
        for file in sorted(self.source.iterdir()):
            if file.name in ("go.mod", "go.sum") or file.suffix == ".go":
                digest.update(file.read_bytes())
        return cache() / f"{self.module}-{digest.hexdigest()[:16]}" / self.name


def cache() -> Path:
    """The folder that holds what was built, for this system and processor."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root, "liqo-connectivity", "controlplane", f"{sys.platform}-{platform.machine()}")


def built(program: Program) -> Path:
    """The executable, built if it is not in the cache; PreparationError if that fails."""
    path = program.cached()
    if not path.exists():
        with locked():
            if not path.exists():  # another process may have built it while we waited
                _build(program, path)
    return path


def _build(program: Program, path: Path) -> None:
    source = program.source
    compiler, environment = go()
    # Those that the package needs, and each must have its sum; `go mod download` would also take some that have none.
    modules = [compiler, "list", "-mod=readonly", "-deps", program.package]
    fetch(f"downloading the modules of {program.name}", modules, source, environment)
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder, program.name)
        command = [compiler, "build", *program.build_flags(), "-o", str(made), program.package]
        _run(f"building {program.name}", command, source, environment)
        made.rename(path)


def go() -> tuple[str, dict[str, str]]:
    """A Go that can build what is pinned, and the environment to run it in."""
    # Local: a Go that is too old must not fetch another one by itself, past every pin.
    environment = {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}
    needed = max(
        _version((file / "go.mod").read_text(), r"(?m)^go (\S+)$") for file in MODULES.iterdir() if file.is_dir()
    )
    found = shutil.which("go")
    if found:
        answer = subprocess.run([found, "version"], env=environment, text=True, capture_output=True, check=False).stdout
        if _version(answer, r"\bgo(\d\S*)") >= needed:
            return found, environment
    folder = cache() / f"go-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]}"
    compiler = folder / "go" / "bin" / "go"
    if not compiler.exists():
        with TemporaryDirectory(dir=folder.parent) as made:
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
            target = Path(made, "target")
            pinned = ["--require-hashes", "--only-binary", ":all:", "--target", str(target), "--requirement", str(LOCK)]
            fetch("installing Go, because none is new enough", [*pip, *pinned], MODULES, environment)
            target.rename(folder)
    return str(compiler), {name: value for name, value in environment.items() if name != "GOROOT"}


def _version(text: str, pattern: str) -> tuple[int, ...]:
    """The first match as numbers, without what follows them (rc1); empty, which is less than any, without a match."""
    found = re.search(pattern, text)
    return tuple(map(int, re.findall(r"\d+", re.split(r"[a-z]", found[1])[0]))) if found else ()


def fetch(step: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    """Run what needs the network, which may be away for a moment; its output."""
    for seconds in (2, 10):
        try:
            return _run(step, command, folder, environment)
        except PreparationError as error:
            print(f"tools: again in {seconds} s: {error}", flush=True)
            pause(seconds)
    return _run(step, command, folder, environment)


def _run(step: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    """Run it, say now and then that it still runs, and return its output."""
    start = time.monotonic()
    print(f"tools: {step}", flush=True)
    with subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        while True:
            try:
                output, errors = child.communicate(timeout=_HEARTBEAT_SECONDS)
                break
            except subprocess.TimeoutExpired:
                print(f"tools: still {step} ({time.monotonic() - start:.0f} s)", flush=True)
            except BaseException:
                child.kill()
                raise
    if child.returncode != 0:
        raise PreparationError(f"{step} failed: {' '.join(command)}\n{errors[-4000:]}{output[-4000:]}")
    print(f"tools: {step} took {time.monotonic() - start:.1f} s", flush=True)
    return output


@contextmanager
def locked() -> Iterator[None]:
    """One process at a time builds: two would build the same twice, on the same cores."""
    cache().mkdir(parents=True, exist_ok=True)
    with Path(cache(), "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # given back when the file is closed, even by a crash
        yield
